"""Rules on the learning rate: its sign, and the path of the loss when it is too high or too low."""

import math
from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.remedies.rates import rate
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import (
    Array,
    bottom,
    chance,
    course_of,
    fall,
    first,
    jumps,
    last,
    middle,
    relative_length,
    relative_rate,
    share,
    top,
)
from kilter.doctor.words import Cause, Severity, Symptom


def _rate(chart: Chart) -> float:
    """Learning rate, of a schedule its highest; NaN where there is none that Kilter knows."""
    own = None if chart.design.optimizer is None else rate(chart.design.optimizer)
    return math.nan if own is None else float(own)


@rule(
    Symptom.NEGATIVE_RATE,
    Cause.LR_NEGATIVE,
    source="Robbins and Monro 1951: rates are positive",
    remedies=("learning_rate",),
    needs="recipe",
    certain=True,
)
def negative_rate(chart: Chart, *, least: float = 0.0) -> Iterator[Sign]:
    """The learning rate is below zero, so that the loss is made large instead of small. Read from the recipe."""
    own = _rate(chart)
    if own < least:
        others = (Cause.DIVERGING_LOSS,)
        words = f"{own:.3g}"
        yield Sign(own, least, place="optimizer.lr", severity=Severity.ERROR, others=others, words=words)


@rule(
    Symptom.NO_UPDATES,
    Cause.LR_TOO_LOW,
    source="follows from the update",
    remedies=("learning_rate", "epochs"),
    needs="recipe",
    certain=True,
)
def no_updates(chart: Chart) -> Iterator[Sign]:
    """Learning rate or epochs are zero: weights stay as they were drawn. Read from the recipe."""
    if _rate(chart) == 0.0:
        yield Sign(0.0, 0.0, place="optimizer.lr", severity=Severity.ERROR)
    if chart.design.epochs == 0:
        yield Sign(0.0, 0.0, place="epochs", severity=Severity.ERROR, cause=Cause.TOO_FEW_EPOCHS)


@rule(
    Symptom.RATE_TOO_HIGH,
    Cause.LR_TOO_HIGH,
    source="LeCun, Bottou, Orr and Mueller 1998, section 4.7; Smith 2017",
    remedies=("learning_rate", "schedule", "optimizer", "clip"),
    needs="course",
)
def rate_too_high(
    chart: Chart, *, of_chance: float = 1.5, most: float = 9.0, beyond: float = 100.0, often: float = 0.3
) -> Iterator[Sign]:
    """The learning rate over the usual one, where the loss of training shows it.

    Any rate above the usual counts where the loss ends above one and a half times that of a constant prediction (a network
    that only learns too little stays at or below that, one that ends above was thrown there), or has not settled and rises
    in more than 30 % of the epochs by more than a tenth of all that it fell. One of more than nine times the usual counts
    where the loss ends above half of that of a constant prediction, one of more than a hundred times always. A loss that
    has never risen and still falls, by 1 % of its first value in its last tenth, is on its way wherever it ends. The usual
    rate is the optimizer's default, 0.1 for gradient descent on classes and 0.01 on numbers; a momentum m above 0.9
    multiplies the rate by 0.1 / (1 - m).
    """
    loss, ratio = course_of(chart).history["loss"], relative_rate(chart)
    ends, falls = last(loss) / chance(chart), (np.diff(loss, axis=1) <= 0).all(1) & (fall(loss) > 0.01)
    thrown = ((ends > of_chance) | (jumps(loss) * _unsettled(loss) > often)) & (ratio > 1.0)
    found = (thrown | ((ends > 0.5) & (ratio > most))) & ~falls | (ratio > beyond)
    if found.any():
        others = (Cause.LOSS_OSCILLATION, Cause.DIVERGING_LOSS, Cause.DEAD_RELU)
        end = middle(ends[found])
        words = f"it ends at {end:.3g} times that of a constant prediction" if end < 1e30 else ""
        severity = Severity.ERROR if (ends > of_chance).any() and ratio > most else Severity.WARNING
        yield Sign(
            ratio, 1.0, "times the usual rate", "optimizer.lr", share(found), severity, others=others, words=words
        )


@rule(
    Symptom.OSCILLATING_LOSS,
    Cause.LOSS_OSCILLATION,
    source="Zhang, Zhai, Ma and Shen 2021, AUTOTRAINER: moves of the score in a fifth of the epochs",
    remedies=("learning_rate", "optimizer", "batch_size", "schedule", "clip"),
    needs="course",
)
def oscillating_loss(chart: Chart, *, more: float = 0.2) -> Iterator[Sign]:
    """Share of the epochs of the second half in which the loss of training rises by a tenth of all that it fell, or more.

    Only where the second half still spans 5 % of the largest loss: what is left in a converged training is rounding.
    """
    loss = course_of(chart).history["loss"]
    found = jumps(loss[:, loss.shape[1] // 2 :]) * _unsettled(loss)
    if (found > more).any():
        others = (Cause.LR_TOO_HIGH, Cause.NOT_SHUFFLED)
        value = middle(found[found > more])
        yield Sign(value, more, "of the epochs", "", share(found > more), others=others)


def _unsettled(loss: Array) -> Array:
    """Whether the second half still spans 5 % of the largest loss, rather than noise."""
    half = loss[:, loss.shape[1] // 2 :]
    return top(half) - bottom(half) > 0.05 * np.maximum(top(loss), 1e-12)


@rule(
    Symptom.RATE_TOO_LOW,
    Cause.LR_TOO_LOW,
    source="Bengio 2012, Practical recommendations, section 3.1.1",
    remedies=("learning_rate", "optimizer", "epochs", "batch_size"),
    needs="course",
)
def rate_too_low(chart: Chart, *, least: float = 0.15, falling: float = 0.02) -> Iterator[Sign]:
    """The rate is below 0.15 of the usual, and the loss of training has hardly moved or still falls when training ends.

    It still falls where its last tenth takes off 2 % of its first value; it has hardly moved where nine tenths of that are
    left. How far a network comes is rate times updates: where there are fewer than 1000 updates, and they are further below
    that than the rate is below the usual one, too few epochs are the likelier cause.
    """
    loss, ratio = course_of(chart).history["loss"], relative_rate(chart)
    slow = (fall(loss) > falling) | (last(loss) > 0.9 * first(loss))
    if ratio < least and slow.any():
        causes = (Cause.LR_TOO_LOW, Cause.TOO_FEW_EPOCHS)
        cause, other = causes if ratio <= relative_length(chart) else causes[::-1]
        severity = Severity.ERROR if ratio < least / 10 else Severity.WARNING
        others = (other, Cause.UNDERFITTING)
        yield Sign(ratio, least, "times the usual rate", "optimizer.lr", share(slow), severity, cause, others)
