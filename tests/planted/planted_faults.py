"""Faults that show when a network trains: each planted at three severities, mild to severe."""

from dataclasses import dataclass

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.data.dataset import Dataset
from kilter.doctor import Cause
from kilter.nn import initializers as draws


@dataclass(frozen=True)
class Planted:
    """A fault: the rule that tells it, the causes that count as right, and what it is planted in.

    ``within`` says among how many of the first causes it is to be; more than one where two causes are equally true.
    """

    rule: str
    causes: tuple[Cause, ...]
    patients: tuple[tuple[kl.Recipe, Dataset], ...]
    within: int = 1


def _digits():
    whole = kl.data.digits(seed=0)
    held = whole.validation
    return kl.data.from_arrays(whole.train.x[:600], whole.train.y[:600], validation=(held.x, held.y), title="digits")


def _wave():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(450, 4))
    y = x[:, 0] + np.sin(2 * x[:, 1]) + 0.1 * rng.normal(size=450)
    return x, y


DIGITS, (X, Y) = _digits(), _wave()


def digits(change=lambda x, y: (x, y)):
    """The digits with their training rows changed."""
    held = DIGITS.validation
    return kl.data.from_arrays(*change(DIGITS.train.x, DIGITS.train.y), validation=(held.x, held.y), title="digits")


def wave(times=1.0, plus=0.0):
    """A regression whose targets are scaled."""
    y = times * Y + plus
    return kl.data.from_arrays(X[:300], y[:300], validation=(X[300:], y[300:]), title="wave")


def classes(*, lr=0.1, momentum=0.0, std=0.2, bias=0.0, dropout=0.0, l2=0.0, batch_size=32, epochs=20, **given):
    """One structure for many faults, so that they share their programs."""
    settings = {"initializer": draws.Normal(std), "bias_initializer": draws.Constant(bias)}
    net = nn.Chain(
        *(nn.Dense(32, **settings), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Dense(32, **settings), nn.ReLU(), nn.Dropout(dropout)),
        nn.Dense(10),
    )
    optimizer = optim.SGD(lr, momentum=momentum)
    penalty = losses.L2(l2)
    loss = losses.SoftmaxCrossEntropy()
    return kl.Recipe(net, loss, optimizer=optimizer, penalty=penalty, batch_size=batch_size, epochs=epochs, **given)


def numbers(lr=0.02):
    """The same for a regression."""
    net = nn.Chain(nn.Dense(32), nn.ReLU(), nn.Dense(32), nn.ReLU(), nn.Dense(1))
    return kl.Recipe(net, losses.SquaredError(), optimizer=optim.SGD(lr), batch_size=32, epochs=60)


def scaled(by):
    """Inputs that are too large or too small."""
    held = DIGITS.validation
    return kl.data.from_arrays(by * DIGITS.train.x, DIGITS.train.y, validation=(by * held.x, held.y), title="digits")


def noisy(part):
    """Training labels drawn anew."""

    def change(x, y):
        rng = np.random.default_rng(0)
        return x, np.where(rng.random(len(y)) < part, rng.integers(0, 10, len(y)), y)

    return digits(change)


def rare(keep):
    """Five classes of which few training rows are left; others stand in their place, so that the number is the same."""

    def change(x, y):
        rng = np.random.default_rng(0)
        kept = (y < 5) | (rng.random(len(y)) < keep)
        again = rng.choice(np.flatnonzero(y < 5), len(y) - kept.sum())
        rows = np.concatenate([np.flatnonzero(kept), again])
        return x[rows], y[rows]

    return digits(change)


def in_order(moved):
    """Training rows sorted by class, some of them moved."""

    def change(x, y):
        order = np.argsort(y, kind="stable")
        rng = np.random.default_rng(0)
        some = np.flatnonzero(rng.random(len(y)) < moved)
        order[some] = order[rng.permutation(some)]
        return x[order], y[order]

    return digits(change)


def _with(**given):
    """Recipes that differ in one thing, all on the digits."""
    (name, values), *_ = given.items()
    return tuple((classes(**{name: value}), DIGITS) for value in values)


def _on(recipe, *data):
    return tuple((recipe, each) for each in data)


ALL = {
    "a rate of the wrong sign": Planted("negative_rate", (Cause.LR_NEGATIVE,), _with(lr=(-1e-4, -0.01, -1.0))),
    "a rate too high": Planted("rate_too_high", (Cause.LR_TOO_HIGH,), _with(lr=(2.0, 5.0, 20.0))),
    "a rate too low": Planted("rate_too_low", (Cause.LR_TOO_LOW,), _with(lr=(2e-3, 3e-4, 1e-6))),
    "a momentum too high": Planted(
        "rate_too_high", (Cause.LR_TOO_HIGH, Cause.LOSS_OSCILLATION), _with(momentum=(0.99, 0.995, 0.999))
    ),
    "too few epochs": Planted("few_updates", (Cause.TOO_FEW_EPOCHS,), _with(epochs=(4, 2, 1))),
    "a penalty too strong": Planted("over_regularized", (Cause.OVER_REGULARISATION,), _with(l2=(0.05, 0.3, 3.0))),
    "dropout too high": Planted("dropout_too_high", (Cause.DROPOUT_TOO_HIGH,), _with(dropout=(0.8, 0.9, 0.97))),
    "weights too small": Planted("weights_too_small", (Cause.BAD_INIT_TOO_SMALL,), _with(std=(0.02, 3e-3, 1e-4))),
    "weights too large": Planted("weights_too_large", (Cause.BAD_INIT_TOO_LARGE,), _with(std=(3.0, 10.0, 100.0))),
    "units born dead": Planted("born_dead", (Cause.DEAD_RELU,), _with(bias=(-4.0, -10.0, -100.0))),
    "units dead at the end": Planted("death_by_seed", (Cause.DEAD_RELU,), _with(bias=(-4.0, -10.0, -100.0))),
    "inputs too large": Planted(
        "badly_scaled_input", (Cause.UNNORMALISED_INPUT,), _on(classes(), scaled(40), scaled(255), scaled(1e4))
    ),
    "inputs too small": Planted(
        "badly_scaled_input", (Cause.UNNORMALISED_INPUT,), _on(classes(), scaled(0.05), scaled(0.01), scaled(1e-3))
    ),
    "wrong labels": Planted("label_noise", (Cause.LABEL_ERROR,), _on(classes(), noisy(0.5), noisy(0.7), noisy(1.0))),
    "rare classes": Planted(
        "class_imbalance", (Cause.CLASS_IMBALANCE,), _on(classes(), rare(0.1), rare(0.05), rare(0.03))
    ),
    "rows in order": Planted(
        "not_shuffled", (Cause.NOT_SHUFFLED,), _on(classes(shuffle=False), in_order(0.2), in_order(0.1), in_order(0.0))
    ),
    "a regression that diverges": Planted(
        "diverged", (Cause.LR_TOO_HIGH,), tuple((numbers(lr), wave()) for lr in (3.0, 10.0, 1000.0))
    ),
    "targets too large": Planted(
        "badly_scaled_target", (Cause.UNNORMALISED_TARGET,), _on(numbers(), wave(30), wave(300, 1000), wave(1e5))
    ),
}
