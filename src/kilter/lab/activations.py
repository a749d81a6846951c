"""Signals and gradients in a deep network before training, layer by layer."""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kilter import nn
from kilter.core import keys
from kilter.core.errors import InputError
from kilter.lab import words
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.ridges import ridges
from kilter.vitals.signal import rms

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
# How near to an end of its activation a signal counts as at it.
_NEAR = 0.05


class Passed(NamedTuple):
    """What went through a network: one array ``(rows, units)`` a layer, activations and gradients by them."""

    layer: nn.Layer
    signals: list[Array]
    gradients: list[Array]


@experiment
def activations(
    *,
    pairs: tuple[str, ...] = (
        *("sigmoid:normal(1)", "sigmoid:normal(0.01)", "sigmoid:glorot_normal"),
        *("relu:normal(0.01)", "relu:glorot_normal", "relu:he_normal"),
    ),
    layers: int = 5,
    units: int = 100,
    rows: int = 1000,
    seed: int = 0,
) -> Told:
    """What do signals and gradients look like in a deep network before training, by activation and initializer?

    Weights that are too large drive a sigmoid to its ends, where its slope is nearly zero; weights that are too small make
    all rows look the same and shrink the gradient at every layer. Variance 2 / (fan_in + fan_out) keeps signals and
    gradients where the activation is nearly linear with slope 1 (Xavier), 2 / fan_in behind ReLU, which takes half of the
    second moment (He).

    Args:
        pairs: words for an activation and an initializer with a colon between.
        layers: dense layers, each with its activation.
        units: of each layer, and of the input.
        rows: of standard normal input; as many gradients come in at the output.
        seed: of weights, input and gradients.

    Source:
        Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward networks, section 4.2; He, Zhang,
        Ren and Sun 2015, Delving Deep into Rectifiers, section 2.2.
    """
    at_least(1, layers=layers, units=units)
    at_least(2, rows=rows)
    words.some(pairs=pairs)
    read = {pair: _read(pair) for pair in pairs}
    passed = {pair: _pass(*parts, layers, units, rows, seed) for pair, parts in read.items()}
    table = [row for pair, each in passed.items() for row in _rows(pair, each)]
    sentence = f"Over {layers} layers {'; '.join(_said(pair, table) for pair in pairs)}."

    def draw(figure: "Figure") -> None:
        both = figure.subplots(2, len(pairs), squeeze=False)
        for column, (pair, each) in enumerate(passed.items()):
            both[0, column].set_title(pair.replace(":", "\n"), fontsize=10)
            _signals(both[0, column], each, list(passed.values()))
            _gradients(both[1, column], each, list(passed.values()))
        both[0, 0].set_ylabel("activations by layer")
        both[1, 0].set_ylabel("gradients by layer")

    return Told(table, sentence, draw, (max(4.0, 2.0 * len(pairs)), 1.2 + 0.56 * 2 * max(layers, 3)))


def _read(pair: str) -> tuple[nn.Layer, nn.initializers.Initializer]:
    activation, colon, initializer = pair.partition(":")
    if not colon:
        raise InputError(f"pairs must be words with a colon between, such as 'relu:he_normal', got {pair!r}")
    layer = words.activation(activation)
    return layer, words.initializer(initializer, layer)


def _pass(
    layer: nn.Layer, initializer: nn.initializers.Initializer, layers: int, units: int, rows: int, seed: int
) -> Passed:
    """Noise through the network, and other noise back."""
    key = jax.random.key(seed)
    x, back = (jax.random.normal(keys.named(key, name), (rows, units)) for name in ("input", "gradient"))
    net = nn.Chain(*(nn.Chain(nn.Dense(units, initializer=initializer), layer) for _ in range(layers)))
    params, state = net.init(key, (units,))

    def forward(added: Array, x: Any) -> tuple[Any, list[Any]]:
        seen = []
        for block, p, s, zero in zip(net.layers, params, state, added, strict=True):
            x = block.apply(p, s, x)[0] + zero
            seen.append(x)
        return x, seen

    @jax.jit
    def run(x: Any, back: Any) -> tuple[list[Any], Any]:
        _, pull, seen = jax.vjp(lambda added: forward(added, x), jnp.zeros((layers, rows, units)), has_aux=True)
        return seen, pull(back)[0]

    signals, gradients = jax.device_get(run(x, back))
    return Passed(
        layer, list(np.asarray(signals, float)), list(np.asarray(gradients, float))
    )  # squares of float32 overflow


def _rows(pair: str, passed: Passed) -> list[Row]:
    bounds = np.array([each for each in getattr(passed.layer, "bounds", ()) if np.isfinite(each)])
    return [
        {
            "pair": pair,
            "layer": place,
            "mean": float(y.mean()),
            "std": float(y.std()),
            "second_moment": float(np.mean(y**2)),
            "at_ends": float((np.abs(y[..., None] - bounds) < _NEAR).any(-1).mean()),
            "zero": float((y == 0).mean()),
            "gradient_rms": float(rms(gradient)),
        }
        for place, (y, gradient) in enumerate(zip(passed.signals, passed.gradients, strict=True), 1)
    ]


def _said(pair: str, table: list[Row]) -> str:
    own = [row for row in table if row["pair"] == pair]
    first, last = own[0], own[-1]
    kept = first["gradient_rms"] / last["gradient_rms"] if last["gradient_rms"] else float("nan")
    bounded = np.isfinite(getattr(words.activation(pair.partition(":")[0]), "bounds", np.inf)).all()
    ends = f" ({last['at_ends']:.0%} within {_NEAR:g} of its ends)" if bounded else ""
    return f"{pair} ends with std {last['std']:.2g}{ends} and passes {kept:.2g} of the gradient back"


def _signals(axes: Any, passed: Passed, every: list[Passed]) -> None:
    """Activations of a network, on one scale with those of the same activation."""
    alike = np.concatenate([np.ravel(y) for each in every if each.layer == passed.layer for y in each.signals])
    alike = alike[np.isfinite(alike)]
    low, high = np.quantile(alike, (0.002, 0.998)) if len(alike) else (0.0, 0.0)
    margin = 0.03 * (high - low) or 1.0
    told = [f"std {y.std():.2g}" for y in passed.signals]
    ridges(axes, passed.signals, np.linspace(low - margin, high + margin, 61), told)
    axes.set_xlabel("activation")


def _gradients(axes: Any, passed: Passed, every: list[Passed]) -> None:
    """Sizes of gradients of a network, on one scale with all others."""
    sizes = [[_log(g) for g in each.gradients] for each in every]
    ends = [np.quantile(g, (0.05, 0.999)) for each in sizes for g in each if len(g)] or [np.array([-1.0, 1.0])]
    low, high = np.min(ends), np.max(ends)
    own = [_log(g) for g in passed.gradients]
    ridges(axes, own, np.linspace(low, high + 0.2, 61), [f"rms {rms(g):.2g}" for g in passed.gradients])
    axes.set_xlabel("log10 |gradient|")


def _log(values: Array) -> Array:
    """Powers of ten of the sizes of all that is finite and not zero."""
    return np.log10(np.abs(values[np.isfinite(values) & (values != 0)]))
