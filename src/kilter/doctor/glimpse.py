"""A training on its way, as the rules see it between two epochs: its lines so far, and what some rows say of it now."""

from typing import Any

import numpy as np

from kilter.data.dataset import Part
from kilter.doctor.chart import Course
from kilter.doctor.courses import recalls, uneven
from kilter.metrics import Metric
from kilter.train.check import deciding_metric
from kilter.train.fleet import Fleet
from kilter.train.scores import deciding, weights_of

Array = np.ndarray[Any, Any]


def glimpse_of(fleet: Fleet, chance: float) -> Course:
    """The course of a fleet of one member, whose scores on training rows are those of some of these.

    Args:
        fleet: between two epochs.
        chance: score of the best constant prediction.
    """
    ((recipe, seed),), data = fleet.task.members, fleet.data
    metric, held = deciding_metric(recipe, data), data.validation is not None
    rare = uneven(data)
    told = fleet.glance(*(["validation"] if held and rare else []))
    reads = {name: fleet.scaling[1].invert(each.read) for name, each in told.items()}
    some, lines = data.train.take(fleet.asked), fleet.lines
    learned = _scored(metric, reads["train"], some)
    line = lines.get(f"val_{metric.key}", np.array([[learned]]))
    best = np.fmax if metric.higher_is_better else np.fmin
    read, part = (reads["validation"], deciding(data)) if "validation" in reads else (reads["train"], some)
    return Course(
        seeds=(seed,),
        metric=metric,
        chance=chance,
        history=lines,
        score=best.reduce(line, axis=1),
        last=line[:, -1],
        train_score=np.array([learned]),
        diverged=np.zeros(1, bool),
        recall=recalls([read], part, data) if rare else np.zeros((1, 0)),
        whole=False,
    )


def _scored(metric: Metric, read: Array, part: Part) -> float:
    with np.errstate(all="ignore"):  # predictions may be anything
        return float(metric(read.astype(np.float64), part.y, weights_of(part)))
