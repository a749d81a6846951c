"""Ways of optimizers over surfaces, and their learning curves, each with a tuned rate."""

from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import nn
from kilter.data.dataset import Dataset
from kilter.lab import words
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.landscapes import LANDSCAPES, gaps, heights, paths
from kilter.lab.learning import band, best_rate, courses, epoch_axis, seeds_of
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
    steps: int = 100,
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
    ranked = sorted(shown, key=lambda word: shown[word][:, -1].mean())
    reached = ", ".join(f"{word} {shown[word][:, -1].mean():.2g} (rate {rates[best[word]]:g})" for word in ranked)
    sentence = f"With the best of {len(rates)} rates, the training loss on {data} after {epochs} epochs is: {reached}."

    def draw(figure: "Figure") -> None:
        places = figure.subplots(2, len(LANDSCAPES))
        for which in range(len(LANDSCAPES)):
            _contours(places[0, which], which)
            for place, (word, (way, _)) in enumerate(ways.items()):
                _way(places[0, which], way[which], f"C{place}", word)
        _heights(places[1, 0], {word: way for word, (way, _) in ways.items()}, 0)
        _heights(places[1, 1], {word: way for word, (way, _) in ways.items()}, 1)
        for place, (word, each) in enumerate(shown.items()):
            band(places[1, 2], each, color=f"C{place}", label=word)
        places[1, 2].set(yscale="log", xlabel=epoch_axis(seeds), ylabel="training loss", title=data)
        handles, labels = places[1, 2].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)

    return Told(table, sentence, draw, (12.0, 7.4))


def _losses(
    optimizers: tuple[str, ...], rates: tuple[float, ...], rows: Dataset, units: int, epochs: int, seeds: int
) -> dict[str, Array]:
    """Training losses of each optimizer, ``(rates, seeds, epochs)``."""
    net = nn.Chain(nn.Dense(units), nn.ReLU(), nn.Dense(units), nn.ReLU(), nn.Dense(rows.classes))
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
    axes.scatter(*zip(*shape.minima, strict=True), marker="*", s=110, color="black", zorder=3)
    axes.set(xlim=(left, right), ylim=(bottom, top), title=shape.name, xlabel="x", ylabel="y")


def _way(axes: Any, way: Array, color: str, label: str) -> None:
    axes.plot(way[:, 0], way[:, 1], color=color, marker="o", markersize=2, linewidth=1.1, label=label, alpha=0.85)


def _heights(axes: Any, ways: dict[str, Array], which: int) -> None:
    for place, way in enumerate(ways.values()):
        axes.plot(np.maximum(gaps(way)[which], _LEAST), color=f"C{place}", linewidth=1.6)
    axes.set(yscale="log", xlabel="step", ylabel="height above the minimum", title=list(LANDSCAPES)[which].capitalize())
