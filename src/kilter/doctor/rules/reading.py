"""What rules read from a chart: its parts, the lines of a history, and learning rates against what is usual."""

from typing import Any

import numpy as np

from kilter.doctor.anatomy import Organ
from kilter.doctor.chart import Chart, Course, Start
from kilter.doctor.facts import Facts
from kilter.doctor.remedies.rates import core, rate, usual
from kilter.losses import SoftmaxCrossEntropy, SquaredError

Array = np.ndarray[Any, Any]
# A momentum of m adds up to steps of 1 / (1 - m) times the rate; the usual rates are those for at most this one.
_MOMENTUM = 0.9
# Updates that a small training has at least, as a rule of thumb: the reference makes as many.
_UPDATES = 1000


def facts_of(chart: Chart) -> Facts:
    """The rows; only for rules that need them."""
    assert chart.facts is not None
    return chart.facts


def start_of(chart: Chart) -> Start:
    """The untrained network; only for rules that need it."""
    assert chart.start is not None
    return chart.start


def course_of(chart: Chart) -> Course:
    """The training; only for rules that need it."""
    assert chart.course is not None
    return chart.course


def share(mask: Array) -> float:
    """Share of the seeds for which something holds."""
    return float(np.mean(mask))


def middle(values: Array) -> float:
    """Median over the seeds; what is not finite counts as the largest float32."""
    return float(np.median(np.nan_to_num(values, nan=3e38, posinf=3e38, neginf=-3e38)))


def vital(chart: Chart, organs: tuple[Organ, ...], name: str) -> Array:
    """One vital of some layers of the untrained network, ``(seeds, layers)``."""
    start = start_of(chart)
    signals = start.places.signals
    chosen = [signals.index(organ.path) for organ in organs if organ.path in signals]
    return np.asarray(getattr(start.vitals.signals, name))[:, chosen]


def chance(chart: Chart) -> float:
    """Loss of the best constant prediction; of the first epoch where that was not looked at."""
    if chart.start is not None:
        return max(chart.start.chance, 1e-12)
    return max(middle(course_of(chart).history["loss"][:, 0]), 1e-12)


def first(lines: Array) -> Array:
    """First number of each line, at least a little above 0."""
    return np.maximum(np.abs(lines[:, 0]), 1e-12)


def last(lines: Array) -> Array:
    """Last finite number of each line, infinity where there is none."""
    kept = np.isfinite(lines)
    where = np.where(kept.any(1), lines.shape[1] - 1 - kept[:, ::-1].argmax(1), 0)
    return np.nan_to_num(lines[np.arange(len(lines)), where], nan=np.inf)


def top(lines: Array) -> Array:
    """Largest finite number of each line."""
    return np.where(np.isfinite(lines), lines, -np.inf).max(1, initial=-np.inf).clip(min=-1e38)


def bottom(lines: Array) -> Array:
    """Smallest finite number of each line."""
    return np.where(np.isfinite(lines), lines, np.inf).min(1, initial=np.inf).clip(max=1e38)


def fall(lines: Array) -> Array:
    """How much of its first value each line loses in its last tenth; all of it where it has one finite number only."""
    if lines.shape[1] == 1:
        return np.isfinite(lines[:, 0]).astype(float)
    tenth = max(lines.shape[1] // 10, 1)
    return (top(lines[:, -tenth - 1 :]) - last(lines)) / first(lines)


def jumps(lines: Array) -> Array:
    """Share of the epochs in which a line rises by more than a tenth of all that it fell; 0 for fewer than four."""
    if lines.shape[1] < 4:
        return np.zeros(len(lines))
    fallen = np.maximum(top(lines) - bottom(lines), 1e-12)
    return np.mean(np.diff(lines, axis=1) > 0.1 * fallen[:, None], 1)


def relative_rate(chart: Chart) -> float:
    """Size of the learning rate over what is usual, momentum included; NaN where it is not known."""
    optimizer, facts = chart.design.optimizer, chart.facts
    if optimizer is None:
        return float("nan")
    numbers = facts is not None and facts.task == "numbers"
    now, common = rate(optimizer), usual(optimizer, SquaredError() if numbers else SoftmaxCrossEntropy())
    if now is None or common is None:
        return float("nan")
    momentum = float(getattr(core(optimizer), "momentum", 0.0) or 0.0)
    return abs(now) / common * max((1 - _MOMENTUM) / max(1 - momentum, 1e-6), 1.0)


def relative_length(chart: Chart) -> float:
    """Number of updates over what small trainings have at least."""
    return chart.updates / _UPDATES
