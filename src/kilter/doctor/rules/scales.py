"""Rules on the scale of what reaches the network: inputs and targets. Nothing is run."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.facts import Facts
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import Array, facts_of
from kilter.doctor.words import Cause, Severity, Symptom

# From so many columns on the inputs are images, whose border pixels hardly vary.
_MANY = 1000


@rule(
    Symptom.INPUT_NOT_FINITE,
    Cause.UNNORMALISED_INPUT,
    source="IEEE 754: not a number in, not a number out",
    remedies=(),
    needs="rows",
    certain=True,
)
def input_not_finite(chart: Chart) -> Iterator[Sign]:
    """Share of the input values that are infinite or not a number. One of them makes all weights not a number."""
    broken = 1.0 - facts_of(chart).finite
    if broken > 0.0:
        yield Sign(broken, 0.0, "of the values", severity=Severity.ERROR, others=(Cause.DIVERGING_LOSS,))


@rule(
    Symptom.BADLY_SCALED_INPUT,
    Cause.UNNORMALISED_INPUT,
    source="LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.3",
    remedies=("inputs", "batch_norm"),
    needs="rows",
)
def badly_scaled_input(chart: Chart, *, large: float = 5.0, small: float = 0.05, apart: float = 20.0) -> Iterator[Sign]:
    """Root mean square of the inputs as they reach the network, and how far columns differ in it.

    Initial weights are drawn for inputs of about 1. Counts above 5, below 0.05, and where columns that vary are 20 times
    apart and the largest is above 5.
    """
    facts = facts_of(chart)
    size, ratio = facts.size, _apart(facts)
    evidence = {"mean": facts.center, "std": facts.spread}
    low = (Cause.LR_TOO_LOW, Cause.VANISHING_GRADIENT)
    unit = "root mean square"
    if size > large:
        yield Sign(size, large, unit, "inputs", others=(Cause.LR_TOO_HIGH,), evidence=evidence)
    elif size < small:
        yield Sign(size, small, unit, "inputs", others=low, evidence=evidence)
    elif ratio > apart and float(_sizes(facts).max()) > large:
        words = "columns differ in scale"
        yield Sign(ratio, apart, "times", "inputs", others=(Cause.LR_TOO_HIGH,), words=words, evidence=evidence)


def _sizes(facts: Facts) -> Array:
    """Root mean square of each column that varies."""
    return np.sqrt(facts.spread**2 + facts.center**2)[facts.spread > 0]


def _apart(facts: Facts) -> float:
    """How many times the largest column is the smallest."""
    sizes = _sizes(facts)
    return float(sizes.max() / sizes.min()) if 0 < len(sizes) < _MANY else 1.0


@rule(
    Symptom.BADLY_SCALED_TARGET,
    Cause.UNNORMALISED_TARGET,
    source="LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.3, for targets",
    remedies=("targets", "loss"),
    needs="rows",
)
def badly_scaled_target(chart: Chart, *, large: float = 10.0, small: float = 0.01) -> Iterator[Sign]:
    """Standard deviation, or mean, of the target as the loss sees it: far from those of a fresh network's outputs.

    Numbers only. Counts where one of the two is above 10, and where the deviation is below 0.01.
    """
    facts = facts_of(chart)
    if facts.task != "numbers":
        return
    spread, center = float(facts.target_spread.max()), float(np.abs(facts.target_center).max())
    others = (Cause.LR_TOO_LOW, Cause.UNNORMALISED_INPUT)
    unit = "standard deviation" if spread > center else "mean"
    words = f"mean {center:.3g}, standard deviation {spread:.3g}"
    if max(spread, center) > large:
        yield Sign(max(spread, center), large, unit, "targets", words=words, others=others)
    elif 0.0 < spread < small:
        yield Sign(spread, small, "standard deviation", "targets", words=words, others=others)


@rule(
    Symptom.OUTLIERS,
    Cause.OUTLIERS,
    source="Tukey 1977, fences at 1.5 and 3 times the distance of the quartiles",
    remedies=("inputs", "clip"),
    needs="rows",
)
def outliers(chart: Chart, *, far: float = 100.0) -> Iterator[Sign]:
    """Distance of the farthest value of a column from its median, in distances of its quartiles; above 100 it counts."""
    farthest = facts_of(chart).farthest
    if len(farthest) and farthest.max() > far:
        column = int(farthest.argmax())
        words = f"column {column}"
        yield Sign(float(farthest[column]), far, "quartile distances", "inputs", words=words)


@rule(
    Symptom.CONSTANT_INPUTS,
    Cause.CONSTANT_INPUT,
    source="a column that never changes is a second bias",
    remedies=("inputs",),
    needs="rows",
)
def constant_inputs(chart: Chart, *, part: float = 0.5) -> Iterator[Sign]:
    """Share of the columns that have one value in all training rows; an error where all do.

    Images have such pixels, so that above a half it is noted only.
    """
    flat = float((facts_of(chart).spread == 0).mean())
    if flat > part:
        severity = Severity.ERROR if flat == 1.0 else Severity.NOTE
        yield Sign(flat, part, "of the columns", "inputs", severity=severity)
