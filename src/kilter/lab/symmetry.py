"""Units that start equal stay equal: why weights must be drawn at random."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import nn, optim
from kilter.data.scaling import MeanImage
from kilter.lab import words
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.shades import hue
from kilter.lab.sources import dataset
from kilter.losses import SoftmaxCrossEntropy
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe
from kilter.train.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
# Differences and singular values below this share of the largest are rounding.
_ROUNDING = 1e-3


@experiment
def symmetry(
    *,
    constants: tuple[float, ...] = (0.0, 0.1),
    units: int = 16,
    lr: float = 0.1,
    epochs: tuple[int, ...] = (0, 1, 2, 4, 8, 16, 32),
    data: str = "digits",
    seed: int = 0,
) -> Told:
    """What becomes of hidden units that all start with the same weights?

    Units of equal weights in and out see the same signal and get the same gradient, so every update leaves them equal: a
    hidden layer of any width remains one unit, its kernel a matrix of rank 1. Random weights break the symmetry. With zeros
    neither kernel gets any gradient, and only the last bias learns.

    Args:
        constants: weights that both kernels start with, one network each, beside one that starts at random (Xavier).
        units: of the hidden layer, which is followed by tanh.
        lr: learning rate of SGD.
        epochs: after which the networks are looked at.
        data: name of a shipped data set.
        seed: of the random weights and of the order of the rows.

    Source:
        Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors, on breaking symmetry.
    """
    at_least(1, units=units)
    at_least(0, epochs=epochs)
    words.some(constants=constants)
    starts: dict[str, nn.initializers.Initializer] = {f"all {c:g}": nn.initializers.Constant(c) for c in constants}
    starts["random"] = nn.initializers.GlorotNormal()
    rows = replace(dataset(data, seed=0), validation=None)  # the last weights are kept where no best ones can be chosen
    recipes = [_recipe(start, units, rows.classes, lr).replace(epochs=e) for start in starts.values() for e in epochs]
    runs = train_fleet(recipes, rows, seeds=(seed,), progress=False)
    told = zip([(name, epoch) for name in starts for epoch in epochs], runs, strict=True)
    table = [_row(name, epoch, run) for (name, epoch), run in told]
    last = [row for row in table if row["epoch"] == epochs[-1]]
    kernels = {name: _kernel(runs[(place + 1) * len(epochs) - 1]) for place, name in enumerate(starts)}
    sentence = f"After {epochs[-1]} epochs, of {units} hidden units: {'; '.join(map(_said, last))}."

    def draw(figure: "Figure") -> None:
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[3, 2])[0]
        _lines(left, table, list(starts))
        _images(right, kernels, epochs[-1])

    return Told(table, sentence, draw, (10.0, 4.0))


def _recipe(start: nn.initializers.Initializer, units: int, classes: int, lr: float) -> Recipe:
    net = nn.Chain(nn.Dense(units, initializer=start), nn.Tanh(), nn.Dense(classes, initializer=start))
    return Recipe(net, SoftmaxCrossEntropy(), optimizer=optim.SGD(lr), inputs=MeanImage())


def _kernel(run: Run) -> Array:
    return np.asarray(run.params[0]["kernel"], float)


def _row(name: str, epoch: int, run: Run) -> Row:
    kernel = _kernel(run)
    return {
        "start": name,
        "epoch": epoch,
        "different_units": _different(kernel),
        "rank": _rank(kernel),
        "accuracy": run.metrics["train_accuracy" if "train_accuracy" in run.metrics else "accuracy"],
    }


def _rank(kernel: Array) -> int:
    sizes = np.linalg.svd(kernel, compute_uv=False)
    return int((sizes > _ROUNDING * sizes[0]).sum())


def _different(kernel: Array) -> int:
    """Columns of which no earlier one is the same but for rounding."""
    found: list[Array] = []
    for unit in kernel.T:
        if all(np.abs(unit - other).max() > _ROUNDING * np.abs(kernel).max() for other in found):
            found.append(unit)
    return len(found)


def _said(row: Row) -> str:
    return f"{row['start']}, {row['different_units']} different, rank {row['rank']}, accuracy {row['accuracy']:.0%}"


def _lines(figure: Any, table: list[Row], names: list[str]) -> None:
    rank, accuracy = figure.subplots(1, 2)
    for place, name in enumerate(names):
        own = [row for row in table if row["start"] == name]
        for axes, column in ((rank, "rank"), (accuracy, "accuracy")):
            x, y = [row["epoch"] for row in own], [row[column] for row in own]
            axes.plot(x, y, color=hue(place), marker="o", markersize=4, label=name)
            axes.set_xscale("symlog")
            axes.set_xticks(x, list(map(str, x)))
            axes.minorticks_off()
            axes.set_xlabel("epoch")
    rank.set(ylabel="rank of the hidden kernel", ylim=(-0.5, None))
    accuracy.set(ylabel="accuracy on training rows", ylim=(0, 1.02))
    rank.legend(frameon=False, loc="center left")


def _images(figure: Any, kernels: dict[str, Array], epoch: int) -> None:
    places = figure.subplots(1, len(kernels), sharey=True, squeeze=False)[0]
    for axes, (name, kernel) in zip(places, kernels.items(), strict=True):
        most = np.abs(kernel).max() or 1.0
        axes.imshow(kernel, aspect="auto", cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
        axes.set(title=name, xlabel="hidden unit")
    places[0].set_ylabel("input")
    figure.suptitle(f"hidden kernel after {epoch} epochs", fontsize=11)
