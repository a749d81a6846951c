"""When members of a fleet have ended, the others are gathered: in fewer stacks, or in smaller ones where a compile pays."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np

from kilter.core import job, trees
from kilter.data.dataset import Dataset
from kilter.nn.layer import shapes
from kilter.train.batches import updates
from kilter.train.epoch import Member
from kilter.train.grouping import COMPILE, PRODUCT, UPDATE
from kilter.train.layout import Layout, shrunk
from kilter.train.recipe import Recipe
from kilter.train.roster import Roster
from kilter.train.stack import Stack

if TYPE_CHECKING:
    from kilter.train.fleet import Fleet

# A smaller program for the members that are left is compiled if it saves this many times what compiling takes.
_PAYS = 2.0
# Looks in a training that is kept; between them members that have ended stay where they are.
_LOOKS = 32


def regroup(fleet: "Fleet", seconds: float) -> None:
    """Gather those that are running, where others have ended; an epoch of all stacks took so many seconds.

    In a training that is kept nothing measured decides: it must be the same when it goes on.
    """
    running = [index for stack in fleet.stacks for index in stack.running]
    (compiling,) = job.most(max(COMPILE, fleet.seconds["compile"]))  # this one may have been found compiled
    if fleet.task.keeper is not None:
        if running and fleet.done % stride(fleet.size, fleet.most):
            return
        recipe, compiling = fleet.task.members[0][0], COMPILE
        seconds = len(fleet.stacks) * _estimated(recipe, fleet.data, fleet.layout)
    layout = _suited(fleet.layout, len(running), seconds * (fleet.most - fleet.done), compiling)
    if layout == fleet.layout and -(-len(running) // layout.size) == len(fleet.stacks):
        return
    fleet.settle()
    gather(fleet, running, layout)


def gather(fleet: "Fleet", running: Sequence[int], layout: Layout) -> None:
    """Put members of a fleet that stand nowhere in stacks of a layout."""
    if layout.mesh != fleet.layout.mesh:
        _, fleet.rows, fleet.judged = fleet.load(fleet.task.members[0][0], layout.mesh)
    fleet.layout = layout
    for start in range(0, len(running), layout.size):
        chosen = running[start : start + layout.size]
        kept = [fleet.ended.pop(index) for index in chosen]

        def members(slots: Roster, kept: list[Member] = kept) -> Member:
            order = np.resize(np.arange(len(kept)), layout.size)
            return jax.tree.map(lambda *leaves: np.stack(leaves)[order], *kept)

        fleet.stacks.append(Stack.of(chosen, fleet.roster, members, layout))


def stride(members: int, epochs: int) -> int:
    """Epochs between looks where nothing measured may decide when they come."""
    return max(1, epochs // _LOOKS) if members > 1 else max(1, epochs)


def _suited(layout: Layout, running: int, seconds: float, compiling: float) -> Layout:
    """The layout for those that are running, where the epochs that are left take so many seconds in the present one."""
    smaller = shrunk(layout, running)
    gained = seconds * (1 - smaller.size / layout.size)
    return layout if running > layout.size / 2 or gained < _PAYS * compiling else smaller


def _estimated(recipe: Recipe, data: Dataset, layout: Layout) -> float:
    """Seconds that an epoch of a stack takes, as far as shapes tell."""
    rows, (params, _, _) = data.rows, shapes(recipe.net, data.shape)
    return layout.width * (UPDATE * updates(recipe, rows) + PRODUCT * rows * trees.size(params))
