"""What weights of several distributions do to a weighted sum of many inputs."""

import math
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
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
    weights, rows = {}, []
    for name, kind in _KINDS.items():
        most = np.asarray(kind(jax.random.key(seed), (max(inputs), units)))
        weights[name] = _fewer(kind, most, shown).ravel()[:draws]
        rows += [_row(name, x[:n], _fewer(kind, most, n)[:, :sums]) for n in inputs]
    longest = [row for row in rows if row["inputs"] == max(inputs)]
    sizes = ", ".join(f"{row['std']:.2g} ({row['weights']})" for row in longest)
    shares = ", ".join(f"{row['beyond_1']:.0%}" for row in longest)
    sentence = (
        f"A sum of {max(inputs)} inputs of standard deviation 1 has the standard deviation {sizes}; "
        f"its size is above 1 in {shares} of the cases."
    )

    def draw(figure: "Figure") -> None:
        places = figure.subplot_mosaic([["a", "b", "c", "d"], ["e", "e", "f", "f"]], height_ratios=[2, 3])
        _histograms([places[each] for each in "abcd"], weights, shown)
        _lines(places["e"], rows, "std", "std of the sum")
        _lines(places["f"], rows, "beyond_1", "share with |sum| > 1")
        places["e"].set_yscale("log", base=2)
        places["e"].legend(frameon=False, fontsize=9)

    return Told(rows, sentence, draw, (10.0, 6.0))


def _fewer(kind: Initializer, most: Array, inputs: int) -> Array:
    """Weights of fewer inputs: by `Initializer.paddable` the corner of those of more, but for the spread."""
    return most[:inputs] * float(kind.std((inputs, most.shape[1])) / kind.std(most.shape))


def _row(name: str, x: Array, weights: Array) -> Row:
    """Sums of so many inputs, seen and predicted."""
    inputs, found = len(x), (weights * x).sum(0)
    std = math.sqrt(inputs) * float(_KINDS[name].std(weights.shape))
    return {
        "weights": name,
        "inputs": inputs,
        "std": float(found.std()),
        "std_predicted": std,
        "beyond_1": float(np.mean(np.abs(found) > 1)),
        "beyond_1_if_normal": math.erfc(1 / (math.sqrt(2) * std)),
    }


def _histograms(places: Any, weights: dict[str, Array], inputs: int) -> None:
    for place, (axes, (name, drawn)) in enumerate(zip(places, weights.items(), strict=True)):
        axes.hist(drawn, bins=np.linspace(-3.5, 3.5, 106), density=True, color=f"C{place}")
        axes.set(title=f"{name}, n = {inputs}" if "n)" in name else name, xlabel="weight", xlim=(-3.5, 3.5))
    places[0].set_ylabel("density")


def _lines(axes: Any, rows: list[Row], column: str, label: str) -> None:
    predicted, said = {"std": ("std_predicted", "predicted"), "beyond_1": ("beyond_1_if_normal", "if normal")}[column]
    for place, name in enumerate(_KINDS):
        own = sorted((row for row in rows if row["weights"] == name), key=lambda row: row["inputs"])
        n = [row["inputs"] for row in own]
        axes.plot(n, [row[column] for row in own], color=f"C{place}", marker="o", markersize=4, linewidth=0, label=name)
        axes.plot(n, [row[predicted] for row in own], color=f"C{place}", linewidth=1.4)
    axes.set_xscale("log", base=2)
    axes.set(xlabel="inputs n", ylabel=f"{label}; lines: {said}")
    axes.grid(alpha=0.25)
