"""Schedules that fall by a law of their own, in steps or smoothly."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.optim.schedules import Schedule, Shaped


class Step(Schedule):
    """lr(t) = lr factor^floor(t / every): falls at once, again and again; PyTorch's StepLR.

    Args:
        lr: learning rate at the start.
        every: updates between two falls.
        factor: what is left after a fall.

    >>> [round(float(Step(1.0, 10)(step)), 3) for step in (0, 9, 10, 20)]
    [1.0, 1.0, 0.1, 0.01]
    """

    formula: ClassVar[str] = "lr factor^floor(t / every)"
    source: ClassVar[str] = "Krizhevsky et al. 2012"
    choose: ClassVar[str] = "To repeat published results that used it."

    lr: float = number(scale="log", search=(1e-5, 1.0))
    every: float = number(range="[1, inf)", scale="log", unit="updates")
    _: KW_ONLY
    factor: float = number(default=0.1, range="(0, 1]", search=(0.1, 0.9))

    def __call__(self, step: Any) -> Any:
        return self.lr * self.factor ** jnp.floor(step / self.every)


class Exponential(Schedule):
    """lr(t) = lr factor^(t / every): `Step` without its jumps; PyTorch's ExponentialLR, Optax's exponential_decay.

    Args:
        lr: learning rate at the start.
        every: updates in which it falls by ``factor``.
        factor: what is left after ``every`` updates.
    """

    formula: ClassVar[str] = "lr factor^(t / every)"
    source: ClassVar[str] = "Bottou 2012 compares it"
    choose: ClassVar[str] = "Trainings without a fixed end, with early stopping."

    lr: float = number(scale="log", search=(1e-5, 1.0))
    every: float = number(range="(0, inf)", scale="log", unit="updates")
    _: KW_ONLY
    factor: float = number(default=0.1, range="(0, 1]", search=(0.1, 0.9))

    def __call__(self, step: Any) -> Any:
        return self.lr * self.factor ** (step / self.every)


class Geometric(Shaped):
    """lr(t) = lr end^(t / steps): by a constant factor an update to ``end`` times lr; `Exponential` over a whole run.

    Optax's exponential_decay with ``end`` as its rate. Above 1 it rises, as in `kilter.lr_range_test`.

    Args:
        lr: learning rate at the start.
        end: share of ``lr`` at the end.
        steps: length in updates; left open, the whole run.

    >>> [round(float(Geometric(1.0, steps=4)(step)), 3) for step in (0, 2, 4)]
    [1.0, 0.1, 0.01]
    """

    formula: ClassVar[str] = "lr end^(t / steps)"
    source: ClassVar[str] = "Bottou 2012 compares it; rising: Smith 2017, Gugger 2018"
    choose: ClassVar[str] = "A run of known length whose rate should pass all sizes evenly."

    lr: float = number(scale="log", search=(1e-5, 1.0))
    end: float = number(default=0.01, range="(0, inf)", scale="log", search=(1e-4, 0.1))
    _: KW_ONLY
    steps: float | None = number(default=None, range="[1, inf)", unit="updates", optional=True)

    def shape(self, progress: Any) -> Any:
        return self.end**progress


class InverseTime(Schedule):
    """lr(t) = lr / (1 + t / half)^power: with ``power`` 1 it has halved after ``half`` updates.

    With power 1 the sum of all rates is infinite and that of their squares is finite, which makes gradient descent converge
    (Robbins and Monro 1951); 0.5 is the inverse root of transformers. Keras' InverseTimeDecay has decay_rate / decay_steps
    in place of 1 / half.

    Args:
        lr: learning rate at the start.
        half: updates after which it is lr / 2^power.
        power: how fast it falls in the end.
    """

    formula: ClassVar[str] = "lr / (1 + t / half)^power"
    source: ClassVar[str] = "Robbins and Monro 1951"
    choose: ClassVar[str] = "Convex problems and streams without an end."

    lr: float = number(scale="log", search=(1e-5, 1.0))
    half: float = number(range="(0, inf)", scale="log", unit="updates")
    _: KW_ONLY
    power: float = number(default=1.0, range="(0, inf)", search=(0.5, 1.0))

    def __call__(self, step: Any) -> Any:
        return self.lr / (1.0 + step / self.half) ** self.power


class MultiStep(Schedule):
    """Falls by ``factor`` at each of the ``boundaries``, shares of ``steps``; PyTorch's MultiStepLR has them in updates.

    Boundaries count from the nearest whole update. Milestones 30 and 60 of 100 are ``(0.3, 0.6)`` with ``steps=100``.

    Args:
        lr: learning rate at the start.
        boundaries: shares of the run, from 0 to 1.
        factor: what is left after a fall.
        steps: length in updates; left open, the whole run.

    >>> [round(float(MultiStep(1.0, (0.5, 0.75), steps=100)(step)), 3) for step in (49, 50, 75)]
    [1.0, 0.1, 0.01]
    """

    formula: ClassVar[str] = "lr factor^(number of boundaries passed)"
    source: ClassVar[str] = "He et al. 2016"
    choose: ClassVar[str] = "Residual nets on images with SGD, falling at a half and three quarters."

    lr: float = number(scale="log", search=(1e-5, 1.0))
    boundaries: tuple[float, ...] = option(default=(0.5, 0.75), kinds=(tuple, float, int), range="[0, 1]")
    _: KW_ONLY
    factor: float = number(default=0.1, range="(0, 1]", search=(0.1, 0.9))
    steps: float | None = number(default=None, range="[1, inf)", unit="updates", optional=True)

    def __call__(self, step: Any) -> Any:
        shares = self.boundaries if isinstance(self.boundaries, tuple) else (self.boundaries,)
        passed = sum(jnp.where(step >= jnp.round(share * self.length), 1.0, 0.0) for share in shares)
        return self.lr * self.factor**passed
