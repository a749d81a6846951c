"""Softmax and its cross-entropy: temperature, surface, smoothed targets, and logits beyond what float32 holds."""

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter import losses
from kilter.core.errors import InputError
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.shades import shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
Numbers = tuple[float, ...]
# Differences of two logits at which losses are drawn, and both logits of the surface.
_GAPS = np.linspace(-6, 12, 1801)
_SIDE = np.linspace(-6, 6, 121)


@experiment
def softmax(
    *,
    logits: tuple[float, ...] = (3.0, 2.0, 1.0, 0.0, -1.0),
    temperatures: tuple[float, ...] = tuple(float(f"{each:.3g}") for each in np.geomspace(0.05, 50, 25)),
    smoothings: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2),
    largest: float = 1e4,
) -> Told:
    """What do temperature, smoothed labels and large logits do to softmax and its cross-entropy?

    softmax(o / T) goes from the largest logit alone (T to 0) to all classes alike (T to infinity). One-hot targets pull
    the logits apart without end; of targets smoothed by s the loss of two classes is lowest at the finite difference
    log((2 - s) / s). In float32 exp(o) is infinite beyond o = 88.7 and a share below exp(-103) is 0, whereas
    logsumexp(o) - o[target], with the largest logit taken off first, is right at any size.

    Args:
        logits: whose probabilities are drawn over the temperature.
        temperatures: above 0.
        smoothings: shares of a target that are spread over both classes.
        largest: logit of the test of stability, from 1 on; a class that is wrong has it, the right one has minus it.

    Source: Bridle 1990; temperature: Hinton, Vinyals and Dean 2015, equation 1; smoothing: Szegedy et al. 2016, section 7.
    """
    at_least(0, temperatures=temperatures, smoothings=smoothings)
    at_least(1, largest=largest)
    if 0 in temperatures or max(smoothings) >= 1 or len(logits) < 2:
        raise InputError(
            f"temperatures must be above 0, smoothings below 1 and logits two or more, "
            f"got {temperatures!r}, {smoothings!r} and {logits!r}"
        )
    hot = np.array([_softmax(np.array(logits) / each) for each in temperatures])
    courses = np.array([_two_classes(_GAPS, each) for each in smoothings])
    lowest = _GAPS[courses.argmin(1)]
    sizes = np.geomspace(1, largest, 81)
    stable, naive, exact = _large(sizes)
    by_temperature: list[Row] = [
        {"part": "temperature", "setting": t, "entropy": float(-(p * np.log(p.clip(1e-300))).sum()), "largest": p.max()}
        for t, p in zip(temperatures, hot, strict=True)
    ]
    by_smoothing: list[Row] = [
        {"part": "smoothing", "setting": s, "lowest_at": float(low) if s else np.inf, "predicted": _best(s)}
        for s, low in zip(smoothings, lowest, strict=True)
    ]
    by_size: list[Row] = [
        {"part": "size of logits", "setting": float(size), "kilter": float(a), "naive": float(b), "exact": float(c)}
        for size, a, b, c in zip(sizes, stable, naive, exact, strict=True)
    ]
    sentence = _said(by_temperature, by_smoothing, sizes, stable, naive, exact)
    draw = partial(_draw, (logits, temperatures, hot), (smoothings, courses), (sizes, stable, naive))
    return Told(by_temperature + by_smoothing + by_size, sentence, draw, (11, 8))


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


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
    by_temperature: list[Row], by_smoothing: list[Row], sizes: Array, stable: Array, naive: Array, exact: Array
) -> str:
    cold, warm = by_temperature[0], by_temperature[-1]
    smoothed = [row for row in by_smoothing if row["setting"]][-1:]
    told = "".join(
        f"; with smoothing {row['setting']:g} the loss is lowest at a difference of {row['lowest_at']:.2f}"
        for row in smoothed
    )
    failing = sizes[~np.isfinite(naive)]
    lost = f"fails from {failing[0]:.0f} on" if len(failing) else "holds"
    return (
        f"The likeliest class has {cold['largest']:.3f} at temperature {cold['setting']:g} and {warm['largest']:.3f} at "
        f"{warm['setting']:g}{told}; for logits up to {sizes[-1]:g} the plain formula in float32 {lost}, and Kilter's loss "
        f"is within {np.abs(stable / exact - 1).max():.1g} of the exact one."
    )


def _draw(
    hot: tuple[Numbers, Numbers, Array],
    smooth: tuple[Numbers, Array],
    large: tuple[Array, Array, Array],
    figure: "Figure",
) -> None:
    (temperature, surface), (smoothing, size) = figure.subplots(2, 2)
    logits, temperatures, probabilities = hot
    for place, color in enumerate(shades(len(logits))):
        temperature.plot(temperatures, probabilities[:, place], color=color, label=f"{logits[place]:g}", linewidth=1.8)
    temperature.axhline(1 / len(logits), color="0.6", linestyle=":", linewidth=1)
    temperature.set(xscale="log", xlabel="temperature", ylabel="probability")
    temperature.legend(frameon=False, title="logit")
    first, second = np.meshgrid(_SIDE, _SIDE)
    height = _two_classes((first - second).ravel(), 0.0).reshape(first.shape)
    drawn = surface.contourf(first, second, height, 24, cmap="viridis")
    figure.colorbar(drawn, ax=surface, label="cross-entropy, nats", ticks=range(0, 13, 2))
    surface.set(xlabel="logit of the right class", ylabel="logit of the other class", aspect="equal")
    _draw_smoothing(*smooth, smoothing)
    sizes, stable, naive = large
    size.plot(sizes, stable, color="C0", linewidth=1.8, label="Kilter's loss")
    finite = np.where(np.isfinite(naive), naive, np.nan)
    size.plot(sizes, finite, color="C1", linewidth=4, alpha=0.6, label="plain formula in float32")
    failing = sizes[~np.isfinite(naive)]
    if len(failing):
        size.axvline(failing[0], color="C1", linestyle=":", label=f"not finite from {failing[0]:.0f} on")
    size.set(xscale="log", yscale="log", xlabel="size of the logits", ylabel="cross-entropy, nats")
    size.legend(frameon=False)


def _draw_smoothing(smoothings: Numbers, courses: Array, axes: "Axes") -> None:
    for color, share, course in zip(shades(len(smoothings)), smoothings, courses, strict=True):
        axes.plot(_GAPS, course, color=color, label=f"{share:g}", linewidth=1.8)
        if share:
            axes.plot(_best(share), course.min(), color=color, marker="o")
    axes.set(xlabel="logit of the right class less that of the other", ylabel="cross-entropy, nats", ylim=(0, 4))
    axes.legend(frameon=False, title="smoothing; dot: lowest")
