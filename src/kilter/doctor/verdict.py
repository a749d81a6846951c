"""Whether a training is well: against chance, and against one that is known to work."""

import numpy as np

from kilter.doctor.alone import poor
from kilter.doctor.chart import Chart, Course

# What is lost against the reference counts from 0.03 of a score whose best value is 1, such as accuracy and R2; it is half
# of the least difference between a faulty and a mended training in published collections (0.05).
_LOST = 0.03
# A seed whose loss is this share of what there is to learn has failed, whatever the others do.
_FAILED = 0.2
_ALONE = "this network has learned next to nothing, and there is none to compare it with"


def floor(reference: Course) -> float:
    """Difference in score that counts: 0.03 where the best score is 1, else 6 % of what the reference has learned."""
    if reference.metric.perfect == 1.0 and reference.metric.higher_is_better:
        return _LOST
    return 2 * _LOST * learned(reference)


def learned(reference: Course) -> float:
    """How far the reference is above chance."""
    sign = 1.0 if reference.metric.higher_is_better else -1.0
    return float(np.median(reference.gains)) - sign * reference.chance


def shortfall(course: Course, reference: Course, *, last: bool = False) -> float:
    """Mean score of the reference less that of the course; 0 where it is within two standard errors."""
    own, other = course.last_gains if last else course.gains, reference.gains
    lost = float(other.mean() - own.mean())
    error = np.sqrt(own.var(ddof=min(1, len(own) - 1)) / len(own) + other.var(ddof=min(1, len(other) - 1)) / len(other))
    return lost if lost > 2 * error else 0.0


def failed(course: Course, reference: Course) -> int:
    """Number of seeds that ended far below the reference, though others may not have."""
    return int(
        (float(np.median(reference.gains)) - course.gains > max(_FAILED * learned(reference), floor(reference))).sum()
    )


def unwell(chart: Chart) -> bool | None:
    """Whether the training is worse than it should be; None where nothing was trained."""
    course, reference = chart.course, chart.reference
    if course is None:
        return None
    if course.diverged.any():
        return True
    if reference is None:
        return poor(chart, course)
    lost = max(shortfall(course, reference), shortfall(course, reference, last=True))
    return lost > floor(reference) or failed(course, reference) > 0


def undecided(chart: Chart, *, rows: int = 20) -> str:
    """Why nothing can be said, where that is so: too few rows, or a target in which the reference finds nothing either."""
    course, reference, facts = chart.course, chart.reference, chart.facts
    if facts is not None and max(facts.held, 0) + facts.rows < rows:
        return f"{facts.rows} training and {facts.held} validation rows are too few to tell"
    if course is None:
        return "nothing was trained"
    if reference is None:
        return _ALONE if poor(chart, course) else ""
    if learned(reference) <= floor(reference) and not course.whole:
        return "neither this network nor an ordinary one has learned anything within this budget"
    if learned(reference) <= floor(reference) and course.gains.mean() <= reference.gains.mean() + floor(reference):
        return "neither this network nor an ordinary one finds anything in these rows that tells the target"
    return ""
