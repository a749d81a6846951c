"""Halfway: an epoch between two of its windows, where a training can be left and taken up."""

from collections.abc import Iterator, Sequence
from typing import Any, Self

import jax
import numpy as np

from kilter.core import trees
from kilter.train.checkpoints import Saved
from kilter.train.placing import fetched, to_places
from kilter.train.snapshot import shaped, under
from kilter.train.stack import Stack
from kilter.train.step import Learner

Array = np.ndarray[Any, Any]


class Course:
    """An epoch on its way through its windows, of which one is in flight while the next one is made ready.

    Learners and sums of losses are all that is needed to go on: the order of the rows that follow is a function of the
    number of windows alone.

    Args:
        learners: of each stack.

    Attributes:
        learners: the same after the windows; the programs leave them as they are.
        windows: that it has behind it.
        rows: of these.
    """

    def __init__(self, learners: Sequence[Learner]) -> None:
        self.learners = learners
        self.windows = self.rows = 0
        self._sums: Sequence[Any] = [0.0] * len(learners)
        self._flying: Sequence[jax.Array] | None = None

    @classmethod
    def onward(cls, saved: Saved, stacks: Sequence[Stack], like: Learner, size: int) -> Self:
        """The course that a checkpoint holds.

        Args:
            saved: the checkpoint.
            stacks: in which its members stand now, perhaps others than before.
            like: looks as one learner does.
            size: rows of a window.
        """
        found = dict(_members(saved, like))
        slots = [np.resize(stack.indices, len(stack.roster.seats)).tolist() for stack in stacks]
        course = cls(
            [
                _placed(stack, trees.stack([found[index][0] for index in own]))
                for stack, own in zip(stacks, slots, strict=True)
            ]
        )
        course.windows = saved.meta["windows"]
        course.rows = course.windows * size
        course._sums = [np.array([found[index][1] for index in own]) for own in slots]
        return course

    def add(self, learners: Sequence[Learner], losses: Sequence[jax.Array], rows: int) -> None:
        """One window more is on its way; the one before is waited for, so that no more than these are on the device."""
        self._settle()
        self.learners, self._flying = learners, losses
        self.windows, self.rows = self.windows + 1, self.rows + rows

    def taken(self) -> dict[str, Any]:
        """Arrays that a checkpoint takes, which `onward` finds again: float64 sums ``(members,)``, and the learners."""
        self._settle()
        return {"learners": [fetched(learners) for learners in self.learners], "sums": list(self._sums)}

    def means(self) -> list[Array]:
        """Losses of the rows so far, mean, of each stack."""
        self._settle()
        return [np.asarray(total) / max(self.rows, 1) for total in self._sums]

    def _settle(self) -> None:
        if self._flying is not None:
            pairs = zip(self._sums, fetched(self._flying), strict=True)
            self._sums = [total + np.asarray(losses, np.float64) for total, losses in pairs]
            self._flying = None


def _members(saved: Saved, like: Learner) -> Iterator[tuple[int, tuple[Learner, Any]]]:
    """Learner and sum of losses of each member of a checkpoint, by its index in the fleet."""
    for place, indices in enumerate(saved.meta["stacks"]):
        learners = shaped(under(f"course.learners.{place}", saved.state), like)
        for slot, index in enumerate(indices):
            yield index, (trees.take(learners, slot), saved.state[f"course.sums.{place}"][slot])


def _placed(stack: Stack, learners: Learner) -> Learner:
    return to_places(stack.members._replace(learner=learners), stack.mesh).learner
