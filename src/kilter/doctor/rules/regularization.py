"""Rules on regularization: too much of it, or too little."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import Array, bottom, course_of, last, middle, share
from kilter.doctor.verdict import floor, unwell
from kilter.doctor.words import Cause, Severity, Symptom


@rule(
    Symptom.OVER_REGULARIZED,
    Cause.OVER_REGULARISATION,
    source="Krogh and Hertz 1992; a pull of 0.01 or more is beyond what networks are trained with",
    remedies=("decay", "dropout"),
    needs="course",
)
def over_regularized(chart: Chart, *, strong: float = 0.01) -> Iterator[Sign]:
    """Strength of the pull on the weights, lambda in the gradient lambda w, while training rows are not learned, either."""
    decay, missed = chart.design.decay, _unlearned(chart)
    if decay >= strong and missed.any():
        severity = Severity.ERROR if decay >= 5 * strong else Severity.WARNING
        others = (Cause.UNDERFITTING,)
        words = f"lambda {decay:.3g}, strong from {strong:.3g} on"
        yield Sign(decay, strong, "", "penalty", share(missed), severity, others=others, words=words)


@rule(
    Symptom.DROPOUT_TOO_HIGH,
    Cause.DROPOUT_TOO_HIGH,
    source="Srivastava et al. 2014, section A.4: 0.5 for hidden units, 0.2 for inputs",
    remedies=("dropout", "width", "epochs"),
    needs="course",
)
def dropout_too_high(chart: Chart, *, most: float = 0.6) -> Iterator[Sign]:
    """The highest rate of dropout, above 0.6, while training rows are not learned, either."""
    rates = {o.label: float(getattr(o.layer, "rate", 0.0) or 0.0) for o in chart.design.anatomy.having("dropout")}
    missed = _unlearned(chart)
    if rates and max(rates.values()) > most and missed.any():
        place = max(rates, key=lambda each: rates[each])
        severity = Severity.ERROR if rates[place] >= 0.8 else Severity.WARNING
        others = (Cause.OVER_REGULARISATION, Cause.UNDERFITTING)
        yield Sign(rates[place], most, "of the units", place, share(missed), severity, others=others)


def _unlearned(chart: Chart) -> Array:
    """Seeds that are clearly worse on the training rows than the reference is on those that decide."""
    course = course_of(chart)
    if chart.reference is None:
        return np.ones(len(course.score), bool)
    sign = 1.0 if course.metric.higher_is_better else -1.0
    wanted = float(np.median(chart.reference.gains)) - floor(chart.reference)
    return ~(sign * course.train_score > wanted)


@rule(
    Symptom.OVERFITTING,
    Cause.OVERFITTING,
    source="Geman, Bienenstock and Doursat 1992; Prechelt 1998, Early stopping, but when?",
    remedies=("dropout", "decay", "stopping", "width", "batch_norm"),
    needs="course",
    certain=True,
)
def overfitting(
    chart: Chart, *, apart: float = 0.1, wide: float = 0.2, turn: float = 1.05, rise: float = 1.3
) -> Iterator[Sign]:
    """Score on training rows above that on validation rows, over what there is between chance and the best score.

    Counts above 0.2 where the loss on validation rows has turned by 5 %, whatever a reference does on these rows. Where the
    training is worse than the reference it counts
    above 0.1, too, if the loss on validation rows has risen by 30 % from its least; otherwise that is noted. A small gap or
    the loss alone says little, as a network that is right on all training rows may well be right on the others.
    """
    course = course_of(chart)
    if "val_loss" not in course.history or course.diverged.any():
        return
    loss = course.history["val_loss"]
    risen = last(loss) / np.maximum(bottom(loss), 1e-12)
    sign = 1.0 if course.metric.higher_is_better else -1.0
    gap = sign * (course.train_score - course.last) / max(abs(course.metric.perfect - course.chance), 1e-12)
    heart = (gap > wide) & (risen > turn)
    found = heart | ((gap > apart) & (risen > rise))
    if found.any():
        grave = bool(heart.all()) or unwell(chart)
        severity = Severity.WARNING if grave else Severity.NOTE
        words = f"its loss on validation rows ends at {middle(risen[found]):.3g} times the least"
        others = (Cause.LABEL_ERROR,)
        yield Sign(
            middle(gap[found]), apart, "of the way from chance", "", share(found), severity, others=others, words=words
        )
