"""What several networks are worth, by the way they are made and put together."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import losses, optim
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.ensembles import ensemble, snapshots
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.learning import relu_net
from kilter.lab.shades import hue
from kilter.lab.sources import dataset
from kilter.metrics import LogLoss
from kilter.optim.optimizer import Optimizer
from kilter.train.batches import updates
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe
from kilter.train.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
Scores = dict[str, list[tuple[float, float]]]
# Random sets of members of each size.
_DRAWS = 20


@experiment
def ensembles(
    *,
    members: int = 24,
    cycles: int = 5,
    rows: int = 200,
    wrong: float = 0.2,
    units: int = 64,
    epochs: int = 40,
    lr: float = 0.05,
    repeats: int = 4,
) -> Told:
    """How many networks make a good ensemble, and what do snapshots and mean weights give for the price of one?

    As -log is convex, the loss of the mean of probabilities is at most the mean of the losses, and less the more the
    members disagree. Snapshots, one at the end of each cycle of the learning rate, cost one training. Weights can be
    averaged along one training; those of independent nets stand for different things unit by unit.

    Args:
        members: independent nets, of other seeds.
        cycles: of the learning rate, one snapshot each; also the size of the small ensemble of independent nets.
        rows: digits to train on.
        wrong: share of them with a wrong class.
        units: of each of two hidden layers, with ReLU.
        epochs: of each training, and of all cycles together.
        lr: highest learning rate of SGD with momentum 0.9, on a cosine.
        repeats: of each way to make one predictor.

    Source: Hansen and Salamon 1990; snapshots: Huang et al. 2017; mean weights: Izmailov et al. 2018.
    """
    at_least(1, cycles=cycles, rows=rows, units=units, repeats=repeats)
    at_least(2, members=members)
    at_least(0, lr=lr)
    if members < cycles or epochs < cycles:
        raise InputError(f"members and epochs must be at least cycles, {cycles}, got {members} and {epochs}")
    data = dataset("digits", 0, rows, held=1000, wrong=wrong)
    data = replace(data, validation=None, test=data.validation)
    recipe = _recipe(units, epochs, optim.SGD(optim.Cosine(lr), momentum=0.9))
    runs = train_fleet([recipe], data, seeds=range(members), progress=False)
    by_size = _by_size(runs, data)
    ways = _ways(runs, recipe, data, cycles, lr, repeats)
    rows_of_table: list[Row] = [
        {"way": "independent nets", "members": count, "accuracy": float(accuracy), "loss": float(loss)}
        for count, (accuracy, loss) in zip(_sizes(members), by_size.mean(1), strict=True)
    ]
    rows_of_table += [
        {"way": way, "members": np.nan, "accuracy": np.mean(told, 0)[0], "loss": np.mean(told, 0)[1]}
        for way, told in ways.items()
    ]
    return Told(rows_of_table, _said(by_size, ways, members), partial(_draw, by_size, ways, members), (11, 7))


def _recipe(units: int, epochs: int, optimizer: Optimizer) -> Recipe:
    loss = losses.SoftmaxCrossEntropy()
    return Recipe(relu_net(units, 2, 10), loss, optimizer=optimizer, batch_size=50, epochs=epochs)


def _sizes(members: int) -> list[int]:
    return sorted({members, *(size for size in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) if size < members)})


def _by_size(runs: list[Run], data: Dataset) -> Array:
    """Accuracy and loss of random sets of nets, ``(sizes, draws, 2)``."""
    assert data.test is not None
    rng, classes = np.random.default_rng(0), data.test.y
    told = np.array([run.predict_proba(data.test) for run in runs])

    def score(size: int) -> tuple[float, float]:
        mean = told[rng.permutation(len(runs))[:size]].mean(0)
        return float(np.mean(mean.argmax(-1) == classes)), float(LogLoss()(mean, classes, np.ones(len(mean))))

    return np.array([[score(size) for _ in range(_DRAWS)] for size in _sizes(len(runs))])


def _ways(runs: list[Run], recipe: Recipe, data: Dataset, cycles: int, lr: float, repeats: int) -> Scores:
    """Accuracy and loss of ways to make one predictor, several times each."""
    half = recipe.epochs * updates(recipe, len(data.train)) // 2
    constant = optim.Average(optim.SGD(lr / 2, momentum=0.9), 1.0, start=half)
    averaged = train_fleet([recipe.replace(optimizer=constant)], data, seeds=range(repeats), progress=False)
    shots = [snapshots(recipe, data, cycles=cycles, seed=seed, progress=False) for seed in range(repeats)]
    sets = [[runs[(seed * cycles + place) % len(runs)] for place in range(cycles)] for seed in range(repeats)]
    return {
        "one net": [_scored(run) for run in runs[:repeats]],
        f"{cycles} snapshots": [_scored(ensemble(own, data)) for own in shots],
        "mean weights of the snapshots": [_scored(ensemble(own, data, average="weights")) for own in shots],
        "mean weights of the last half": [_scored(run) for run in averaged],
        f"{cycles} nets": [_scored(ensemble(own, data)) for own in sets],
        f"mean weights of {cycles} nets": [_scored(ensemble(own, data, average="weights")) for own in sets],
    }


def _scored(found: Any) -> tuple[float, float]:
    return found.metrics["test_accuracy"], found.metrics["test_log_loss"]


def _said(by_size: Array, ways: Scores, members: int) -> str:
    one, all_of_them = by_size[0].mean(0), by_size[-1].mean(0)
    told = ", ".join(f"{way} {np.mean(own, 0)[0]:.3f} ({np.mean(own, 0)[1]:.2f})" for way, own in ways.items())
    return (
        f"{members} nets together have an accuracy of {all_of_them[0]:.3f} and a loss of {all_of_them[1]:.3f} on held-out "
        f"digits, one alone {one[0]:.3f} and {one[1]:.3f}; accuracy (loss) by way: {told}."
    )


def _draw(by_size: Array, ways: Scores, members: int, figure: "Figure") -> None:
    sizes = _sizes(members)
    panels = figure.subplots(2, 2)
    for row, name in enumerate(("accuracy on held-out digits", "held-out loss, nats")):
        left, right = panels[row]
        own = by_size[..., row]
        left.fill_between(sizes, own.min(1), own.max(1), color=hue(0), alpha=0.2, linewidth=0, label="random sets")
        left.plot(sizes, own.mean(1), color=hue(0), marker="o", linewidth=1.8, label="mean")
        left.set(ylabel=name, xlabel="independent nets")
        _draw_ways(ways, row, right)
        right.set(xlabel=name)
    panels[0, 0].legend(frameon=False, loc="lower right")


def _draw_ways(ways: Scores, row: int, axes: "Axes") -> None:
    """A dot a repeat; the last way, whose nets do not belong together, is told by its number where it is far off."""
    *others, last = ([score[row] for score in scores] for scores in ways.values())
    span = max(map(max, others)) - min(map(min, others)) or 0.1
    low, high = min(map(min, others)) - 0.3 * span, max(map(max, others)) + 0.3 * span
    for place, values in enumerate([*others, last]):
        if low <= np.mean(values) <= high:
            axes.plot(values, [place] * len(values), "o", color=hue(place), alpha=0.5)
            axes.plot([np.mean(values)] * 2, [place - 0.3, place + 0.3], color=hue(place), linewidth=2.5)
        else:
            arrow = "\N{LEFTWARDS ARROW} {}" if np.mean(values) < low else "{} \N{RIGHTWARDS ARROW}"
            axes.text((low + high) / 2, place, arrow.format(f"{np.mean(values):.2f}"), ha="center", va="center")
    axes.set_yticks(range(len(ways)), list(ways))
    axes.set(xlim=(low, high), ylim=(len(ways) - 0.5, -0.5))
