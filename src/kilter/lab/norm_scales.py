"""Trainings with and without batch norm over first weights of many sizes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import losses, nn, optim
from kilter.data.dataset import Dataset
from kilter.lab.experiment import Row
from kilter.lab.learning import courses
from kilter.lab.shades import hue
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray[Any, Any]
FORMS = {"plain": False, "batch norm": True}


def net(depth: int, units: int, normed: bool) -> nn.Chain:
    """Hidden layers with ReLU, with or without batch norm in front of it."""
    norm = (nn.BatchNorm(),) if normed else ()
    return nn.Chain(*[layer for _ in range(depth) for layer in (nn.Dense(units), *norm, nn.ReLU())], nn.Dense(10))


def trained(nets: list[nn.Chain], scales: tuple[float, ...], data: Dataset, epochs: int, lr: float, seed: int) -> Array:
    """Validation accuracies ``(nets, scales, epochs)``."""
    recipes = [
        Recipe(
            _scaled(each, scale), losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(lr), batch_size=50, epochs=epochs
        )
        for each in nets
        for scale in scales
    ]
    runs = train_fleet(recipes, data, seeds=[seed], progress=False)
    return courses(runs, "val_accuracy", epochs).reshape(len(nets), len(scales), epochs)


def _scaled(net: nn.Chain, scale: float) -> nn.Chain:
    """With weights of one standard deviation, in whatever layer."""
    own = nn.initializers.Normal(scale)
    return nn.Chain(*(each.replace(initializer=own) if isinstance(each, nn.Dense) else each for each in net.layers))


def table(scales: tuple[float, ...], seen: Array) -> list[Row]:
    """The last accuracies."""
    return [
        {"network": form, "scale": scale, "accuracy": float(seen[place, index, -1])}
        for place, form in enumerate(FORMS)
        for index, scale in enumerate(scales)
    ]


def draw_grid(figure: Any, scales: tuple[float, ...], seen: Array) -> None:
    """A panel a scale, as near to a square of panels as it gets."""
    side = int(np.ceil(np.sqrt(len(scales))))
    panels = figure.subplots(-(-len(scales) // side), side, sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[len(scales) :]:
        axes.set_axis_off()
    for index, scale in enumerate(scales):
        _draw_scale(panels.flat[index], scale, seen[:, index])
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("accuracy on held-out digits", fontsize=10)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=10)


def _draw_scale(axes: "Axes", scale: float, seen: Array) -> None:
    epochs = np.arange(1, seen.shape[-1] + 1)
    for place, form in enumerate(FORMS):
        axes.plot(epochs, seen[place], color=hue(place), label=form, linewidth=1.8)
        if np.isnan(seen[place, -1]):
            where = (0.96, 0.06 + 0.16 * place)
            axes.text(*where, f"{form}: diverged", color=hue(place), ha="right", transform=axes.transAxes)
    axes.set_title(f"std {scale:g}", fontsize=9)
    axes.set(ylim=(0, 1.02))
