"""Rules on units: rectifiers that are never active, and activations where they are flat."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import course_of, middle, share, vital
from kilter.doctor.rules.weights import of_scale
from kilter.doctor.words import Cause, Symptom


@rule(
    Symptom.DEAD_UNITS,
    Cause.DEAD_RELU,
    source="Lu, Shin, Su and Karniadakis 2019, Dying ReLU and initialization; dead means never active on any row",
    remedies=("activation", "initializer", "learning_rate", "inputs", "batch_norm"),
    needs="start",
)
def born_dead(chart: Chart, *, part: float = 0.8) -> Iterator[Sign]:
    """Share of the units of a rectifier that are zero, with zero slope, on each of 256 training rows, above 0.8."""
    rectifiers = tuple(o for o in chart.design.anatomy.hidden_activations if o.layer.mortal)  # type: ignore[attr-defined]
    dead = vital(chart, rectifiers, "dead")
    if not dead.size:
        return
    worst = dead.max(1)
    if (worst > part).any():
        place = rectifiers[int(dead.mean(0).argmax())].label
        others = (Cause.BAD_INIT_TOO_SMALL, Cause.UNNORMALISED_INPUT, Cause.VANISHING_GRADIENT)
        found, evidence = share(worst > part), {"dead": dead}
        yield Sign(middle(worst[worst > part]), part, "of the units", place, found, others=others, evidence=evidence)


@rule(
    Symptom.DEATH_BY_SEED,
    Cause.DEAD_RELU,
    source="Lu, Shin, Su and Karniadakis 2019, Dying ReLU and initialization",
    remedies=("activation", "initializer", "batch_norm", "depth", "width"),
    needs="course",
)
def death_by_seed(chart: Chart, *, dead: float = 0.9) -> Iterator[Sign]:
    """Share of the units of a rectifier that after the training are never active on any training row; above 0.9 it counts.

    Of the worst layer. How many of the seeds end so is told.
    """
    found = course_of(chart).dead
    if not found:
        return
    places, shares = list(found), np.stack(list(found.values()), 1)
    worst = shares.max(1)
    if (worst > dead).any():
        others = (Cause.VANISHING_GRADIENT, Cause.LR_TOO_HIGH, Cause.BAD_INIT_TOO_SMALL)
        place, evidence = places[int(shares.mean(0).argmax())], {"dead": shares}
        value = float(worst[worst > dead].mean())
        yield Sign(value, dead, "of the units", place, share(worst > dead), others=others, evidence=evidence)


@rule(
    Symptom.SATURATED_UNITS,
    Cause.SATURATED_ACTIVATION,
    source="Glorot and Bengio 2010, section 3; the activation's own derivative below 5 % of its largest",
    remedies=("inputs", "initializer", "activation", "batch_norm"),
    needs="start",
)
def saturated_units(chart: Chart, *, part: float = 0.5) -> Iterator[Sign]:
    """Share of the inputs of a hidden activation at which its derivative is below 5 % of its largest, above a half.

    Rectifiers' zeros aside. The cause is the scale of the inputs where that is off.
    """
    activations = chart.design.anatomy.hidden_activations
    saturated = np.nan_to_num(vital(chart, activations, "saturated"))
    if not saturated.size:
        return
    worst = saturated.max(1)
    if (worst > part).any():
        place, evidence = activations[int(saturated.mean(0).argmax())].label, {"saturated": saturated}
        cause = of_scale(chart, Cause.SATURATED_ACTIVATION, far=np.inf)
        all_of_it = (Cause.SATURATED_ACTIVATION, Cause.BAD_INIT_TOO_LARGE, Cause.UNNORMALISED_INPUT)
        others = tuple(each for each in all_of_it if each != cause)
        found = share(worst > part)
        value = middle(worst[worst > part])
        yield Sign(value, part, "of the values", place, found, cause=cause, others=others, evidence=evidence)
