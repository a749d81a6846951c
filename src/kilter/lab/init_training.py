"""How the spread of the first weights decides on the training of a deep network."""

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import nn, optim
from kilter.data.dataset import Dataset
from kilter.lab import words
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.learning import band, courses, epoch_axis, seeds_of
from kilter.lab.shades import hue
from kilter.lab.sources import dataset
from kilter.losses import SoftmaxCrossEntropy
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]


@experiment
def init_training(
    *,
    initializers: tuple[str, ...] = ("normal(0.01)", "glorot_normal", "he_normal"),
    activation: str = "relu",
    layers: int = 5,
    units: int = 100,
    lr: float = 0.02,
    epochs: int = 15,
    seeds: int = 3,
    data: str = "digits",
) -> Told:
    """How fast does a deep network learn, by the standard deviation of its first weights?

    Behind ReLU a dense layer of n inputs multiplies the root mean square of the signal by std sqrt(n / 2), and the gradient
    about likewise: 0.07 for std 0.01 and 100 units, 0.7 for Xavier, 1 for He. Over five layers that is 2e-6, 0.2 and 1.

    Args:
        initializers: each gives the standard deviation that it promises; all weights are drawn normal, cut at two of these,
            so that networks differ in nothing else.
        activation: of the hidden layers.
        layers: hidden ones.
        units: of each.
        lr: learning rate of SGD with momentum 0.9.
        epochs: of training.
        seeds: how many, from 0 on.
        data: name of a shipped data set.

    Source:
        He, Zhang, Ren and Sun 2015, Delving Deep into Rectifiers, section 2.2 and figures 2 and 3.
    """
    at_least(1, layers=layers, units=units, epochs=epochs)
    words.some(initializers=initializers)
    rows = dataset(data, seed=0)
    behind = words.activation(activation)
    sizes = [*rows.shape, *[units] * layers, rows.classes]
    nets = [_net(words.initializer(word, behind), behind, sizes) for word in initializers]
    losses, scores = _trained(nets, rows, lr, epochs, seeds)
    table: list[Row] = [
        {
            "initializer": word,
            "epoch": epoch + 1,
            "loss": float(losses[place, :, epoch].mean()),
            "val_accuracy": float(scores[place, :, epoch].mean()),
        }
        for place, word in enumerate(initializers)
        for epoch in range(epochs)
    ]
    chance = float(np.log(rows.classes))
    return Told(table, _said(table, epochs, chance), partial(_draw, initializers, losses, scores, chance))


def _trained(nets: list[nn.Chain], rows: Dataset, lr: float, epochs: int, seeds: int) -> tuple[Array, Array]:
    """Training losses and validation accuracies ``(nets, seeds, epochs)``."""
    by = optim.SGD(lr, momentum=0.9)
    recipes = [Recipe(net, SoftmaxCrossEntropy(), optimizer=by, epochs=epochs) for net in nets]
    runs = train_fleet(recipes, rows, seeds=seeds_of(seeds), progress=False)
    losses, scores = (
        courses(runs, name, epochs).reshape(len(nets), seeds, epochs) for name in ("loss", "val_accuracy")
    )
    return losses, scores


def _said(table: list[Row], epochs: int, chance: float) -> str:
    ends = "; ".join(
        f"{row['initializer']} {row['loss']:.2g} and {row['val_accuracy']:.1%}"
        for row in table
        if row["epoch"] == epochs
    )
    return f"After {epochs} epochs training loss (at chance {chance:.2f}) and accuracy on held-out rows are: {ends}."


def _draw(named: tuple[str, ...], losses: Array, scores: Array, chance: float, figure: "Figure") -> None:
    left, right = figure.subplots(1, 2)
    for place, word in enumerate(named):
        band(left, losses[place], color=hue(place), label=word)
        band(right, scores[place], color=hue(place), label=word)
    left.axhline(chance, color="0.6", linestyle=":", linewidth=1.2)
    below = epoch_axis(losses.shape[1])
    left.set(xlabel=below, ylabel="training loss, nats; dotted: at chance", yscale="log")
    right.set(xlabel=below, ylabel="accuracy on held-out rows", ylim=(0, 1.02))
    right.legend(frameon=False, loc="center right")


def _net(initializer: nn.initializers.Initializer, behind: nn.Layer, sizes: list[int]) -> nn.Chain:
    """Dense layers of these sizes, the first that of the input."""
    shapes = itertools.pairwise(sizes)
    stds = [float(initializer.std(shape)) for shape in shapes]
    dense = [
        nn.Dense(width, initializer=nn.initializers.TruncatedNormal(std))
        for width, std in zip(sizes[1:], stds, strict=True)
    ]
    return nn.Chain(*(layer for each in dense[:-1] for layer in (each, behind)), dense[-1])
