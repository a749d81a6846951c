"""Halfway: the members within an epoch, between two of its windows, where a training can be left and taken up."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from kilter.train.step import Learner

Array = np.ndarray[Any, Any]


class Halfway(NamedTuple):
    """All that is needed to go on with an epoch; the order of the rows that follow is a function of its numbers alone.

    Attributes:
        epoch: its number, from 0.
        windows: that it has behind it.
        learners: of each stack; the programs leave them as they are.
        sums: of the losses so far, float64 ``(members,)`` for each stack.
    """

    epoch: int
    windows: int
    learners: Sequence[Learner]
    sums: Sequence[Array]


class Course:
    """An epoch on its way through its windows, of which one is in flight while the next one is made ready.

    Args:
        learners: of each stack.
    """

    def __init__(self, learners: Sequence[Learner]) -> None:
        self.learners = learners
        self.windows = self.rows = 0
        self._sums: Sequence[Any] = [0.0] * len(learners)
        self._flying: Sequence[jax.Array] | None = None

    @classmethod
    def onward(cls, state: Halfway, rows: int) -> Self:
        """The course of a state that has so many rows behind it."""
        course = cls(state.learners)
        course.windows, course.rows, course._sums = state.windows, rows, state.sums
        return course

    def add(self, learners: Sequence[Learner], losses: Sequence[jax.Array], rows: int) -> None:
        """One window more is on its way; the one before is waited for, so that no more than these are on the device."""
        self._settle()
        self.learners, self._flying = learners, losses
        self.windows, self.rows = self.windows + 1, self.rows + rows

    def halfway(self, epoch: int) -> Halfway:
        """The state now."""
        self._settle()
        return Halfway(epoch, self.windows, list(self.learners), list(self._sums))

    def means(self) -> list[Array]:
        """Losses of the rows so far, mean, of each stack."""
        self._settle()
        return [np.asarray(total) / max(self.rows, 1) for total in self._sums]

    def _settle(self) -> None:
        if self._flying is not None:
            pairs = zip(self._sums, self._flying, strict=True)
            self._sums = [total + np.asarray(losses, np.float64) for total, losses in pairs]
            self._flying = None
