"""Ways of optimizers over surfaces, and their learning curves, each with a tuned rate."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter.data.dataset import Dataset
from kilter.lab import words
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.landscapes import LANDSCAPES, gaps, heights, paths
from kilter.lab.learning import band, best_rate, courses, epoch_axis, relu_net, seeds_of
from kilter.lab.shades import hue
from kilter.lab.sources import dataset
from kilter.losses import SoftmaxCrossEntropy
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
# Heights below which all are alike.
_LEAST = 1e-8
# Rates that are tried on the surfaces.
_TRIED = np.logspace(-4, 0.5, 46)


@experiment
def optimizers(
    *,
    optimizers: tuple[str, ...] = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"),
    rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    steps: int = 200,
    units: int = 32,
    epochs: int = 12,
    seeds: int = 3,
    data: str = "digits",
) -> Told:
    """Which way do optimizers go, and how fast do they learn, each with its best learning rate?

    In a narrow valley the largest curvature limits the rate of SGD, which crosses the valley at every step. Momentum
    averages these crossings away; AdaGrad, RMSProp and Adam divide each direction by the size of its own gradients.

    Args:
        optimizers: by name; momentum is 0.9.
        rates: that are tried on the data; the one with the lowest mean training loss of the last epoch is shown. On
            surfaces 46 rates from 1e-4 to 3.2 are tried; of those with which it never is above its start, the one with the
            lowest mean logarithm of the height is shown.
        steps: over surfaces.
        units: of the two hidden layers of the network.
        epochs: of training.
        seeds: how many, from 0 on.
        data: name of a shipped data set.

    Source:
        Sutskever et al. 2013, On the importance of initialization and momentum in deep learning; Duchi et al. 2011; Kingma
        and Ba 2015; the function of Rosenbrock 1960.
    """
    at_least(1, steps=steps, units=units, epochs=epochs)
    words.some(optimizers=optimizers, rates=rates)
    tried = {word: [words.optimizer(word, float(lr)) for lr in _TRIED] for word in optimizers}
    rows = dataset(data, seed=0)
    losses = _losses(optimizers, rates, rows, units, epochs, seeds)
    ways = {word: _best(paths(each, steps)) for word, each in tried.items()}
    best = {word: best_rate(each) for word, each in losses.items()}
    shown = {word: losses[word][place] for word, place in best.items()}
    table = [row for word, way in ways.items() for row in _surfaces(word, *way)]
    table += [_learned(word, shown[word], rates[place]) for word, place in best.items()]
    told = {word: f"{word}, rate {rates[place]:g}" for word, place in best.items()}
    draw = partial(_draw, ways, {told[word]: each for word, each in shown.items()}, data)
    return Told(table, _said(table, len(rates), data, epochs), draw, (2.3 * max(3, len(optimizers)), 10.5))


def _said(table: list[Row], rates: int, data: str, epochs: int) -> str:
    ranked = sorted((row for row in table if row["on"] == "data"), key=lambda row: row["reached"])
    reached = ", ".join(f"{row['optimizer']} {row['reached']:.2g} (rate {row['rate']:g})" for row in ranked)
    return f"With the best of {rates} rates, the training loss on {data} after {epochs} epochs is: {reached}."


def _draw(ways: dict[str, tuple[Array, Array]], shown: dict[str, Array], data: str, figure: "Figure") -> None:
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[7, 3.5])[:, 0]
    upper.suptitle("paths, each with its best rate (lr)", fontsize=11)
    panels = upper.subplots(len(LANDSCAPES), len(ways), sharex="row", sharey="row", squeeze=False)
    for which, row in enumerate(panels):
        for place, (word, (way, lr)) in enumerate(ways.items()):
            _contours(row[place], which)
            row[place].plot(*way[which].T, color=hue(place), marker="o", markersize=2.5, linewidth=1.1)
            row[place].set_title(f"{word}, lr {lr[which]:.2g}", fontsize=10)
        title = list(LANDSCAPES.values())[which].name.replace(" ", "\n", 1)
        row[0].set_ylabel(f"{title}\ny", fontsize=9)
    *heights, learned = lower.subplots(1, len(LANDSCAPES) + 1)
    for which, axes in enumerate(heights):
        _heights(axes, [way for way, _ in ways.values()], which)
    for place, (label, each) in enumerate(shown.items()):
        band(learned, each, color=hue(place), label=label)
    below = epoch_axis(len(next(iter(shown.values()))))
    learned.set(yscale="log", xlabel=below, ylabel="training loss, nats", title=data)
    handles, labels = learned.get_legend_handles_labels()
    title = f"rates on {data}"
    lower.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, title=title)


def _losses(
    optimizers: tuple[str, ...], rates: tuple[float, ...], rows: Dataset, units: int, epochs: int, seeds: int
) -> dict[str, Array]:
    """Training losses of each optimizer, ``(rates, seeds, epochs)``."""
    net = relu_net(units, 2, rows.classes)
    recipes = [
        Recipe(net, SoftmaxCrossEntropy(), optimizer=words.optimizer(word, lr), epochs=epochs)
        for word in optimizers
        for lr in rates
    ]
    runs = train_fleet(recipes, rows, seeds=seeds_of(seeds), progress=False)
    every = courses(runs, "loss", epochs).reshape(len(optimizers), len(rates), seeds, epochs)
    return dict(zip(optimizers, every, strict=True))


def _best(paths: Array) -> tuple[Array, Array]:
    """Of ways at all rates the best on each landscape, ``(landscapes, steps + 1, 2)``, and their rates."""
    above = gaps(paths)
    rises = (above > above[..., :1]).any(-1)  # rates with which a way may come down by luck
    low = np.where(rises, np.inf, np.log(np.clip(above, _LEAST, None)).mean(-1)).argmin(0)
    return paths[low, range(len(low))], _TRIED[low]


def _surfaces(word: str, way: Array, rates: Array) -> list[Row]:
    return [
        {
            "optimizer": word,
            "on": name,
            "rate": float(lr),
            "measure": "value above the least",
            "reached": float(gap[-1]),
        }
        for name, lr, gap in zip(LANDSCAPES, rates, gaps(way), strict=True)
    ]


def _learned(word: str, losses: Array, rate: float) -> Row:
    reached = float(losses[:, -1].mean())
    return {"optimizer": word, "on": "data", "rate": rate, "measure": "training loss", "reached": reached}


def _contours(axes: Any, which: int) -> None:
    shape = list(LANDSCAPES.values())[which]
    left, right, bottom, top = shape.window
    x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(bottom, top, 200))
    above = np.asarray(heights(np.stack([x, y])))[which] - shape.least
    axes.contour(x, y, np.log10(above + 1e-2), levels=14, colors="0.75", linewidths=0.7, linestyles="solid")
    axes.scatter(*zip(*shape.minima, strict=True), marker="*", s=80, color="black", zorder=3)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="x")


def _heights(axes: Any, ways: list[Array], which: int) -> None:
    for place, way in enumerate(ways):
        axes.plot(np.maximum(gaps(way)[which], _LEAST), color=hue(place), linewidth=1.6)
    axes.set(yscale="log", xlabel="step", ylabel="height above the minimum", title=list(LANDSCAPES)[which].capitalize())
