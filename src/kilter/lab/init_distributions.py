"""What weights of several distributions do to a weighted sum of many inputs."""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.ridges import ridges
from kilter.lab.shades import hue
from kilter.nn.initializers import Initializer, Normal, TruncatedNormal, Uniform, VarianceScaling

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]

# Standard deviation of a standard normal cut at two standard deviations.
_CUT = 0.8796256610342398
_KINDS: dict[str, Initializer] = {
    "uniform in (-1, 1)": Uniform(1.0),
    "normal": Normal(1.0),
    "normal cut at 2": TruncatedNormal(_CUT),
    "normal / sqrt(n)": VarianceScaling(1.0, "in", "normal"),
}


@experiment
def init_distributions(
    *,
    draws: int = 10_000,
    inputs: tuple[int, ...] = (1, 4, 16, 64, 256, 1024),
    sums: int = 2000,
    seed: int = 0,
) -> Told:
    """How large is a weighted sum of many inputs, by how its weights were drawn?

    For independent weights w_i of mean zero and standard normal inputs x_i the sum a = w_1 x_1 + ... + w_n x_n has the
    standard deviation sqrt(n) std(w), and is nearly normal where n is large: P(|a| > 1) is then erfc(1 / (sqrt(2) std(a))).
    Only weights that shrink as 1 / sqrt(n) keep a sum of any length at the size of its inputs.

    Args:
        draws: weights in a histogram.
        inputs: n, the number of inputs of a sum.
        sums: weighted sums of each length, each with weights and inputs of its own; a longer sum goes on with a
            shorter one.
        seed: of weights and inputs.

    Source:
        LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.6.
    """
    at_least(1, draws=draws, inputs=inputs)
    at_least(2, sums=sums)
    shown = inputs[len(inputs) // 2]
    units = max(sums, -(-draws // shown))
    x = np.random.default_rng(seed).normal(size=(max(inputs), sums))
    most = {name: np.asarray(kind(jax.random.key(seed), (max(inputs), units))) for name, kind in _KINDS.items()}
    weights = {name: _fewer(_KINDS[name], every, shown).ravel()[:draws] for name, every in most.items()}
    added = {
        name: [(x[:n] * _fewer(_KINDS[name], every, n)[:, :sums]).sum(0) for n in inputs]
        for name, every in most.items()
    }
    rows = [_row(name, n, found) for name, own in added.items() for n, found in zip(inputs, own, strict=True)]
    draw = partial(_draw, weights, shown, inputs, added, rows)
    return Told(rows, _said([row for row in rows if row["inputs"] == max(inputs)]), draw, (10.5, 9.5))


def _fewer(kind: Initializer, most: Array, inputs: int) -> Array:
    """Weights of fewer inputs: by `Initializer.paddable` the corner of those of more, but for the spread."""
    return most[:inputs] * float(kind.std((inputs, most.shape[1])) / kind.std(most.shape))


def _row(name: str, inputs: int, found: Array) -> Row:
    """Sums of so many inputs, seen and predicted."""
    std = math.sqrt(inputs) * float(_KINDS[name].std((inputs, len(found))))
    return {
        "weights": name,
        "inputs": inputs,
        "std": float(found.std()),
        "std_predicted": std,
        "beyond_1": float(np.mean(np.abs(found) > 1)),
        "beyond_1_if_normal": math.erfc(1 / (math.sqrt(2) * std)),
    }


def _said(longest: list[Row]) -> str:
    sizes = ", ".join(f"{row['std']:.2g} ({row['weights']})" for row in longest)
    shares = ", ".join(f"{row['beyond_1']:.0%}" for row in longest)
    return (
        f"A sum of {longest[0]['inputs']} inputs of standard deviation 1 has the standard deviation {sizes}; "
        f"its size is above 1 in {shares} of the cases."
    )


def _draw(
    weights: dict[str, Array],
    shown: int,
    inputs: tuple[int, ...],
    added: dict[str, list[Array]],
    rows: list[Row],
    figure: "Figure",
) -> None:
    places = figure.subplot_mosaic([list("abcd"), list("efgh"), list("iijj")], height_ratios=[2, 3, 3])
    for place, (name, drawn) in enumerate(weights.items()):
        axes = places["abcd"[place]]
        axes.hist(drawn, bins=np.linspace(-3.5, 3.5, 106).tolist(), density=True, color=hue(place))
        axes.set_title(f"{name}, n = {shown}" if "n)" in name else name, fontsize=11)
        axes.set(xlabel="weight", xlim=(-3.5, 3.5))
    far = max(np.quantile(np.abs(found), 0.995) for own in added.values() for found in own)
    for place, own in zip("efgh", added.values(), strict=True):
        ridges(places[place], own, np.linspace(-far, far, 122), [f"n = {n}" for n in inputs])
        places[place].set(xlabel="sum", yticks=[])
    places["a"].set_ylabel(f"density of {len(next(iter(weights.values()))):,} draws")
    places["e"].set_ylabel("sums of n inputs")
    _lines(places["i"], rows, "std", "std of the sum")
    _lines(places["j"], rows, "beyond_1", "share with |sum| > 1")
    places["i"].set_yscale("log", base=2)
    places["i"].legend(frameon=False, fontsize=9)


def _lines(axes: Any, rows: list[Row], column: str, label: str) -> None:
    predicted, said = {"std": ("std_predicted", "predicted"), "beyond_1": ("beyond_1_if_normal", "if normal")}[column]
    for place, name in enumerate(_KINDS):
        own = sorted((row for row in rows if row["weights"] == name), key=lambda row: row["inputs"])
        n = [row["inputs"] for row in own]
        axes.plot(n, [row[column] for row in own], color=hue(place), marker="o", markersize=4, linewidth=0, label=name)
        axes.plot(n, [row[predicted] for row in own], color=hue(place), linewidth=1.4)
    axes.set_xscale("log", base=2)
    axes.set(xlabel="inputs n", ylabel=f"{label}; lines: {said}")
    axes.grid(alpha=0.25)
