"""Rules on what was learned: against a constant prediction, and against a network that is known to work."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import chance, course_of, last, middle, share
from kilter.doctor.verdict import floor, shortfall
from kilter.doctor.words import Cause, Symptom


@rule(
    Symptom.PLATEAU,
    Cause.UNDERFITTING,
    source="Goodfellow, Bengio and Courville 2016, section 8.2",
    remedies=("learning_rate", "activation", "initializer", "optimizer", "inputs", "batch_norm"),
    needs="course",
)
def plateau(chart: Chart, *, within: float = 0.02) -> Iterator[Sign]:
    """The loss of training ends within 2 % of that of a constant prediction: the network sees nothing of its inputs."""
    if chart.start is None:
        return
    ends = last(course_of(chart).history["loss"]) / chance(chart)
    found = np.abs(ends - 1) <= within
    if found.any():
        words = f"it ends at {middle(ends):.3g} times that of a constant prediction"
        others = (Cause.VANISHING_GRADIENT, Cause.DEAD_RELU, Cause.LR_TOO_LOW)
        yield Sign(middle(np.abs(ends - 1)), within, "apart", "", share(found), words=words, others=others)


@rule(
    Symptom.UNDERFITTING,
    Cause.UNDERFITTING,
    source="against a recipe that is known to work, trained at the same cost",
    remedies=(
        *("width", "depth", "epochs", "learning_rate", "optimizer", "output", "inputs", "activation", "initializer"),
        *("decay", "dropout"),
    ),
    needs="reference",
)
def underfitting(chart: Chart) -> Iterator[Sign]:
    """Score of an ordinary network of the same size and cost, less that of this one, mean over seeds."""
    course, reference = chart.course, chart.reference
    if course is None or reference is None:
        return
    lost = shortfall(course, reference)
    if lost > floor(reference):
        scores = [float(np.median(each.score)) for each in (course, reference)]
        key = course.metric.key
        words = f"{key} {scores[0]:.3g}, an ordinary network {scores[1]:.3g}"
        others = (Cause.LR_TOO_LOW, Cause.TOO_FEW_EPOCHS)
        yield Sign(lost, floor(reference), f"of {key} lost", words=words, others=others)
