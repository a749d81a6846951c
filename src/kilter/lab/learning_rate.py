"""What the learning rate and its schedule do to a training."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import nn, optim
from kilter.data.dataset import Dataset
from kilter.lab import words
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.learning import band, courses, epoch_axis, relu_net, seeds_of
from kilter.lab.shades import hue, shades
from kilter.lab.sources import dataset
from kilter.losses import SoftmaxCrossEntropy
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
Case = tuple[float, str]
_SCHEDULES = {
    "constant": lambda lr: lr,
    "cosine": optim.Cosine,
    "step": optim.MultiStep,
    "warm-up, cosine": lambda lr: optim.Warmup(optim.Cosine(lr), 0.2),
}


@experiment
def learning_rate(
    *,
    rates: tuple[float, ...] = (0.0003, 0.03, 0.2, 2.0),
    scheduled: tuple[float, ...] = (0.03, 0.2),
    units: int = 32,
    epochs: int = 20,
    seeds: int = 3,
    data: str = "digits",
) -> Told:
    """What becomes of the loss with learning rates that are too low, good, high and too high, and with schedules?

    Steps that are too small do not arrive; steps too long for the curvature of the loss grow from one to the next. In
    between the noise of batches keeps a constant rate at a distance from the minimum that grows with the rate, and a
    schedule that falls takes the distance away. A warm-up begins with small steps, while the gradients are largest.

    Args:
        rates: of SGD with momentum 0.9, constant.
        scheduled: rates that are also trained with schedules: half a cosine to zero, a tenth from a half and a hundredth
            from three quarters of the run on, and the cosine behind a warm-up over a fifth of the run.
        units: of the two hidden layers.
        epochs: of training.
        seeds: how many, from 0 on.
        data: name of a shipped data set.

    Source:
        LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.7; Loshchilov and Hutter 2017, SGDR; Goyal et al.
        2017, Accurate, Large Minibatch SGD (warm-up).
    """
    at_least(1, units=units, epochs=epochs)
    words.some(rates=rates, scheduled=scheduled)
    rows = dataset(data, seed=0)
    constant = [(lr, "constant") for lr in rates]
    cases = list(dict.fromkeys(constant + [(lr, name) for lr in scheduled for name in _SCHEDULES]))
    losses, scores = _trained(cases, relu_net(units, 2, rows.classes), rows, epochs, seeds)
    table: list[Row] = [
        {
            "rate": lr,
            "schedule": name,
            "loss": float(losses[lr, name][:, -1].mean()),
            "val_accuracy": float(scores[lr, name].mean()),
            "diverged": int(np.isnan(losses[lr, name][:, -1]).sum()),
        }
        for lr, name in cases
    ]
    draw = partial(_draw, rates, scheduled, losses, epoch_axis(seeds))
    return Told(table, _told(table, epochs), draw, (3.6 * (1 + len(scheduled)), 3.8))


def _trained(
    cases: list[Case], net: nn.Chain, rows: Dataset, epochs: int, seeds: int
) -> tuple[dict[Case, Array], dict[Case, Array]]:
    """Training losses ``(seeds, epochs)`` and scores ``(seeds,)`` of each rate and schedule."""
    recipes = [
        Recipe(net, SoftmaxCrossEntropy(), optimizer=optim.SGD(_SCHEDULES[name](lr), momentum=0.9), epochs=epochs)
        for lr, name in cases
    ]
    runs = train_fleet(recipes, rows, seeds=seeds_of(seeds), progress=False)
    losses = courses(runs, "loss", epochs).reshape(len(cases), seeds, epochs)
    scores = np.reshape([run.score for run in runs], (len(cases), seeds))
    return dict(zip(cases, losses, strict=True)), dict(zip(cases, scores, strict=True))


def _told(table: list[Row], epochs: int) -> str:
    constant = ", ".join(_said(row, f"{row['rate']:g}") for row in table if row["schedule"] == "constant")
    others = ", ".join(
        _said(row, f"{row['rate']:g} {row['schedule']}") for row in table if row["schedule"] != "constant"
    )
    return f"After {epochs} epochs the training loss is {constant}; with schedules {others}."


def _said(row: Row, name: str) -> str:
    return f"{row['loss']:.2g} ({name})" if not row["diverged"] else f"diverged in {row['diverged']} runs ({name})"


def _draw(
    rates: tuple[float, ...], scheduled: tuple[float, ...], losses: dict[Case, Array], below: str, figure: "Figure"
) -> None:
    left, *others = figure.subplots(1, 1 + len(scheduled), sharey=True)
    for color, lr in zip(shades(len(rates)), rates, strict=True):
        band(left, losses[lr, "constant"], color=color, label=f"{lr:g}")
    left.set_title("constant rates")
    for axes, lr in zip(others, scheduled, strict=True):
        for place, name in enumerate(_SCHEDULES):
            band(axes, losses[lr, name], color=hue(place), label=name)
        axes.set_title(f"rate {lr:g} by schedule")
    for axes in (left, *others):
        axes.set(xlabel=below, yscale="log")
        axes.legend(frameon=False, fontsize=9, loc="lower left")
    left.set(ylabel="training loss, nats", ylim=_limits(losses))


def _limits(losses: dict[Any, Array]) -> tuple[float, float]:
    """From half the least loss to the largest, but not far beyond what any network says untrained."""
    every = np.concatenate([each.ravel() for each in losses.values()])
    return max(float(np.nanmin(every)) / 2, 1e-9), min(float(np.nanmax(every)), 30.0)
