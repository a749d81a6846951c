"""Optax's optimizers by name: the same updates, printed, saved, trained, and refused in one sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import kilter as kl
from kilter import optim
from kilter.core.errors import InputError

PARAMS = {"kernel": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3), "bias": np.ones(3, np.float32)}
CASES = [
    (optim.FromOptax("adabelief", 0.01, b1=0.8), optax.adabelief(0.01, b1=0.8)),
    (optim.FromOptax("sgd", 0.1, momentum=0.9, nesterov=True), optax.sgd(0.1, momentum=0.9, nesterov=True)),
    (optim.FromOptax("adan", 0.01), optax.adan(0.01)),
]


@pytest.mark.parametrize(("ours", "theirs"), CASES, ids=["adabelief", "sgd", "adan"])
def test_twenty_updates_are_those_of_optax(ours, theirs):
    @jax.jit
    def both(params, other, state, their_state, step):
        grads = jax.tree.map(lambda p: jnp.cos(p + step), params)
        params, state = ours.update(grads, state, params, step)
        changes, their_state = theirs.update(grads, their_state, other)
        return params, optax.apply_updates(other, changes), state, their_state

    params, other, state, their_state = PARAMS, PARAMS, ours.init(PARAMS), theirs.init(PARAMS)
    for step in range(20):
        params, other, state, their_state = both(params, other, state, their_state, step)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), params, other)
    assert abs(params["kernel"] - PARAMS["kernel"]).max() > 1e-3


def test_it_is_a_value_whose_rate_is_a_leaf():
    adabelief = CASES[0][0]
    assert type(adabelief).from_json(adabelief.to_json()) == adabelief
    assert jax.tree.leaves(adabelief) == [0.01]
    assert adabelief.replace(lr=optim.Cosine(0.1)).over(10).rate(10) == pytest.approx(0.0, abs=1e-9)


def test_it_trains_within_a_fleet(small_recipe, iris):
    recipes = [small_recipe.replace(optimizer=optim.FromOptax("adabelief", rate)) for rate in (0.0, 0.03)]
    still, learned = kl.train_fleet(recipes, iris, progress=False)
    assert learned.metrics["loss"] < 0.7 * still.metrics["loss"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: optim.FromOptax("adabeleif", 0.1), "optax has no optimizer of that name"),
        (lambda: optim.FromOptax("__doc__", 0.1), "optax has no optimizer of that name"),
        (lambda: optim.FromOptax("adam", 0.1, beta=0.9), "optax.adam takes no beta"),
        (lambda: optim.FromOptax("clip", 0.1), "optax.clip takes no learning_rate"),
        (lambda: optim.FromOptax("adam", 0.1, b1=[0.9]), "value must be"),
    ],
)
def test_refused_in_one_sentence(make, words):
    with pytest.raises(InputError, match=words):
        make()
