"""The contract of a schedule, a learning rate as a function of the step; those without a length, and the base of shapes."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number
from kilter.optim.timed import Timed


class Schedule(Timed, abstract=True):
    """Base of all schedules: called with the number of updates already made, from 0, returns a learning rate.

    A schedule with a field ``steps`` that is left open spans the whole run; `Timed.over` fills it in.
    """

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError

    @property
    def length(self) -> Any:
        """Its ``steps``, or an `InputError` where they are still open."""
        steps = getattr(self, "steps", None)
        if steps is None:
            raise InputError(f"{self!r} spans a run and has no length outside of one; give steps=")
        return steps


def value_at(lr: Any, step: Any) -> Any:
    """A learning rate after ``step`` updates, whether a number or a schedule."""
    return lr(step) if isinstance(lr, Schedule) else lr


class Constant(Schedule):
    """Always ``lr``; the same as giving the number itself."""

    formula: ClassVar[str] = "lr"
    source: ClassVar[str] = "Robbins and Monro 1951"
    choose: ClassVar[str] = "As a piece of Join, or while you look for the right lr."

    lr: float = number(scale="log", search=(1e-5, 1.0))

    def __call__(self, step: Any) -> Any:
        return self.lr


class Shaped(Schedule, abstract=True):
    """lr(t) = lr shape(t / steps), constant after ``steps``: base of the schedules that have a length."""

    lr: float = number(scale="log", search=(1e-5, 1.0))
    _: KW_ONLY
    steps: float | None = number(default=None, range="[1, inf)", unit="updates", optional=True)

    def __call__(self, step: Any) -> Any:
        return self.lr * self.shape(jnp.clip(step / self.length, 0.0, 1.0))

    def shape(self, progress: Any) -> Any:
        """Share of ``lr`` at a share of the length, both from 0 to 1."""
        raise NotImplementedError
