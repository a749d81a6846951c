"""What a chain of layers does to the size of a signal."""

from typing import TYPE_CHECKING, Any

import numpy as np

from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment

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
    lines = {f"weight {weight:g}": (np.full(depth, weight).cumprod(), weight) for weight in scalars}
    lines |= {f"matrices, gain {g:g}": (_chain(g, depth, width, seed), g) for g in gains}
    seen = {name: np.concatenate([[1.0], line]) for name, (line, _) in lines.items()}
    predicted = {name: base**layers for name, (_, base) in lines.items()}
    rows: list[Row] = [
        {
            "chain": name,
            "layer": int(layer),
            "seen": float(seen[name][layer]),
            "predicted": float(predicted[name][layer]),
        }
        for name in lines
        for layer in layers
    ]
    ends = "; ".join(f"{name} {line[-1]:.2g}" for name, line in seen.items())
    sentence = f"After {depth} layers a signal of size 1 has the size: {ends}."

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for place, name in enumerate(lines):
            axes.plot(layers, seen[name], color=f"C{place}", label=name, linewidth=2)
            axes.plot(layers, predicted[name], color=f"C{place}", linestyle=":", linewidth=1.2)
        axes.set(yscale="log", xlabel="layer", ylabel="size of the signal; dotted: predicted")
        axes.legend(frameon=False)

    return Told(rows, sentence, draw)


def _chain(gain: float, depth: int, width: int, seed: int) -> Array:
    """Root mean square of the signal behind each layer, over that of the input, which is Gaussian."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=width)
    first, sizes = np.sqrt(np.mean(x**2)), []
    for _ in range(depth):
        x = rng.normal(0, gain / np.sqrt(width), (width, width)) @ x
        sizes.append(np.sqrt(np.mean(x**2)) / first)
    return np.array(sizes)
