"""Rules on the weights as they were drawn: alike, too small, too large, and what the loss begins with."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.anatomy import Organ
from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import Array, middle, share, start_of
from kilter.doctor.words import Cause, Severity, Symptom


@rule(
    Symptom.SYMMETRIC_UNITS,
    Cause.BAD_INIT_SYMMETRY,
    source="Rumelhart, Hinton and Williams 1986: units that begin alike get equal gradients",
    remedies=("initializer",),
    needs="start",
)
def symmetric_units(chart: Chart, *, part: float = 0.5) -> Iterator[Sign]:
    """Share of the units of a hidden layer that begin with the same incoming weights as another unit of it."""
    hidden = chart.design.anatomy.hidden
    alike = start_of(chart).alike[:, : len(hidden)]
    for column, organ in zip(alike.T, hidden, strict=True):
        found = column > part
        if found.any():
            yield Sign(middle(column[found]), part, "of the units", organ.label, share(found), Severity.ERROR)
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

    Counts where it is below 0.3 on the (geometric) average of the layers and their product below 0.05, so that the signal
    fades. Layers with a norm behind them are left out, as it scales the signal up again.
    """
    strengths = drawn(chart)
    if not strengths.size:
        return
    mean, product = np.exp(np.log(strengths).mean(1)), strengths.prod(1)
    found = (mean < strength) & (product < fade)
    if found.any():
        yield _of_strength(chart, strengths, strength, found, (Cause.VANISHING_GRADIENT, Cause.LR_TOO_LOW))


@rule(
    Symptom.WEIGHTS_TOO_LARGE,
    Cause.BAD_INIT_TOO_LARGE,
    source="Glorot and Bengio 2010; He et al. 2015, section 2.2",
    remedies=("initializer", "batch_norm"),
    needs="start",
)
def weights_too_large(chart: Chart, *, strength: float = 3.0) -> Iterator[Sign]:
    """The same ratio above 3, on the average of the layers: signals grow, or sit where activations saturate."""
    strengths = drawn(chart)
    found = average(strengths) > strength
    if found.any():
        yield _of_strength(chart, strengths, strength, found, (Cause.SATURATED_ACTIVATION, Cause.EXPLODING_GRADIENT))


def _of_strength(chart: Chart, strengths: Array, threshold: float, found: Array, others: tuple[Cause, ...]) -> Sign:
    place = chart.design.anatomy.weighted[0].label
    evidence = {"strength": strengths}
    return Sign(
        middle(average(strengths)[found]), threshold, "times the matched deviation", place, share(found), others=others,
        evidence=evidence,
    )  # fmt: skip


def average(strengths: Array) -> Array:
    """Geometric mean over the layers, ``(seeds,)``; 1 where there are none."""
    return np.exp(np.log(strengths).mean(1)) if strengths.size else np.ones(len(strengths))


def drawn(chart: Chart) -> Array:
    """Strength of the weights, ``(seeds, layers)``, of layers with no norm behind; of no layer where units are alike."""
    start, anatomy = start_of(chart), chart.design.anatomy
    if not (start.alike[:, :-1] < 0.5).all():
        return np.ones((len(start.alike), 0))
    kept = [not _normed(chart, organ) for organ in anatomy.weighted]
    return np.maximum(start.strength[:, kept], 1e-6)


def _normed(chart: Chart, organ: Organ) -> bool:
    """Whether a norm stands right behind a layer, or behind its activation."""
    return any(other.role == "norm" for other in chart.design.anatomy.organs[organ.index + 1 : organ.index + 3])


@rule(
    Symptom.LOUD_START,
    Cause.BAD_INIT_TOO_LARGE,
    source="Karpathy 2019, A recipe for training neural networks: verify the loss at the start",
    remedies=("initializer", "inputs", "targets"),
    needs="start",
)
def loud_start(chart: Chart, *, growth: float = 10.0) -> Iterator[Sign]:
    """Loss of the untrained network over that of the best constant prediction; about 1 where outputs begin near zero.

    Counts above 10. The cause is the scale of inputs or targets where that is off, otherwise the weights.
    """
    start = start_of(chart)
    loss = np.asarray(start.vitals.whole.loss) / max(start.chance, 1e-12)
    found = ~(loss <= growth)
    if start.chance > 0 and found.any():
        cause = of_scale(chart, Cause.BAD_INIT_TOO_LARGE)
        others = tuple(each for each in (Cause.BAD_INIT_TOO_LARGE, Cause.EXPLODING_GRADIENT) if each != cause)
        yield Sign(middle(loss[found]), growth, "times", "", share(found), cause=cause, others=others)


def of_scale(chart: Chart, otherwise: Cause, *, large: float = 5.0, far: float = 10.0) -> Cause:
    """Inputs or targets where these are far too large, otherwise another cause."""
    facts = chart.facts
    if facts is not None and facts.size > large:
        return Cause.UNNORMALISED_INPUT
    targets = 0.0 if facts is None or not len(facts.target_center) else float(np.abs(facts.target_center).max())
    return Cause.UNNORMALISED_TARGET if targets > far else otherwise
