"""How strategies of search use the same number of trainings, and which numbers they find to matter."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import losses, nn, optim
from kilter.core.distributions import LogUniform, Uniform
from kilter.core.errors import InputError
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.shades import hue
from kilter.lab.sources import dataset
from kilter.search.loop import search as searched
from kilter.search.strategies import CoarseToFine, Grid, Random, Strategy
from kilter.search.study import Study
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
_LR = "optimizer.lr"
_NAMES = {_LR: "learning rate", "penalty.strength": "weight decay", "net.layers[2].rate": "dropout rate"}
_LINEAR = "random, linear rate"


@experiment
def search(
    *,
    levels: int = 3,
    lowest: float = 1e-4,
    highest: float = 10.0,
    rows: int = 400,
    units: int = 64,
    epochs: int = 6,
    repeats: int = 5,
) -> Told:
    """Which strategy finds a good learning rate with the fewest trainings?

    Of several hyper-parameters few matter, and of a learning rate its logarithm does. A grid of k levels in three
    dimensions spends k^3 trainings on k learning rates, which may all miss, random search on k^3; coarse to fine draws its
    later ones near the best so far. A rate drawn uniformly on a linear scale is hardly ever small.

    Args:
        levels: of the grid in each of three dimensions; all strategies have as many trainings as it has points.
        lowest: learning rate.
        highest: learning rate.
        rows: digits to train on.
        units: of the hidden layer, with ReLU and dropout.
        epochs: of each training, by plain SGD.
        repeats: searches by each strategy, of other seeds.

    Source: Bergstra and Bengio 2012, figure 1; the importance: Hutter, Hoos and Leyton-Brown 2014.
    """
    at_least(2, levels=levels)
    at_least(1, rows=rows, units=units, epochs=epochs, repeats=repeats)
    if not 0 < lowest < highest:
        raise InputError(f"lowest must be above 0 and below highest, got {lowest:g} and {highest:g}")
    data, trials = dataset("digits", 0, rows, held=600), levels**3
    log, linear = (_space(units, epochs, rates) for rates in (LogUniform(lowest, highest), Uniform(lowest, highest)))
    asked: dict[str, tuple[Recipe, Strategy]] = {
        "grid": (log, Grid(levels)),
        "random": (log, Random()),
        "coarse to fine": (log, CoarseToFine(max(2, trials // 3), rounds=3)),
        _LINEAR: (linear, Random()),
    }
    studies = {
        name: [searched(space, data, trials=trials, strategy=by, seed=seed, progress=False) for seed in range(repeats)]
        for name, (space, by) in asked.items()
    }
    best = {name: np.array([_best_so_far(each) for each in own]) for name, own in studies.items()}
    shares = _shares(studies["random"])
    first = {name: own[0].trials for name, own in studies.items()}
    return Told(_table(best, shares), _said(best, shares), partial(_draw, best, first, shares), (12, 4.2))


def _shares(studies: list[Study]) -> dict[str, float]:
    """Of the variance of the scores that each hyper-parameter explains alone, mean over studies."""
    found = [each.importance().importance for each in studies]
    return {label: float(np.mean([each[name] for each in found])) for name, label in _NAMES.items()}


def _table(best: dict[str, Array], shares: dict[str, float]) -> list[Row]:
    by_trial: list[Row] = [
        {"strategy": name, "trial": trial, "best": float(mean), "lowest": float(low), "highest": float(high)}
        for name, own in best.items()
        for trial, (mean, low, high) in enumerate(zip(own.mean(0), own.min(0), own.max(0), strict=True), 1)
    ]
    return by_trial + [{"parameter": name, "importance": share} for name, share in shares.items()]


def _space(units: int, epochs: int, rates: Any) -> Recipe:
    rate: Any = Uniform(0.0, 0.3)
    strength: Any = LogUniform(1e-6, 1e-3)
    net = nn.Chain(nn.Dense(units), nn.ReLU(), nn.Dropout(rate), nn.Dense(10))
    return Recipe(
        net,
        losses.SoftmaxCrossEntropy(),
        optimizer=optim.SGD(rates),
        batch_size=50,
        epochs=epochs,
        penalty=losses.L2(strength),
    )


def _best_so_far(study: Study) -> Array:
    """By number of trainings; one that diverged scores nothing."""
    return np.maximum.accumulate(np.nan_to_num(study.trials.score.to_numpy(float), nan=0.0))


def _said(best: dict[str, Array], shares: dict[str, float]) -> str:
    count, repeats = next(iter(best.values())).shape[1], next(iter(best.values())).shape[0]
    ends = "; ".join(f"{name}: {own[:, -1].mean():.3f}" for name, own in best.items())
    first = max(shares, key=lambda name: shares[name])
    return (
        f"Best validation accuracy after {count} trainings, mean over {repeats} searches by each strategy: {ends}; "
        f"the {first} alone explains {shares[first]:.0%} of the variance of the scores."
    )


def _draw(best: dict[str, Array], trials: dict[str, Any], shares: dict[str, float], figure: "Figure") -> None:
    course, rates, bars = figure.subplots(1, 3, width_ratios=[1.2, 1.2, 0.8])
    for place, (name, own) in enumerate(best.items()):
        steps = np.arange(1, own.shape[1] + 1)
        style = "--" if name == "coarse to fine" else "-"  # its first third is random search itself
        course.plot(steps, own.mean(0), color=hue(place), linestyle=style, label=name, linewidth=1.8)
        course.fill_between(steps, own.min(0), own.max(0), color=hue(place), alpha=0.12, linewidth=0)
    course.set(xlabel="trainings", ylabel="best validation accuracy so far")
    course.legend(frameon=False, loc="lower right")
    _draw_rates(trials, rates)
    bars.barh(list(shares), list(shares.values()), color=hue(0), height=0.6)
    bars.invert_yaxis()
    bars.set(xlabel="share of the variance explained", xlim=(0, 1), title="importance")


def _draw_rates(trials: dict[str, Any], axes: "Axes") -> None:
    """What the first search by each strategy tried."""
    for place, (name, frame) in enumerate(trials.items()):
        shape = "sovD"[place]
        axes.scatter(
            frame[_LR],
            frame.score.fillna(0.0),
            s=24,
            marker=shape,
            color=hue(place),
            alpha=0.75,
            label=name,
            linewidths=0,
        )
    axes.set(xscale="log", xlabel="learning rate (one search each)", ylabel="validation accuracy; diverged: 0")
    axes.legend(frameon=False, fontsize=9, loc="upper left")
