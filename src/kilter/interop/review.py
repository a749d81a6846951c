"""What the rules make of a training that its user ran: beside an ordinary network on rows that were seen."""

import math
import time
import warnings
from dataclasses import replace

import numpy as np

from kilter.core.errors import DoubtWarning
from kilter.data.dataset import Dataset
from kilter.data.split import split
from kilter.doctor.chart import Chart, Course
from kilter.doctor.examine import diagnosed, hopeless
from kilter.interop.advice import Advised, Terms, advised
from kilter.interop.judging import Judge
from kilter.interop.subject import Subject, control, translated
from kilter.metrics import R2


def reviewed(
    subject: Subject, chart: Chart, data: Dataset | None, updates: int, *, compare: bool, terms: Terms, began: float
) -> Advised:
    """A checkup of what was seen.

    Args:
        subject: the network.
        chart: what was seen, without a reference.
        data: rows that were seen; None where there are none.
        updates: that were made.
        compare: whether to train an ordinary network of the same layers for as many updates.
        terms: words of its framework.
        began: when the watch began.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what is not finite is a finding here
        warnings.simplefilter("ignore", DoubtWarning)
        recipe = None
        if data is not None:
            epochs = max(math.ceil(updates * subject.batch_size / len(data.train)), 1)
            recipe = translated(subject, epochs, data)
            if compare and recipe is not None and not hopeless(chart):
                chart = replace(chart, reference=_at_its_end(control(subject, _held_out(data), epochs, 0)))
        found = diagnosed(chart, subject.title, time.perf_counter() - began)
        return advised(found, recipe, data, terms)


def course(judge: Judge | None, lines: dict[str, list[float]], score: float, dead: dict[str, float]) -> Course:
    """A training that goes on, told by its losses and by its score on rows that were seen."""
    longest = max(map(len, lines.values()))
    history = {
        name: np.array([[*line, *(longest - len(line)) * [math.nan]]])
        for name, line in lines.items()
        if line or name == "loss"
    }
    if not history["loss"].size:
        history["loss"] = np.array([[math.nan]])
    gone = bool(lines["loss"]) and not np.isfinite(lines["loss"]).all()
    now, none = np.array([score]), np.zeros((1, 0))
    metric, chance = (R2(), math.nan) if judge is None else (judge.metric, judge.chance)
    shares = {place: np.array([share]) for place, share in dead.items()}
    return Course((0,), metric, chance, history, now, now, now, np.array([gone]), none, shares, whole=False)


def _held_out(data: Dataset) -> Dataset:
    """The same rows, a fifth of them for validation."""
    rows = split(len(data.train), {"validation": 0.2}, 0, data.train.y if data.classes else None)
    return replace(data, train=data.train.take(rows["train"]), validation=data.train.take(rows["validation"]))


def _at_its_end(reference: Course | None) -> Course | None:
    """A reference that ends with its last weights, as a watched training does."""
    return None if reference is None else replace(reference, score=reference.last)
