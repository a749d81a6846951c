"""Softmax and its cross-entropy: temperature, surface, one-hot and smoothed targets, and logits beyond float32."""

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter import losses
from kilter.core.errors import InputError
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.shades import hue, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
Numbers = tuple[float, ...]
# Differences of two logits at which losses are drawn, and both logits of the surface.
_GAPS = np.linspace(-6, 12, 1801)
_SIDE = np.linspace(-6, 6, 121)
# Place of the right class among the logits.
_RIGHT = 1


@experiment
def softmax(
    *,
    logits: tuple[float, ...] = (3.0, 2.0, 1.0, 0.0, -1.0),
    temperatures: tuple[float, ...] = tuple(float(f"{each:.3g}") for each in np.geomspace(0.05, 50, 25)),
    smoothings: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2),
    largest: float = 1e4,
) -> Told:
    """What do temperature, smoothed labels and large logits do to softmax and its cross-entropy?

    softmax(o / T) goes from one-hot at the largest logit (T to 0) to all classes alike (T to infinity). The gradient of the
    cross-entropy is softmax(o) less the target: of one-hot targets it is never zero and pulls the logits apart without
    end; of targets smoothed by s the loss of two classes is lowest at the finite difference log((2 - s) / s). In float32
    exp(o) is infinite beyond o = 88.7 and a share below exp(-103) is 0, whereas logsumexp(o) - o[target], with the largest
    logit taken off first, is right at any size.

    Args:
        logits: whose probabilities are drawn over the temperature; the class of the second is the right one.
        temperatures: above 0.
        smoothings: shares of a target that are spread over both classes.
        largest: logit of the test of stability, from 1 on; a class that is wrong has it, the right one has minus it.

    Source: Bridle 1990; temperature: Hinton, Vinyals and Dean 2015, equation 1; smoothing: Szegedy et al. 2016, section 7.
    """
    at_least(0, temperatures=temperatures, smoothings=smoothings)
    at_least(1, largest=largest)
    if 0 in temperatures or max(smoothings) >= 1:
        raise InputError(
            f"temperatures must be above 0 and smoothings below 1, got {temperatures!r} and {smoothings!r}"
        )
    if len(logits) < 2:
        raise InputError(f"logits must be two or more, got {logits!r}")
    hot = np.array([_softmax(np.array(logits) / each) for each in temperatures])
    courses = np.array([_two_classes(_GAPS, each) for each in smoothings])
    sizes = np.geomspace(1, largest, 81)
    large = (sizes, *_large(sizes))
    by_temperature: list[Row] = [
        {"part": "temperature", "setting": t, "entropy": float(-(p * np.log(p.clip(1e-300))).sum()), "largest": p.max()}
        for t, p in zip(temperatures, hot, strict=True)
    ]
    by_class = _by_class(logits)
    by_smoothing: list[Row] = [
        {"part": "smoothing", "setting": s, "lowest_at": float(low) if s else np.inf, "predicted": _best(s)}
        for s, low in zip(smoothings, _GAPS[courses.argmin(1)], strict=True)
    ]
    by_size: list[Row] = [
        {"part": "size of logits", "setting": float(size), "kilter": float(a), "naive": float(b), "exact": float(c)}
        for size, a, b, c in zip(*large, strict=True)
    ]
    sentence = _said(by_temperature, by_class, by_smoothing, *large)
    draw = partial(_draw, (logits, temperatures, hot), by_class, (smoothings, courses), large)
    return Told(by_temperature + by_class + by_smoothing + by_size, sentence, draw, (12.5, 8))


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _by_class(logits: Numbers) -> list[Row]:
    """What Kilter's loss has of each class: probability, one-hot target and gradient."""
    target = np.eye(len(logits))[_RIGHT]
    loss = losses.SoftmaxCrossEntropy()
    gradient = jax.grad(lambda given: loss(given[None], jnp.array([_RIGHT])).sum())(jnp.asarray(logits, jnp.float32))
    shares = _softmax(np.array(logits))
    return [
        {"part": "one-hot", "setting": logit, "probability": p, "target": t, "gradient": g}
        for logit, p, t, g in zip(logits, shares.tolist(), target.tolist(), gradient.tolist(), strict=True)
    ]


def _best(smoothing: float) -> float:
    """Difference of two logits at which the loss is lowest."""
    return float(np.log((2 - smoothing) / smoothing)) if smoothing else float("inf")


def _two_classes(gaps: Array, smoothing: float) -> Array:
    """Kilter's loss of logits ``(gap, 0)`` where the first class is right."""
    return _kilter(np.stack([gaps, np.zeros_like(gaps)], 1), np.zeros(len(gaps), int), smoothing)


def _kilter(logits: Array, targets: Array, smoothing: float = 0.0) -> Array:
    loss = losses.SoftmaxCrossEntropy(smoothing)
    return np.asarray(jax.jit(type(loss).__call__)(loss, jnp.asarray(logits, jnp.float32), jnp.asarray(targets)))


def _large(sizes: Array) -> tuple[Array, Array, Array]:
    """Loss of logits (-size, 0, size) with the first class right: Kilter's, by the formula in float32, and exactly."""
    logits = sizes[:, None] * np.array([-1.0, 0.0, 1.0])
    with np.errstate(all="ignore"):
        powers = np.exp(logits.astype(np.float32))
        naive = -np.log(powers[:, 0] / powers.sum(1))
    exact = 2 * sizes + np.log1p(np.exp(-sizes) + np.exp(-2 * sizes))
    return _kilter(logits, np.zeros(len(sizes), int)), naive, exact


def _said(
    by_temperature: list[Row],
    by_class: list[Row],
    by_smoothing: list[Row],
    sizes: Array,
    stable: Array,
    naive: Array,
    exact: Array,
) -> str:
    cold, warm, right = by_temperature[0], by_temperature[-1], by_class[_RIGHT]
    smoothed = [row for row in by_smoothing if row["setting"]][-1:]
    told = "".join(
        f"; with smoothing {row['setting']:g} the loss is lowest at a difference of {row['lowest_at']:.2f}"
        for row in smoothed
    )
    failing = sizes[~np.isfinite(naive)]
    lost = f"fails from {failing[0]:.0f} on" if len(failing) else "holds"
    return (
        f"The likeliest class has {cold['largest']:.3f} at temperature {cold['setting']:g} and {warm['largest']:.3f} at "
        f"{warm['setting']:g}; a class with {right['probability']:.2f} and the one-hot target 1 gets the gradient "
        f"{right['gradient']:.2f}{told}; for logits up to {sizes[-1]:g} the plain formula in float32 {lost}, and Kilter's "
        f"loss is within {np.abs(stable / exact - 1).max():.1g} of the exact one."
    )


def _draw(
    hot: tuple[Numbers, Numbers, Array],
    by_class: list[Row],
    smooth: tuple[Numbers, Array],
    large: tuple[Array, ...],
    figure: "Figure",
) -> None:
    places = figure.subplot_mosaic([list("aabbcc"), list("dddeee")])
    _draw_temperature(places["a"], *hot)
    _draw_surface(places["b"])
    _draw_classes(places["c"], by_class)
    _draw_smoothing(places["d"], *smooth)
    _draw_sizes(places["e"], *large)


def _draw_temperature(axes: "Axes", logits: Numbers, temperatures: Numbers, probabilities: Array) -> None:
    for place, color in enumerate(shades(len(logits))):
        axes.plot(temperatures, probabilities[:, place], color=color, label=f"{logits[place]:g}", linewidth=1.8)
    axes.axhline(1 / len(logits), color="0.6", linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel="temperature", ylabel="probability", title="from one-hot to all alike")
    axes.legend(frameon=False, title="logit")


def _draw_surface(axes: "Axes") -> None:
    first, second = np.meshgrid(_SIDE, _SIDE)
    height = _two_classes((first - second).ravel(), 0.0).reshape(first.shape)
    drawn = axes.contourf(first, second, height, 24, cmap="viridis")
    axes.figure.colorbar(drawn, ax=axes, label="cross-entropy, nats", ticks=range(0, 13, 2))
    axes.set(xlabel="logit of the right class", ylabel="logit of the other class", aspect="equal")
    axes.set_title("surface of the loss, one-hot target")


def _draw_classes(axes: "Axes", by_class: list[Row]) -> None:
    places = np.arange(len(by_class))
    for place, name in enumerate(("probability", "target", "gradient")):
        heights = [row[name] for row in by_class]
        axes.bar(places + 0.27 * (place - 1), heights, 0.25, color=hue(place), label=name)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set_xticks(places, [f"{row['setting']:g}" for row in by_class])
    axes.set(xlabel="class, by its logit", title="gradient: softmax less one-hot")
    axes.legend(frameon=False)


def _draw_sizes(axes: "Axes", sizes: Array, stable: Array, naive: Array, _: Array) -> None:
    axes.plot(sizes, stable, color=hue(0), linewidth=1.8, label="Kilter's loss")
    finite = np.where(np.isfinite(naive), naive, np.nan)
    axes.plot(sizes, finite, color=hue(1), linewidth=4, alpha=0.6, label="plain formula in float32")
    failing = sizes[~np.isfinite(naive)]
    if len(failing):
        axes.axvline(failing[0], color=hue(1), linestyle=":", label=f"not finite from {failing[0]:.0f} on")
    axes.set(xscale="log", yscale="log", xlabel="size of the logits", ylabel="cross-entropy, nats", title="stability")
    axes.legend(frameon=False)


def _draw_smoothing(axes: "Axes", smoothings: Numbers, courses: Array) -> None:
    for color, share, course in zip(shades(len(smoothings)), smoothings, courses, strict=True):
        label = f"{share:g}" if share else "0 (one-hot)"
        axes.plot(_GAPS, course, color=color, label=label, linewidth=1.8)
        if share:
            axes.plot(_best(share), course.min(), color=color, marker="o")
    axes.set(xlabel="logit of the right class less that of the other", ylabel="cross-entropy, nats", ylim=(0, 4))
    axes.set_title("one-hot and smoothed targets")
    axes.legend(frameon=False, title="smoothing; dot: lowest")
