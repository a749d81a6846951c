"""What tells the members of a fleet apart."""

from typing import Any, NamedTuple

import jax
import numpy as np

from kilter.core import trees
from kilter.optim.optimizer import spanning
from kilter.train import batches
from kilter.train.mold import Mold
from kilter.train.parts import parts_of
from kilter.train.step import Parts
from kilter.train.task import Task


class Roster(NamedTuple):
    """Members of one structure, one entry a member in every array.

    Attributes:
        parts: of the recipes, numbers stacked.
        seeds: of the members.
        seats: which of the orders a member follows.
        epochs: how many each has in all.
        batches: rows of a batch, or None where all have one size.
    """

    parts: Parts
    seeds: Any
    seats: Any
    epochs: Any
    batches: Any = None

    @classmethod
    def of(cls, task: Task, mold: Mold | None) -> "Roster":
        """The members of a task, with their recipes cast in a mold where there is one."""
        recipes, seeds = [recipe for recipe, _ in task.members], [seed for _, seed in task.members]
        cast = recipes if mold is None else [mold.cast(recipe) for recipe in recipes]
        rows = task.data.rows
        spans = [spanning(each.optimizer, each.epochs * batches.updates(each, rows)) for each in cast]
        mixed = mold is not None and mold.mixed
        return cls(
            trees.stack([parts_of(each, task.data, span) for each, span in zip(cast, spans, strict=True)]),
            np.array(seeds, np.uint32),
            np.array([list(dict.fromkeys(seeds)).index(seed) for seed in seeds], np.int32),
            np.array([task.last(recipe) for recipe in recipes], np.int32),
            np.array([batches.batch_of(recipe, rows) for recipe in recipes], np.int32) if mixed else None,
        )

    def take(self, slots: Any) -> "Roster":
        """The members with these indices."""
        return jax.tree.map(lambda leaf: leaf[slots], self)
