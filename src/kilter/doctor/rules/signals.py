"""Rules on signals and gradients of the untrained network: how they change from layer to layer."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import Array, middle, share, start_of, vital
from kilter.doctor.rules.weights import average, drawn
from kilter.doctor.words import Cause, Severity, Symptom
from kilter.nn.exponentials import Exponential


@rule(
    Symptom.EXPLODING_SIGNAL,
    Cause.EXPLODING_GRADIENT,
    source="Pascanu, Mikolov and Bengio 2013; Poole et al. 2016",
    remedies=("activation", "initializer", "batch_norm", "clip", "inputs"),
    needs="start",
)
def exploding_signal(chart: Chart, *, growth: float = 100.0, strong: float = 3.0) -> Iterator[Sign]:
    """Signal at the last layer with weights over that at the first, and gradient at the first over that at the last.

    Both are about 1 with matched weights. Counts above 100, and where signals are not finite. The cause is the weights
    where they are three times as large as matched ones.
    """
    anatomy = chart.design.anatomy
    if len(anatomy.weighted) < 2:
        return
    forward, backward = vital(chart, anatomy.weighted, "rms"), vital(chart, anatomy.weighted, "backward")
    broken = (vital(chart, anatomy.organs, "nans") + vital(chart, anatomy.organs, "infs")).sum(1) > 0
    grown = np.maximum(_ratio(forward[:, -1], forward[:, 0]), _ratio(backward[:, 0], backward[:, -1]))
    found = broken | (grown > growth) | ~np.isfinite(grown)
    if found.any():
        steep = any(isinstance(organ.layer, Exponential) for organ in anatomy.hidden_activations)
        large = not steep and middle(average(drawn(chart))) > strong
        causes = (Cause.BAD_INIT_TOO_LARGE, Cause.EXPLODING_GRADIENT)
        cause, other = causes if large else (causes[1], Cause.BAD_ACTIVATION if steep else causes[0])
        evidence = {"forward": forward, "backward": backward}
        others = (other, Cause.UNNORMALISED_INPUT)
        value = middle(np.where(broken, np.inf, grown)[found])
        yield Sign(value, growth, "times", "", share(found), Severity.ERROR, cause, others, evidence=evidence)


def _ratio(one: Array, other: Array) -> Array:
    return one / np.maximum(other, 1e-30)


@rule(
    Symptom.VANISHING_GRADIENT,
    Cause.VANISHING_GRADIENT,
    source="Hochreiter 1991; Glorot and Bengio 2010, figure 7",
    remedies=("activation", "initializer", "batch_norm", "residual", "depth"),
    needs="start",
)
def vanishing_gradient(chart: Chart, *, kept: float = 1e-2, layers: int = 3) -> Iterator[Sign]:
    """Back-propagated signal at the first layer with weights over that at the last; with matched weights about 1.

    So the loss itself does not matter. Counts below 0.01 in networks of three layers or more.
    """
    weighted = chart.design.anatomy.weighted
    backward = vital(chart, weighted, "backward")
    if backward.shape[1] < layers:
        return
    left = _ratio(backward[:, 0], backward[:, -1])
    found = (left < kept) & np.isfinite(left)
    if found.any():
        others = (Cause.DEAD_RELU, Cause.BAD_INIT_TOO_SMALL)
        evidence = {"backward": backward}
        place = weighted[0].label
        yield Sign(
            middle(left[found]), kept, "of the last layer's", place, share(found), others=others, evidence=evidence
        )


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
    examples = vital(chart, hidden, "examples")
    if examples.shape[1] < layers:
        return
    found = (examples[:, -1] > alike) & (examples[:, 0] < alike)
    if found.any():
        others = (Cause.VANISHING_GRADIENT,)
        value, place = float(np.median(examples[found, -1])), hidden[-1].label
        evidence = {"examples": examples}
        yield Sign(value, alike, "mean cosine", place, share(found), others=others, evidence=evidence)


@rule(
    Symptom.FROZEN_LAYER,
    Cause.UNUSED_LAYER,
    source="follows from the update: no gradient, no change",
    remedies=("initializer", "activation"),
    needs="start",
)
def frozen_layer(chart: Chart) -> Iterator[Sign]:
    """The gradient of all of a layer's weights is exactly zero on the first batch, in every seed."""
    start = start_of(chart)
    gradient = np.asarray(start.vitals.weights.gradient)
    for column, place in zip(gradient.T, start.places.weights, strict=True):
        if place.endswith("kernel") and (column == 0).all():
            yield Sign(0.0, 0.0, place=f"net.{place}", others=(Cause.DEAD_RELU, Cause.VANISHING_GRADIENT))
            return
