"""Trainings over seeds: the network that many experiments train, and courses as arrays and as lines."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter import nn
from kilter.core.errors import InputError
from kilter.lab.shades import shades
from kilter.train.run import Run

Array = np.ndarray[Any, Any]


def seeds_of(count: int) -> range:
    """Seeds 0 to count - 1.

    Raises:
        InputError: there would be none.
    """
    if count < 1:
        raise InputError(f"seeds must be at least 1, got {count!r}")
    return range(count)


def relu_net(units: int, hidden: int, classes: int) -> nn.Chain:
    """So many hidden layers with ReLU.

    >>> relu_net(8, 1, 3)
    nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    """
    return nn.Chain(*[layer for _ in range(hidden) for layer in (nn.Dense(units), nn.ReLU())], nn.Dense(classes))


def epoch_axis(seeds: int) -> str:
    """What stands at an axis of epochs below a `band`."""
    return f"epoch; bands: {seeds} seeds" if seeds > 1 else "epoch"


def courses(runs: Sequence[Run], name: str, epochs: int) -> Array:
    """A number of the history, ``(runs, epochs)``; NaN after the end of a run and where it was not finite."""
    found = np.full((len(runs), epochs), np.nan)
    for row, run in zip(found, runs, strict=True):
        seen = np.asarray(run.history[name], float)
        row[: len(seen)] = np.where(np.isfinite(seen), seen, np.nan)
    return found


def best_rate(losses: Array) -> int:
    """Place of the rate with the lowest mean loss of the last epoch, of losses ``(rates, seeds, epochs)``.

    A rate with which one run diverged comes last.
    """
    ends = losses[:, :, -1].mean(1)
    return int(np.where(np.isfinite(ends), ends, np.inf).argmin())


def band(axes: Any, values: Array, **look: Any) -> None:
    """Draw the mean over runs ``(runs, epochs)`` as a line from epoch 1 on, and all that is between the least and the most.

    The line ends with the first run that does.
    """
    epochs = np.arange(1, values.shape[1] + 1)
    axes.plot(epochs, values.mean(0), **{"linewidth": 1.8, **look})
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(values) > 1:
        axes.fill_between(epochs, values.min(0), values.max(0), color=look["color"], alpha=0.15, linewidth=0)


def draw_losses(axes: Any, named: Sequence[str], train: Array, held: Array) -> None:
    """Courses of losses ``(settings, epochs)`` of every other setting, light colors for late ones."""
    chosen = range(0, len(named), 2)
    for place, color in zip(chosen, shades(len(chosen)), strict=True):
        epochs = np.arange(1, held.shape[-1] + 1)
        axes.plot(epochs, held[place], color=color, label=named[place], linewidth=1.8)
        axes.plot(epochs, train[place], color=color, linestyle=":", linewidth=1.4)
    axes.set(yscale="log", xlabel="epoch", ylabel="held-out loss, nats; dotted: training")
