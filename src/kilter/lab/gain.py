"""What a chain of layers does to the size of a signal."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.shades import hue

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]


@experiment
def gain(
    *,
    depth: int = 50,
    width: int = 100,
    scalars: tuple[float, ...] = (0.5, 1.5),
    gains: tuple[float, ...] = (0.9, 1.0, 1.1),
    seed: int = 0,
) -> Told:
    """How does a signal grow with depth where every layer multiplies it?

    A chain of equal scalar weights w gives w^depth. A chain of random ``width x width`` matrices with entries of standard
    deviation g / sqrt(width) gives g^depth in root mean square: only the gain g = 1 keeps the signal.

    Args:
        depth: layers.
        width: units of a layer of the random chain.
        scalars: weights of the scalar chains.
        gains: g of the random chains.
        seed: of the matrices.
    """
    at_least(2, depth=depth, width=width)
    at_least(0, scalars=scalars, gains=gains)
    layers = np.arange(depth + 1)
    one = {f"weight {weight:g}": (np.full(depth, weight).cumprod(), weight) for weight in scalars}
    many = {f"gain {g:g}": (_chain(g, depth, width, seed), g) for g in gains}
    seen = {name: np.concatenate([[1.0], line]) for name, (line, _) in (one | many).items()}
    predicted = {name: base**layers for name, (_, base) in (one | many).items()}
    rows: list[Row] = [
        {"chain": name, "layer": int(layer), "seen": float(line[layer]), "predicted": float(predicted[name][layer])}
        for name, line in seen.items()
        for layer in layers
    ]
    ends = "; ".join(f"{name}: {line[-1]:.2g} (predicted {predicted[name][-1]:.2g})" for name, line in seen.items())
    sentence = f"After {depth} layers a signal of size 1 has the size: {ends}."
    panels = {"one weight a layer": list(one), f"random matrices, {width} x {width}": list(many)}
    return Told(rows, sentence, partial(_draw, panels, seen, predicted))


def _draw(panels: dict[str, list[str]], seen: dict[str, Array], predicted: dict[str, Array], figure: "Figure") -> None:
    for axes, (title, names) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for place, name in enumerate(names):
            axes.plot(seen[name], color=hue(place), label=name, linewidth=2)
            axes.plot(predicted[name], color="black", linestyle=":", linewidth=1.2)
        axes.set(yscale="log", title=title, xlabel="layer", ylabel="size of the signal; dotted: predicted")
        axes.legend(frameon=False)


def _chain(gain: float, depth: int, width: int, seed: int) -> Array:
    """Root mean square of the signal behind each layer, over that of the input, which is Gaussian."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=width)
    first, sizes = np.sqrt(np.mean(x**2)), []
    for _ in range(depth):
        x = rng.normal(0, gain / np.sqrt(width), (width, width)) @ x
        sizes.append(np.sqrt(np.mean(x**2)) / first)
    return np.array(sizes)
