"""Schedules: a learning rate as a function of the step."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number
from kilter.core.values import Value


class Schedule(Value, abstract=True):
    """Base of all schedules: called with the number of updates already made, from 0, returns a learning rate.

    A schedule with a field ``steps`` that is left open spans the whole run.
    """

    home: ClassVar[str] = "optim"

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError


class Constant(Schedule):
    """Always ``lr``; the same as giving the number itself."""

    lr: float = number(scale="log", search=(1e-5, 1.0))

    def __call__(self, step: Any) -> Any:
        return self.lr


class Cosine(Schedule):
    """Half a cosine from ``lr`` at step 0 down to ``end * lr`` after ``steps``, then constant. Loshchilov and Hutter 2017.

    lr(t) = lr (end + (1 - end) (1 + cos(pi t / steps)) / 2)

    Args:
        lr: learning rate at the start.
        end: share of it that is left at the end.
        steps: length in updates; left open, the whole run.

    >>> schedule = Cosine(0.1, steps=100)
    >>> round(float(schedule(50)), 6), round(float(schedule(200)), 6)
    (0.05, 0.0)
    """

    lr: float = number(scale="log", search=(1e-5, 1.0))
    end: float = number(default=0.0, range="[0, 1]")
    _: KW_ONLY
    steps: float | None = number(default=None, range="[1, inf)", unit="updates", optional=True)

    def __call__(self, step: Any) -> Any:
        if self.steps is None:
            raise InputError(f"{self!r} spans a run and has no length outside of one; give steps=")
        progress = jnp.clip(step / self.steps, 0.0, 1.0)
        return self.lr * (self.end + (1 - self.end) * 0.5 * (1 + jnp.cos(jnp.pi * progress)))
