"""Where a training that diverged broke: the update and the layer of the first number that was not finite."""

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import numpy as np

from kilter.core.keys import named
from kilter.data.dataset import Dataset
from kilter.doctor.chart import Course
from kilter.optim.optimizer import spanning
from kilter.train.batches import batch_of, updates
from kilter.train.interrupt import Interrupt
from kilter.train.launch import fleets
from kilter.train.order import permutation
from kilter.train.parts import parts_of
from kilter.train.recipe import Recipe
from kilter.train.rows import scalings
from kilter.train.step import Batch, Learner, Parts, step
from kilter.train.task import Task
from kilter.vitals import NonFinite, first_nonfinite

Array = np.ndarray[Any, Any]


def broken(course: Course, recipe: Recipe, data: Dataset) -> Course:
    """The course with the place where the first of its seeds broke, where one has diverged."""
    if not course.diverged.any():
        return course
    seat = int(course.diverged.argmax())
    loss = course.history["loss"][seat]
    epoch = int((~np.isfinite(loss)).argmax()) if not np.isfinite(loss).all() else len(loss) - 1
    found = first_of(recipe, data, course.seeds[seat], epoch)
    return course if found is None else replace(course, broke=found)


def first_of(recipe: Recipe, data: Dataset, seed: int, epoch: int) -> NonFinite | None:
    """The first number of an epoch that was not finite: the training is gone through again up to there, then looked at."""
    rows = len(data.train)
    each = updates(recipe, rows)
    parts = parts_of(recipe, data, spanning(recipe.optimizer, max(recipe.epochs * each, 1)))
    inputs, targets = scalings(recipe, data)
    order = permutation(seed, epoch, rows) if recipe.shuffle else np.arange(rows)
    chosen = order[: rows // batch_of(recipe, rows) * batch_of(recipe, rows)].reshape(-1, batch_of(recipe, rows))
    weights = None if data.train.weights is None else data.train.weights[chosen]
    batches = (inputs.apply(data.train.x)[chosen], targets.apply(data.train.y)[chosen], weights)
    key, first = named(jax.random.key(seed), "train"), epoch * each
    keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(first + np.arange(len(chosen)))
    learner = _learner(recipe, data, seed, epoch)
    return first_nonfinite(
        recipe.net, recipe.loss, _step_of(parts), tuple(learner), batches, keys, first=first, penalty=recipe.penalty
    )  # fmt: skip


@cache
def _step_of(parts: Parts) -> Any:
    """One update, as `first_nonfinite` calls it; the same function for the same parts, so that it is compiled once."""

    def one(learner: Any, rows: Any, key: Any, number: Any) -> tuple[Any, Any]:
        after, loss = step(parts, Learner(*learner), Batch(*rows), len(rows[0]), key, number)
        return tuple(after), loss

    return one


def _learner(recipe: Recipe, data: Dataset, seed: int, epoch: int) -> Learner:
    """The learner after so many epochs."""
    task = Task([(recipe.replace(epochs=max(recipe.epochs, epoch + 1)), seed)], data, until=epoch)
    ((_, fleet),) = fleets(task)
    fleet.run(False, Interrupt())
    return fleet.member(0).learner
