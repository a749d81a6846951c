"""What the size of a batch is to batch norm, and is not to layer norm."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import losses, nn, optim
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.learning import courses
from kilter.lab.sources import dataset
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe
from kilter.train.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
_NORMS: dict[str, nn.Layer] = {"batch norm": nn.BatchNorm(), "layer norm": nn.LayerNorm()}


@experiment
def batch_size_norm(
    *,
    batch_sizes: tuple[int, ...] = (2, 4, 16, 128),
    units: int = 64,
    rows: int = 512,
    epochs: int = 12,
    lr: float = 0.15,
    seeds: int = 4,
) -> Told:
    """How large must batches be for batch norm, and for layer norm?

    The mean of B examples is off by 1 / sqrt(B) standard deviations, so that small batches blur what batch norm passes
    on, and at inference the moving averages take the place of statistics that were very different. Layer norm takes its
    statistics within an example, which no other example can blur.

    Args:
        batch_sizes: examples an update.
        units: of each of two hidden layers, with ReLU.
        rows: digits to train on.
        epochs: of each training.
        lr: learning rate of plain SGD for batches of 128; it follows the root of the batch size.
        seeds: trainings of each setting.

    Source: Ioffe and Szegedy 2015; Ba, Kiros and Hinton 2016; small batches: Wu and He 2018, figure 1.
    """
    at_least(1, units=units, rows=rows, epochs=epochs, seeds=seeds)
    at_least(2, batch_sizes=batch_sizes)
    at_least(0, lr=lr)
    data = dataset("digits", 0, rows, held=500)
    recipes = [
        Recipe(
            _net(units, norm),
            losses.SoftmaxCrossEntropy(),
            optimizer=optim.SGD(lr * (size / 128) ** 0.5),
            batch_size=size,
            epochs=epochs,
        )
        for norm in _NORMS.values()
        for size in batch_sizes
    ]
    runs = train_fleet(recipes, data, seeds=range(seeds), progress=False)
    reached = courses(runs, "val_accuracy", epochs)[:, -1].reshape(len(_NORMS), len(batch_sizes), seeds)
    normed = [runs[start : start + seeds] for start in range(0, len(batch_sizes) * seeds, seeds)]
    apart = np.array([_apart(own, size, data.train.x) for own, size in zip(normed, batch_sizes, strict=True)])
    rows_of_table: list[Row] = [
        {
            "norm": norm,
            "batch_size": size,
            "accuracy": float(reached[place, index].mean()),
            "lowest": float(reached[place, index].min()),
            "highest": float(reached[place, index].max()),
            "distance": float(apart[index]) if place == 0 else float("nan"),
            "predicted": size**-0.5 if place == 0 else float("nan"),
        }
        for place, norm in enumerate(_NORMS)
        for index, size in enumerate(batch_sizes)
    ]
    sentence = _said(batch_sizes, reached.mean(-1), apart)
    return Told(rows_of_table, sentence, partial(_draw, batch_sizes, reached, apart), (10, 4))


def _net(units: int, norm: nn.Layer) -> nn.Chain:
    return nn.Chain(
        *[layer for _ in range(2) for layer in (nn.Dense(units, bias=False), norm, nn.ReLU())], nn.Dense(10)
    )


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


def _said(sizes: tuple[int, ...], accuracy: Array, apart: Array) -> str:
    small, large = int(np.argmin(sizes)), int(np.argmax(sizes))
    told = " and ".join(
        f"{norm} reaches {own[small]:.3f} in batches of {sizes[small]} and {own[large]:.3f} in batches of {sizes[large]}"
        for norm, own in zip(_NORMS, accuracy, strict=True)
    )
    return (
        f"On held-out digits {told}; the mean of a batch is {apart[small]:.2g} standard deviations from its moving average "
        f"in batches of {sizes[small]}, {apart[large]:.2g} in batches of {sizes[large]}."
    )


def _draw(sizes: tuple[int, ...], reached: Array, apart: Array, figure: "Figure") -> None:
    left, right = figure.subplots(1, 2)
    for place, norm in enumerate(_NORMS):
        mean, low, high = reached[place].mean(-1), reached[place].min(-1), reached[place].max(-1)
        left.errorbar(
            sizes, mean, [mean - low, high - mean], color=f"C{place}", marker="o", capsize=3, label=norm, linewidth=1.8
        )
    left.set(ylabel=f"accuracy on held-out digits, {reached.shape[-1]} seeds")
    left.legend(frameon=False)
    right.plot(sizes, apart, marker="o", label="seen", linewidth=1.8)
    right.plot(sizes, np.array(sizes) ** -0.5, color="0.4", linestyle=":", label="1 / sqrt(batch size)")
    right.set(yscale="log", ylabel="batch mean from moving average,\nstandard deviations")
    right.set_yticks(np.array(sizes) ** -0.5, [f"{size**-0.5:.2g}" for size in sizes])
    right.set_yticks([], minor=True)
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, map(str, sizes))
        axes.set(xlabel="batch size, examples")
