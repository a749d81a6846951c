"""The first NaN or infinity is found where it was planted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kilter
from kilter import losses, nn, optim
from kilter.losses.loss import Loss
from kilter.train.step import Batch, Learner, Parts
from kilter.train.step import step as train_step
from kilter.vitals import NonFinite, first_nonfinite

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(6, 8, 3)).astype(np.float32)  # six batches of eight
Y = DRAW.normal(size=(6, 8, 2)).astype(np.float32)
KEYS = jax.random.split(jax.random.key(0), 6)
NET = nn.Chain(nn.Dense(4), nn.Exponential(), nn.Dense(2))


class Root(Loss):
    """The mean root of the error: finite at 0, where its slope is not."""

    def __call__(self, outputs, targets):
        return jnp.sqrt(jnp.square(outputs - targets)).mean(1)


def updates(net, loss, optimizer):
    def step(learner, rows, key, number):
        params, state, moments = learner
        x, y, _ = rows
        objective = optim.Objective(lambda p: net.apply(p, state, x, key=key), lambda out: loss(out, y).mean())
        params, moments, (value, state) = optimizer.minimize(objective, params, moments, number)
        return (params, state, moments), value

    return step


def look(net=NET, loss=losses.SquaredError(), optimizer=optim.SGD(1e-3), x=X, y=Y, change=None):  # noqa: B008
    params, state = jax.jit(lambda key: net.init(key, (3,)))(jax.random.key(1))
    params = params if change is None else change(params)
    learner = params, state, optimizer.init(params)
    return first_nonfinite(net, loss, updates(net, loss, optimizer), learner, (x, y, None), KEYS)


def planted(array, value, place=(3, 2, 1)):
    array = array.copy()
    array[place] = value
    return array


def test_sound_updates_have_none():
    assert look() is None


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (np.inf, "Inf")])
def test_rows(value, kind):
    assert look(x=planted(X, value)) == NonFinite(3, "forward", "inputs", kind)


def test_targets():
    assert look(y=planted(Y, np.nan)) == NonFinite(3, "forward", "loss", "NaN")


def test_an_overflow_in_a_layer():
    found = look(x=planted(X, 1e4 * np.ones(3, np.float32), (2, 5)))
    assert found is not None
    assert (found.step, found.direction, found.place, found.kind) == (2, "forward", "layers[1]", "Inf")
    assert str(found) == "Inf in layers[1], forward, in update 3"


def test_an_overflow_in_a_residual_branch():
    net = nn.Chain(nn.Dense(3), nn.Residual(nn.Chain(nn.Dense(3), nn.Exponential(), nn.Dense(3))), nn.Dense(2))
    found = look(net, x=planted(X, 1e6 * np.ones(3, np.float32), (4, 0)))
    assert found is not None
    assert (found.step, found.place, found.kind) == (4, "layers[1].body.layers[1]", "Inf")


def test_a_gradient_that_is_infinite_where_the_loss_is_not():
    """Outputs that hit their targets: the root's slope there is 0 / 0."""
    net = nn.Chain(nn.Dense(4), nn.ReLU(), nn.Dense(2))

    def zeros(params):
        return jax.tree.map(jnp.zeros_like, params)

    found = look(net, Root(), y=np.zeros_like(Y), change=zeros)
    assert found == NonFinite(0, "backward", "layers[2]", "NaN")


def test_an_update_that_overflows():
    """A rate of 1e38 times a gradient of some hundreds, both finite."""
    found = look(nn.Chain(nn.Dense(2)), optimizer=optim.SGD(1e38), y=100 * Y)
    assert found is not None
    assert (found.step, found.direction) == (0, "update")
    assert found.place.startswith("layers[0].")


def test_a_penalty_is_part_of_the_loss():
    params, state = jax.jit(lambda key: NET.init(key, (3,)))(jax.random.key(1))
    penalty = losses.L2(3e38)

    def step(learner, rows, key, number):
        value = losses.SquaredError()(NET.apply(learner[0], state, rows[0])[0], rows[1]).mean() + 10 * penalty(
            learner[0]
        )
        return learner, value

    found = first_nonfinite(
        NET, losses.SquaredError(), step, (params, state, ()), (X, Y, None), KEYS, penalty=penalty
    )  # fmt: skip
    assert found == NonFinite(0, "forward", "loss", "Inf")


def test_what_a_step_makes_of_its_rows_falls_to_the_loss():
    params, state = jax.jit(lambda key: NET.init(key, (3,)))(jax.random.key(1))

    def step(learner, rows, key, number):
        return learner, jnp.where(number == 13, jnp.nan, 1.0) + 0.0 * rows[0].sum()

    found = first_nonfinite(NET, losses.SquaredError(), step, (params, state, ()), (X, Y, None), KEYS, first=10)
    assert found == NonFinite(3, "forward", "loss", "NaN")


def test_the_updates_of_training_are_replayed():
    """With the engine's own step: a rate that diverges, where moments are kept and batches are padded with weight 0."""
    net, loss, optimizer = (
        nn.Chain(nn.Dense(4), nn.ReLU(), nn.Dense(2)),
        losses.SquaredError(),
        optim.SGD(1e6, momentum=0.9),
    )
    params, state = jax.jit(lambda key: net.init(key, (3,)))(jax.random.key(1))
    parts = Parts(net, loss, optimizer, None, kilter.metrics.R2())
    weights = np.ones((6, 8), np.float32)
    weights[:, 7] = 0.0

    def update(learner, rows, key, number):
        after, value = train_step(parts, Learner(*learner), Batch(*rows), 7, key, number)
        return tuple(after), value

    learner = params, state, optimizer.init(params)
    found = first_nonfinite(net, loss, update, learner, (X, Y, weights), KEYS)
    assert found is not None
    assert 1 < found.step < 6
    before = learner
    for index in range(found.step + 1):
        finite = all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(before[:2]))
        assert finite
        before, _ = jax.jit(update)(before, (X[index], Y[index], weights[index]), KEYS[index], index)
    assert not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(before[:2]))
