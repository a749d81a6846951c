"""Batch norm and layer norm in batches of many sizes, and how far statistics of batches are from moving averages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import losses, nn, optim
from kilter.data.dataset import Dataset
from kilter.lab.experiment import Row
from kilter.lab.learning import courses
from kilter.lab.shades import hue
from kilter.lab.ticks import plain_log
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe
from kilter.train.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray[Any, Any]
_NORMS: dict[str, nn.Layer] = {"batch norm": nn.BatchNorm(), "layer norm": nn.LayerNorm()}
# For batches of 128; it follows the root of their size.
_LR = 0.15


@dataclass(frozen=True)
class Batches:
    """What batches of each size did.

    Attributes:
        sizes: of the batches.
        reached: validation accuracies ``(norms, sizes, seeds)``.
        apart: of each size, how far means of batches are from the moving average, in standard deviations.
    """

    sizes: tuple[int, ...]
    reached: Array
    apart: Array


def in_batches(sizes: tuple[int, ...], units: int, data: Dataset, epochs: int, seeds: int) -> Batches:
    """Train nets of two hidden layers with each norm in batches of each size."""
    recipes = [
        Recipe(
            _net(units, norm),
            losses.SoftmaxCrossEntropy(),
            optimizer=optim.SGD(_LR * (size / 128) ** 0.5),
            batch_size=size,
            epochs=epochs,
        )
        for norm in _NORMS.values()
        for size in sizes
    ]
    runs = train_fleet(recipes, data, seeds=range(seeds), progress=False)
    reached = courses(runs, "val_accuracy", epochs)[:, -1].reshape(len(_NORMS), len(sizes), seeds)
    normed = [runs[start : start + seeds] for start in range(0, len(sizes) * seeds, seeds)]
    apart = np.array([_apart(own, size, data.train.x) for own, size in zip(normed, sizes, strict=True)])
    return Batches(sizes, reached, apart)


def _net(units: int, norm: nn.Layer) -> nn.Chain:
    hidden = [layer for _ in range(2) for layer in (nn.Dense(units, bias=False), norm, nn.ReLU())]
    return nn.Chain(*hidden, nn.Dense(10))


def _apart(runs: Sequence[Run], size: int, x: Array) -> float:
    """Root mean square distance of the means of batches from the moving average, in standard deviations; first norm."""
    order = np.random.default_rng(0).permutation(len(x))[: len(x) // size * size]
    squares = []
    for run in runs:
        signals = x[order] @ np.asarray(run.params[0]["kernel"])
        means = signals.reshape(-1, size, signals.shape[-1]).mean(1)
        averages = run.state[1]
        squares.append(np.mean((means - averages["mean"]) ** 2 / np.asarray(averages["var"])))
    return float(np.sqrt(np.mean(squares)))


def table(found: Batches) -> list[Row]:
    """A row a norm and size."""
    nothing = np.full(len(found.sizes), np.nan)
    return [
        {
            "network": norm,
            "batch_size": size,
            "accuracy": float(own.mean()),
            "worst": float(own.min()),
            "best": float(own.max()),
            "distance": float(distance),
            "predicted": size**-0.5 if norm == "batch norm" else np.nan,
        }
        for norm, every, apart in zip(_NORMS, found.reached, (found.apart, nothing), strict=True)
        for size, own, distance in zip(found.sizes, every, apart, strict=True)
    ]


def said(found: Batches) -> str:
    """Part of a sentence about the smallest and the largest batches."""
    ends = sorted({int(np.argmin(found.sizes)), int(np.argmax(found.sizes))}, key=lambda place: found.sizes[place])
    told = "; ".join(
        f"in batches of {found.sizes[place]} batch norm reaches {found.reached[0, place].mean():.3f}, layer norm "
        f"{found.reached[1, place].mean():.3f}, and the mean of a batch is {found.apart[place]:.2g} standard deviations "
        f"from the moving average"
        for place in ends
    )
    return told


def draw_accuracies(axes: "Axes", found: Batches) -> None:
    """Mean over seeds, bars from the worst to the best."""
    for place, norm in enumerate(_NORMS, 1):
        own = found.reached[place - 1]
        mean = own.mean(-1)
        reach = [mean - own.min(-1), own.max(-1) - mean]
        axes.errorbar(found.sizes, mean, reach, color=hue(place), marker="o", capsize=3, label=norm, linewidth=1.8)
    axes.set(ylabel=f"accuracy on held-out digits, {found.reached.shape[-1]} seeds")
    axes.legend(frameon=False)
    _sizes(axes, found.sizes)


def draw_distances(axes: "Axes", found: Batches) -> None:
    """Seen, and predicted for independent rows."""
    fine = np.geomspace(min(found.sizes), max(found.sizes), 50)
    axes.plot(fine, fine**-0.5, color="0.4", linestyle=":", label="predicted, 1 / sqrt(batch size)")
    axes.plot(found.sizes, found.apart, "o", color=hue(1), label="seen")
    axes.set(ylabel="mean of a batch from the moving\naverage, standard deviations")
    plain_log(axes)
    axes.legend(frameon=False)
    _sizes(axes, found.sizes)


def _sizes(axes: "Axes", sizes: tuple[int, ...]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, list(map(str, sizes)))
    axes.set(xlabel="batch size, examples")
