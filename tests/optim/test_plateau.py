"""ReduceOnPlateau against PyTorch over sequences of losses, and inside the compiled training."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import kilter as kl
from kilter import losses, nn, optim

DRAW = np.random.default_rng(0)
# Falls, stays, falls by less than most thresholds, jumps; never by a threshold exactly, which rounding would decide.
FALLS = np.concatenate([np.linspace(1.0, 0.5, 8), np.full(12, 0.5), 0.5 - 1.07e-5 * np.arange(10)])
LOSSES = np.concatenate([FALLS, 0.4 + 0.1 * DRAW.random(30), [np.inf, 0.3, 0.2]]).astype(np.float32)

SETTINGS = [
    {},
    {"patience": 2},
    {"patience": 0, "factor": 0.5, "min_lr": 0.01},
    {"patience": 1, "cooldown": 3, "factor": 0.3},
    {"patience": 2, "threshold": 0.05, "relative": False},
    {"patience": 2, "threshold": 0.2, "cooldown": 1},
]


@jax.jit
def rates(optimizer, losses_):
    """Rate in the epoch after each loss."""

    def body(state, loss):
        state = optimizer.judged(state, loss)
        return state, optimizer.current(state, 0)

    return jax.lax.scan(body, optimizer.init(jnp.zeros(2)), losses_)[1]


def in_torch(factor=0.1, relative=True, **given):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
    mode = "rel" if relative else "abs"
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=factor, threshold_mode=mode, eps=0.0, **given
    )
    found = []
    for loss in LOSSES:
        schedule.step(float(loss))
        found.append(optimizer.param_groups[0]["lr"])
    return found


@pytest.mark.parametrize("given", SETTINGS, ids=str)
def test_falls_as_in_torch(given):
    found = rates(optim.ReduceOnPlateau(optim.SGD(0.1), **given), LOSSES)
    np.testing.assert_allclose(found, in_torch(**given), rtol=1e-5)
    assert found[-1] < 0.1  # it fell at all


def test_wrappers_pass_the_loss_inwards_and_the_rate_outwards():
    inner = optim.ReduceOnPlateau(optim.Adam(0.1), 0.5, 2)
    expected = rates(inner, LOSSES)
    nests = (
        optim.ClipByGlobalNorm(inner),
        optim.Average(inner),
        optim.Accumulate(optim.PerPart(inner), 2),
        optim.SAM(inner),
    )
    for outer in nests:
        np.testing.assert_array_equal(rates(outer, LOSSES), expected)
    twice = rates(optim.ReduceOnPlateau(inner, 0.5, 2), LOSSES)
    np.testing.assert_allclose(twice / 0.1, (expected / 0.1) ** 2, rtol=1e-5)


def test_a_negative_loss_must_fall_too():
    """PyTorch's share of a negative best would call a rise of less than the threshold an improvement."""
    found = rates(optim.ReduceOnPlateau(optim.SGD(0.1), patience=2, threshold=0.1), -1.0 + 0.001 * np.arange(8.0))
    assert found[-1] < 0.02


@pytest.mark.parametrize("inner", [optim.Adam(0.1), optim.SGD(0.1, momentum=0.9), optim.RMSProp(0.1, momentum=0.5)])
def test_the_step_is_that_of_the_reduced_rate(inner):
    optimizer = optim.ReduceOnPlateau(inner, 0.5, 0)
    state = optimizer.init(jnp.ones(3))
    for _ in range(3):
        state = optimizer.judged(state, 1.0)
    assert float(optimizer.current(state, 0)) == pytest.approx(0.025)
    found, _ = optimizer.update(jnp.arange(3.0), state, jnp.ones(3), 0)
    expected, _ = inner.replace(lr=0.025).update(jnp.arange(3.0), inner.init(jnp.ones(3)), jnp.ones(3), 0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


NET = nn.Chain(nn.Dense(4), nn.ReLU(), nn.Dense(3))


def recipe(lr, epochs=12, **given):
    optimizer = optim.ClipByGlobalNorm(optim.ReduceOnPlateau(optim.SGD(lr, momentum=0.9), 0.5, 1, threshold=0.05))
    return kl.Recipe(NET, losses.SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, batch_size=16, **given)


def expected_rates(lr, judged):
    """What PyTorch makes of the losses of a run."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0.05)
    found = []
    for loss in judged:
        found.append(optimizer.param_groups[0]["lr"])
        schedule.step(float(loss))
    return found


def test_a_fleet_follows_its_own_validation_losses_as_each_member_alone(iris):
    recipes = [recipe(lr, epochs=20, stopping=kl.EarlyStopping(2)) for lr in (0.003, 1.0)]
    runs = kl.train_fleet(recipes, iris, progress=False)
    # An ended member counts no epochs: its history ends, the other one's goes on.
    assert len({len(run.history["lr"]) for run in runs}) > 1
    for run, lr in zip(runs, (0.003, 1.0), strict=True):
        np.testing.assert_allclose(run.history["lr"], expected_rates(lr, run.history["val_loss"]), rtol=1e-5)
    assert any(run.history["lr"][-1] < 0.9 * run.history["lr"][0] for run in runs)
    alone = kl.train(recipes[1], iris, progress=False)
    np.testing.assert_array_equal(alone.history["lr"], runs[1].history["lr"])


def test_without_validation_the_training_loss_counts():
    x = DRAW.normal(size=(40, 4)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = kl.data.from_arrays(x, np.arange(40) % 3, validation=0)
    assert data.validation is None
    run = kl.train(recipe(0.3), data, progress=False)
    np.testing.assert_allclose(run.history["lr"], expected_rates(0.3, run.history["loss"]), rtol=1e-5)
    assert run.history["lr"][-1] < 0.3
