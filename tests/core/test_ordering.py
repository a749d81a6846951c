"""What is known after something else, and the copies that this spares an update."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kilter import losses, metrics, nn, optim
from kilter.core.compiling import TRAINING
from kilter.core.ordering import after
from kilter.optim import optimizer
from kilter.train.step import Batch, Learner, Parts, step


@pytest.mark.parametrize("known", [1.0, -1.0, 0.0, np.nan, np.inf, -np.inf])
def test_a_tree_is_as_it_was_whatever_it_waits_for(known):
    tree = {"kernel": jnp.asarray([[1.5, -0.0], [np.nan, np.inf]]), "half": jnp.ones(2, jnp.bfloat16)}
    found = jax.jit(after)({"a": jnp.full((2, 2), known), "b": jnp.asarray(known), "none": jnp.zeros((0, 3))}, tree)
    jax.tree.map(np.testing.assert_array_equal, found, tree)
    assert found["half"].dtype == jnp.bfloat16


def test_doubles_stay_doubles():
    with jax.enable_x64(True):
        found = after(jnp.ones(2, jnp.float64), {"a": jnp.full(2, 1e-300, jnp.float64), "b": jnp.ones(2, jnp.float32)})
        assert found["a"].dtype == jnp.float64
        assert found["b"].dtype == jnp.float32
        np.testing.assert_array_equal(found["a"], np.full(2, 1e-300))


def test_it_waits_for_nothing_where_there_is_nothing():
    np.testing.assert_array_equal(after({}, jnp.arange(3.0)), np.arange(3.0))


def copied() -> list[str]:
    """Copies of kernels that a loop of updates carries, inside of it; those in front of it are of the arguments."""
    net = nn.Chain(nn.Dense(48), nn.ReLU(), nn.Dense(40), nn.ReLU(), nn.Dense(3))
    parts = Parts(net, losses.SoftmaxCrossEntropy(), optim.Adam(1e-3), None, metrics.Accuracy())
    x, y, key = jnp.ones((32, 24)), jnp.zeros(32, jnp.int32), jax.random.key(0)
    params, state = net.init(key, (24,))

    def train(learner: Learner) -> Learner:
        def update(learner, number):
            return step(parts, learner, Batch(x, y, None), 32, jax.random.fold_in(key, number), number)[0], None

        return jax.lax.scan(update, learner, jnp.arange(100))[0]

    learner = Learner(params, state, parts.optimizer.init(params))
    compiled = jax.jit(train, donate_argnums=0, compiler_options=TRAINING).lower(learner).compile().as_text()
    return re.findall(r"f32\[\d+,\d+\]\S* copy\(%get-tuple-element", compiled)


def test_updates_in_a_loop_copy_no_weights_as_they_wait(monkeypatch):
    assert not copied()
    monkeypatch.setattr(optimizer, "after", lambda known, tree: tree)
    assert copied()
