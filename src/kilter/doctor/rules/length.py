"""Rules on the number of updates: epochs and batches."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import course_of, fall, first, last, middle, share
from kilter.doctor.words import Cause, Symptom


@rule(
    Symptom.BATCH_TOO_LARGE,
    Cause.BATCH_TOO_LARGE,
    source="Hoffer, Hubara and Soudry 2017, Train longer, generalize better",
    remedies=("batch_size", "epochs", "learning_rate"),
    needs="course",
)
def batch_too_large(
    chart: Chart, *, most: int = 200, part: float = 0.2, usual: int = 32, falling: float = 0.01
) -> Iterator[Sign]:
    """Fewer than 200 updates in all, as batches hold a fifth of the rows or more, while the loss of training still falls.

    By 1 % of its first value in its last tenth, or it has kept nine tenths of that. Batches of 32 rows are small.
    """
    loss, rows = course_of(chart).history["loss"], chart.facts.rows if chart.facts is not None else 0
    large = chart.design.batch_size > usual and chart.design.batch_size >= part * rows
    slow = (fall(loss) > falling) | (last(loss) > 0.9 * first(loss))
    if large and chart.updates < most and slow.any():
        others = (Cause.TOO_FEW_EPOCHS, Cause.LR_TOO_LOW)
        yield Sign(chart.updates, most, "updates", "batch_size", share(slow), others=others)


@rule(
    Symptom.FEW_UPDATES,
    Cause.TOO_FEW_EPOCHS,
    source="Bengio 2012, section 3.1.2: as long as the loss falls, go on",
    remedies=("epochs", "learning_rate", "batch_size", "optimizer"),
    needs="course",
)
def few_updates(chart: Chart, *, falling: float = 0.01) -> Iterator[Sign]:
    """The loss of training, and that of validation where there is one, still falls when training ends.

    By 1 % of its first value in its last tenth. Only where the whole training was looked at.
    """
    course = course_of(chart)
    lines = [course.history[name] for name in ("loss", "val_loss") if name in course.history]
    found = np.all([fall(line) > falling for line in lines], 0) & ~course.diverged
    if found.any() and course.whole:
        others = (Cause.LR_TOO_LOW, Cause.BATCH_TOO_LARGE, Cause.UNDERFITTING)
        value = middle(fall(lines[0])[found])
        yield Sign(value, falling, "of the first loss", "epochs", share(found), others=others)
