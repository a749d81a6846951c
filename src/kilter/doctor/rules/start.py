"""Rules on the untrained network: how signals and gradients change with depth, against what the weights were drawn for."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kilter.doctor.anatomy import Organ
from kilter.doctor.chart import Chart, Start
from kilter.doctor.rule import Sign, rule
from kilter.doctor.words import Cause, Severity, Symptom

Array = np.ndarray[Any, Any]


def _start(chart: Chart) -> Start:
    assert chart.start is not None
    return chart.start


def _at(start: Start, organ: Organ | None) -> int | None:
    """Where the vitals of a layer stand."""
    place = None if organ is None else organ.path
    return start.places.signals.index(place) if place in start.places.signals else None


def _of(chart: Chart, organs: tuple[Organ, ...], name: str) -> Array:
    """One vital of some layers, ``(seeds, layers)``."""
    start = _start(chart)
    chosen = [where for organ in organs if (where := _at(start, organ)) is not None]
    return np.asarray(getattr(start.vitals.signals, name))[:, chosen]


def _share(mask: Array) -> float:
    return float(np.mean(mask))


@rule(
    Symptom.SYMMETRIC_UNITS,
    Cause.BAD_INIT_SYMMETRY,
    source="Rumelhart, Hinton and Williams 1986: units that begin alike get equal gradients",
    remedies=("initializer",),
    needs="start",
)
def symmetric_units(chart: Chart, *, share: float = 0.5) -> Iterator[Sign]:
    """Share of the units of a hidden layer that begin with the same incoming weights as another unit of it."""
    hidden = chart.design.anatomy.hidden
    alike = _start(chart).alike[:, : len(hidden)]
    for column, organ in zip(alike.T, hidden, strict=False):
        if (column > share).any():
            showing = _share(column > share)
            yield Sign(float(column.mean()), share, "of the units", organ.label, showing, Severity.ERROR)
            return


@rule(
    Symptom.WEIGHTS_TOO_SMALL,
    Cause.BAD_INIT_TOO_SMALL,
    source="Glorot and Bengio 2010; He et al. 2015, section 2.2",
    remedies=("initializer", "batch_norm"),
    needs="start",
)
def weights_too_small(chart: Chart, *, strength: float = 0.3, fade: float = 0.05) -> Iterator[Sign]:
    """Standard deviation of the drawn weights over the one that keeps the signal through the activation behind them.

    Counts where it is below 0.3 on the (geometric) average of the layers and their product below 0.05, so that the signal fades; not
    behind norms, which scale it up again.
    """
    strengths = _scales(chart)
    if not strengths.size:
        return
    mean, product = np.exp(np.log(strengths).mean(1)), strengths.prod(1)
    found = (mean < strength) & (product < fade)
    if found.any():
        first = chart.design.anatomy.weighted[0].label
        others = (Cause.VANISHING_GRADIENT, Cause.LR_TOO_LOW)
        evidence = {"strength": strengths}
        yield Sign(
            float(np.median(mean)),
            strength,
            "of the matched std",
            first,
            _share(found),
            others=others,
            evidence=evidence,
        )


@rule(
    Symptom.WEIGHTS_TOO_LARGE,
    Cause.BAD_INIT_TOO_LARGE,
    source="Glorot and Bengio 2010; He et al. 2015, section 2.2",
    remedies=("initializer", "batch_norm"),
    needs="start",
)
def weights_too_large(chart: Chart, *, strength: float = 3.0) -> Iterator[Sign]:
    """The same ratio above 3, on the average of the layers: signals grow, or sit where activations saturate."""
    strengths = _scales(chart)
    if not strengths.size:
        return
    mean = np.exp(np.log(strengths).mean(1))
    found = mean > strength
    if found.any():
        first = chart.design.anatomy.weighted[0].label
        others = (Cause.SATURATED_ACTIVATION, Cause.EXPLODING_GRADIENT)
        evidence = {"strength": strengths}
        yield Sign(
            float(np.median(mean)),
            strength,
            "of the matched std",
            first,
            _share(found),
            others=others,
            evidence=evidence,
        )


def _scales(chart: Chart) -> Array:
    """Strength of the weights of the hidden layers and the head, without symmetric ones and those with a norm behind."""
    start, anatomy = _start(chart), chart.design.anatomy
    normed = [any(o.role == "norm" for o in anatomy.organs[w.index + 1 : w.index + 3]) for w in anatomy.weighted]
    strength = start.strength[:, [not n for n in normed]]
    return np.maximum(strength, 1e-6) if (start.alike[:, :-1] < 0.5).all() else np.zeros((len(strength), 0))


@rule(
    Symptom.EXPLODING_SIGNAL,
    Cause.EXPLODING_GRADIENT,
    source="Pascanu, Mikolov and Bengio 2013; Poole et al. 2016",
    remedies=("activation", "initializer", "batch_norm", "clip", "inputs"),
    needs="start",
)
def exploding_signal(chart: Chart, *, growth: float = 100.0) -> Iterator[Sign]:
    """Signal at the last layer with weights over the input's, and gradient at the first such layer over the last's.

    Both are about 1 with matched weights. Counts above 100, and where signals are not finite.
    """
    anatomy = chart.design.anatomy
    if len(anatomy.weighted) < 2:
        return
    forward, backward = _of(chart, anatomy.weighted, "rms"), _of(chart, anatomy.weighted, "backward")
    broken = (_of(chart, anatomy.organs, "nans") + _of(chart, anatomy.organs, "infs")).sum(1) > 0
    first = np.maximum(forward[:, 0], 1e-30)
    grown = np.maximum(forward[:, -1] / first, backward[:, 0] / np.maximum(backward[:, -1], 1e-30))
    found = broken | (grown > growth) | ~np.isfinite(grown)
    if found.any():
        bad = _growing(anatomy.hidden_activations)
        cause = Cause.EXPLODING_GRADIENT
        others = (Cause.BAD_ACTIVATION if bad else Cause.BAD_INIT_TOO_LARGE, Cause.UNNORMALISED_INPUT)
        evidence = {"forward": forward, "backward": backward}
        value = float(np.nanmedian(np.where(np.isfinite(grown), grown, 1e38)))
        yield Sign(value, growth, "times", "", _share(found), Severity.ERROR, cause, others, evidence=evidence)


def _growing(activations: tuple[Organ, ...]) -> bool:
    return any(type(organ.layer).__name__ == "Exponential" for organ in activations)


@rule(
    Symptom.DEAD_UNITS,
    Cause.DEAD_RELU,
    source="Lu, Shin, Su and Karniadakis 2019, Dying ReLU and initialization; dead means never active on any row",
    remedies=("activation", "initializer", "learning_rate", "inputs", "batch_norm"),
    needs="start",
)
def born_dead(chart: Chart, *, share: float = 0.8) -> Iterator[Sign]:
    """Share of the units of a rectifier that are zero, with zero slope, on every row of the first batch; above 0.8 it counts."""
    rectifiers = tuple(o for o in chart.design.anatomy.hidden_activations if o.layer.mortal)  # type: ignore[attr-defined]
    dead = _of(chart, rectifiers, "dead")
    if not dead.size:
        return
    worst = dead.max(1)
    if (worst > share).any():
        place = rectifiers[int(dead.mean(0).argmax())].label
        others = (Cause.BAD_INIT_TOO_SMALL, Cause.UNNORMALISED_INPUT, Cause.VANISHING_GRADIENT)
        evidence = {"dead": dead}
        yield Sign(
            float(worst.mean()), share, "of the units", place, _share(worst > share), others=others, evidence=evidence
        )


@rule(
    Symptom.VANISHING_GRADIENT,
    Cause.VANISHING_GRADIENT,
    source="Hochreiter 1991; Glorot and Bengio 2010, figure 7",
    remedies=("activation", "initializer", "batch_norm", "residual", "depth"),
    needs="start",
)
def vanishing_gradient(chart: Chart, *, ratio: float = 1e-2, layers: int = 3) -> Iterator[Sign]:
    """Back-propagated signal at the first layer with weights over that at the last; with matched weights about 1.

    Taken between hidden layers, so that the loss does not matter. Counts below 0.01 in networks of three layers or more.
    """
    weighted = chart.design.anatomy.weighted
    backward = _of(chart, weighted, "backward")
    if backward.shape[1] < layers:
        return
    kept = backward[:, 0] / np.maximum(backward[:, -1], 1e-30)
    found = (kept < ratio) & np.isfinite(kept)
    if found.any():
        others = (Cause.DEAD_RELU, Cause.BAD_INIT_TOO_SMALL)
        evidence = {"backward": backward}
        yield Sign(
            float(np.median(kept)), ratio, "kept", weighted[0].label, _share(found), others=others, evidence=evidence
        )


@rule(
    Symptom.SATURATED_UNITS,
    Cause.SATURATED_ACTIVATION,
    source="Glorot and Bengio 2010, section 3; the activation's own derivative below 5 % of its largest",
    remedies=("inputs", "initializer", "activation", "batch_norm"),
    needs="start",
)
def saturated_units(chart: Chart, *, share: float = 0.5) -> Iterator[Sign]:
    """Share of the inputs of a hidden activation at which its derivative is below 5 % of its largest, rectifiers' zeros aside."""
    activations = chart.design.anatomy.hidden_activations
    saturated = np.nan_to_num(_of(chart, activations, "saturated"))
    if not saturated.size:
        return
    worst = saturated.max(1)
    if (worst > share).any():
        place = activations[int(saturated.mean(0).argmax())].label
        cause = _of_scale(chart)
        others = tuple(
            c for c in (Cause.SATURATED_ACTIVATION, Cause.UNNORMALISED_INPUT, Cause.BAD_INIT_TOO_LARGE) if c != cause
        )
        yield Sign(
            float(worst.mean()), share, "of the values", place, _share(worst > share), cause=cause, others=others,
            evidence={"saturated": saturated},
        )  # fmt: skip


def _of_scale(chart: Chart) -> Cause:
    """What pushes values into saturation: inputs or weights."""
    if chart.facts is not None and chart.facts.size > 5.0:
        return Cause.UNNORMALISED_INPUT
    scales = _scales(chart)
    large = scales.size and float(np.exp(np.log(scales).mean())) > 3.0
    return Cause.BAD_INIT_TOO_LARGE if large else Cause.SATURATED_ACTIVATION


@rule(
    Symptom.RANK_COLLAPSE,
    Cause.RANK_COLLAPSE,
    source="Poole et al. 2016; Schoenholz et al. 2017, Deep information propagation",
    remedies=("batch_norm", "residual", "initializer", "activation"),
    needs="start",
)
def rank_collapse(chart: Chart, *, alike: float = 0.999, layers: int = 5) -> Iterator[Sign]:
    """Mean cosine between the signals of different rows at the last hidden layer, in networks of five layers or more."""
    hidden = chart.design.anatomy.hidden
    examples = _of(chart, hidden, "examples")
    if examples.shape[1] < layers:
        return
    found = (examples[:, -1] > alike) & (examples[:, 0] < alike)
    if found.any():
        others = (Cause.VANISHING_GRADIENT,)
        value = float(np.median(examples[:, -1]))
        yield Sign(
            value, alike, "cosine", hidden[-1].label, _share(found), others=others, evidence={"examples": examples}
        )


@rule(
    Symptom.FROZEN_LAYER,
    Cause.UNUSED_LAYER,
    source="follows from the update: no gradient, no change",
    remedies=("initializer", "activation"),
    needs="start",
)
def frozen_layer(chart: Chart) -> Iterator[Sign]:
    """The gradient of all of a layer's weights is exactly zero on the first batch, in every seed."""
    start = _start(chart)
    gradient = np.asarray(start.vitals.weights.gradient)
    for column, place in zip(gradient.T, start.places.weights, strict=True):
        if place.endswith("kernel") and (column == 0).all():
            yield Sign(0.0, 0.0, "gradient", f"net.{place}", others=(Cause.DEAD_RELU, Cause.VANISHING_GRADIENT))
            return
