"""Whether a training is lost, judged alone: without a reference to compare it with."""

import numpy as np

from kilter.doctor.chart import Chart, Course

# Share of the epochs after which a network that has learned nothing is given up; some begin late.
_PATIENCE = 0.3
# Updates before which nothing is given up.
_BEGUN = 100
# What counts as nothing: a loss of more than this share of that of a constant, a score of less than this share of the way
# from chance to the best that there is.
_NOTHING, _SCORED = 0.98, 0.05
# The same for a training of which only a part is known, so that it is bad before it is hopeless.
_KEPT, _NEAR_CHANCE = 0.9, 0.1


def lost(chart: Chart, epochs: int) -> bool:
    """Whether a training has diverged, or has learned nothing after its patience: three tenths of it, and 100 updates.

    Args:
        chart: with a course.
        epochs: that the training has in all.
    """
    course = chart.course
    assert course is not None
    if course.diverged.any():
        return True
    if not course.epochs or (course.epochs < epochs and not _had_its_time(chart, course.epochs / epochs)):
        return False
    loss = course.history["loss"]
    best = np.where(np.isfinite(loss), loss, np.inf).min(1)
    level = np.inf if chart.start is None else chart.start.chance
    unmoved = best > _NOTHING * level
    sign = 1.0 if course.metric.higher_is_better else -1.0
    if not np.isfinite(course.metric.perfect):
        return bool(unmoved.all())
    learned = (course.gains - sign * course.chance) / max(abs(course.metric.perfect - course.chance), 1e-12)
    return bool((unmoved | (learned < _SCORED)).all())


def _had_its_time(chart: Chart, part: float) -> bool:
    return part >= _PATIENCE and part * chart.updates >= _BEGUN


def poor(chart: Chart, course: Course) -> bool:
    """Whether a training is clearly bad by itself: a score near chance or, without one, a loss that does not fall."""
    sign = 1.0 if course.metric.higher_is_better else -1.0
    if np.isfinite(course.score).any():
        learned = float(np.median(course.gains)) - sign * course.chance
        return learned <= _NEAR_CHANCE * max(abs(course.metric.perfect - course.chance), 1e-12)
    loss = course.history["loss"]
    chance = chart.start.chance if chart.start is not None else float("nan")
    level = chance if np.isfinite(chance) else float(np.median(loss[:, 0]))
    return float(np.nanmedian(loss[:, -max(loss.shape[1] // 4, 1) :])) > _KEPT * level
