"""Trainings as the rules see them: several seeds, as much of them as the budget allows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from kilter.data.dataset import Dataset, Part
from kilter.doctor.anatomy import Anatomy
from kilter.doctor.chart import Course
from kilter.nn.layer import shapes
from kilter.train.batches import updates
from kilter.train.check import deciding_metric
from kilter.train.interrupt import interruptible
from kilter.train.launch import fleets
from kilter.train.order import some
from kilter.train.outcome import Outcome
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.scores import deciding
from kilter.train.task import Task
from kilter.vitals import activity, drifts

Array = np.ndarray[Any, Any]
# What an update takes at least, in operations: some microseconds of a core at some thousand million operations a second.
_UPDATE = 1e6
# Classes that are this many times as frequent as others are looked at one by one.
UNEVEN = 3.0


@dataclass(frozen=True)
class Extent:
    """As much of a training as a budget allows.

    Attributes:
        data: all rows, or some of them.
        until: epoch after which it pauses; None: the whole training.
    """

    data: Dataset
    until: int | None

    @property
    def whole(self) -> bool:
        """Whether it is all that was asked for."""
        return self.until is None


def operations(recipe: Recipe, data: Dataset) -> float:
    """Floating-point operations of one epoch, roughly: six a weight, row and position, and something for each update."""
    params, _, _ = shapes(recipe.net, data.shape)
    weights = sum(leaf.size for leaf in jax.tree.leaves(params))
    positions = int(np.prod(data.shape[:-1])) if len(data.shape) > 1 else 1
    return 6.0 * weights * positions * len(data.train) + _UPDATE * updates(recipe, len(data.train))


def extent(recipe: Recipe, data: Dataset, seeds: int, budget: float) -> Extent:
    """What of a training ``budget`` operations pay for, with so many seeds: all of it, some epochs, or some of the rows."""
    epoch = operations(recipe, data) * seeds
    affordable = budget / epoch
    if affordable >= recipe.epochs:
        return Extent(data, None)
    if affordable >= 1:
        return Extent(data, int(affordable))
    rows = max(int(affordable * len(data.train)), min(len(data.train), 10 * recipe.batch_size))
    chosen = np.sort(some(len(data.train), rows))
    return Extent(replace(data, train=data.train.take(chosen)), 1)


def trained(
    recipes: Sequence[Recipe], data: Dataset, seeds: Sequence[int], until: int | None = None
) -> list[list[Run]]:
    """Runs of every recipe with every seed, a list a recipe; all pause after the epoch ``until``."""
    task = Task([(recipe, seed) for recipe in recipes for seed in seeds], data, until=until)
    runs: dict[int, Run] = {}
    with interruptible() as stop:
        for indices, fleet in fleets(task):
            runs |= dict(zip(indices, fleet.run(False, stop), strict=True))
    if stop.asked:
        raise KeyboardInterrupt
    count = len(seeds)
    return [[runs[place * count + offset] for offset in range(count)] for place in range(len(recipes))]


def course_of(runs: Sequence[Run], data: Dataset | None, whole: bool) -> Course:
    """Runs of one recipe as the rules see them; without the rows less is known of them."""
    metric = runs[0].metric
    lines = {name: _even([run.history[name] for run in runs]) for name in runs[0].history}
    score = np.array([run.score for run in runs])
    val = f"val_{metric.key}"
    last = np.array([_final(run.history[val]) for run in runs]) if val in lines else score
    train = f"train_{metric.key}"
    learned = np.array([run.metrics.get(train, run.metrics.get(metric.key, np.nan)) for run in runs])
    return Course(
        seeds=tuple(run.seed for run in runs),
        metric=metric,
        chance=_usual_chance(runs[0]) if data is None else chance_score(runs[0].recipe, data),
        history=lines,
        score=score,
        last=last,
        train_score=learned,
        diverged=np.array([run.outcome is Outcome.DIVERGED for run in runs]),
        recall=np.zeros((len(runs), 0)) if data is None or not uneven(data) else _recalls(runs, data),
        whole=whole,
    )


def with_organs(course: Course, runs: Sequence[Run], anatomy: Anatomy, x: Array) -> Course:
    """With what units and norms do on all training rows ``x``, preprocessed, after the training."""
    net = runs[0].recipe.net
    with np.errstate(all="ignore"):  # weights of a diverged run may be anything
        alive = [activity(net, run.params, run.state, x) for run in runs]
        drifting = [drifts(net, run.params, run.state, x) for run in runs]
    dead = {
        organ.label: np.array([each[organ.path].dead.mean() for each in alive])
        for organ in anatomy.hidden_activations
        if organ.layer.mortal and organ.path in alive[0]  # type: ignore[attr-defined]
    }
    drift = {
        organ.label: np.array([max(each[organ.path][:2]) for each in drifting])
        for organ in anatomy.having("norm")
        if organ.path in drifting[0]
    }
    return replace(course, dead=dead, drift=drift)


def _even(lines: list[Array]) -> Array:
    longest = max(map(len, lines))
    return np.stack([np.pad(line.astype(float), (0, longest - len(line)), constant_values=np.nan) for line in lines])


def _final(line: Array) -> float:
    return float(line[-1]) if len(line) else float("nan")


def chance_score(recipe: Recipe, data: Dataset) -> float:
    """Score of the best constant prediction, on the rows that decide."""
    part, train = deciding(data), data.train
    metric = deciding_metric(recipe, data)
    with np.errstate(all="ignore"):
        return float(metric(constant(train, part, data.classes), part.y, np.ones(len(part))))


def _usual_chance(run: Run) -> float:
    """The same without the rows: as if all classes were alike frequent, and numbers were predicted by their mean."""
    if run.metric.key == "accuracy":
        return 1.0 / max(len(run.classes), 2)
    return 0.0 if run.metric.key == "r2" else float("nan")


def constant(train: Part, part: Part, classes: int) -> Array:
    """The best constant prediction, as often as a part has rows."""
    if not classes:
        return np.broadcast_to(train.y.mean(0), part.y.shape).astype(np.float64)
    shares = np.bincount(train.y, minlength=classes) / len(train)
    return np.broadcast_to(shares, (len(part), classes))


def _recalls(runs: Sequence[Run], data: Dataset) -> Array:
    part = deciding(data)
    return recalls([run.predict_proba(part) for run in runs], part, data)


def recalls(told: Sequence[Array], part: Part, data: Dataset) -> Array:
    """Share of each class that is recognized, ``(seeds, classes)``, from what each seed says of the rows of a part."""
    return np.stack([_recall(each.argmax(-1) == part.y, part, data.classes) for each in told])


def uneven(data: Dataset) -> bool:
    """Whether some classes are rare, so that classes are looked at one by one."""
    if not data.classes:
        return False
    counts = np.bincount(data.train.y, minlength=data.classes)
    return bool(counts.max() >= UNEVEN * max(counts[counts > 0].min(), 1))


def _recall(right: Array, part: Part, classes: int) -> Array:
    own = [part.y == index for index in range(classes)]
    return np.array([right[rows].mean() if rows.any() else np.nan for rows in own])
