"""Schedules that are a shape stretched over the run: straight, along cosines, or up and down."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.schedules import Shaped


def half_cosine(start: Any, end: Any, progress: Any) -> Any:
    """From ``start`` at progress 0 to ``end`` at 1, flat at both."""
    return end + (start - end) * 0.5 * (1 + jnp.cos(jnp.pi * progress))


class Polynomial(Shaped):
    """lr(t) = lr (end + (1 - end) (1 - t / steps)^power), then constant: straight with ``power`` 1, as unless given.

    As PyTorch's PolynomialLR, LinearLR (``end`` there is ``end_factor``) and Optax's polynomial_schedule.

    Args:
        lr: learning rate at the start.
        end: share of it that is left at the end.
        power: 1 is a straight line, more falls faster at first.
        steps: length in updates; left open, the whole run.

    >>> float(Polynomial(0.5, steps=100)(50))
    0.25
    """

    formula: ClassVar[str] = "lr (end + (1 - end) (1 - t / steps)^power)"
    source: ClassVar[str] = "Liu et al. 2016 (ParseNet); straight: Smith and Topin 2019, Defazio et al. 2023"
    choose: ClassVar[str] = "Straight to zero: as good as the cosine or better in most comparisons."

    end: float = number(default=0.0, range="[0, 1]")
    _: KW_ONLY
    power: float = number(default=1.0, range="(0, inf)", search=(0.5, 4.0))

    def shape(self, progress: Any) -> Any:
        return self.end + (1 - self.end) * (1 - progress) ** self.power


class Cosine(Shaped):
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

    formula: ClassVar[str] = "lr (end + (1 - end) (1 + cos(pi t / steps)) / 2)"
    source: ClassVar[str] = "Loshchilov and Hutter 2017"
    choose: ClassVar[str] = "The first choice for a training of known length."

    end: float = number(default=0.0, range="[0, 1]")

    def shape(self, progress: Any) -> Any:
        return half_cosine(1.0, self.end, progress)


class CosineRestarts(Shaped):
    """SGDR: `Cosine` again and again, each cycle ``growth`` times as long as the last and ``factor`` times as high.

    Loshchilov and Hutter 2017. PyTorch's CosineAnnealingWarmRestarts has T_0 = first steps, T_mult = growth, factor = 1.
    It jumps at each restart. Cycles end with the run for first = 1 / n with growth 1, or 1 / (2^n - 1) with growth 2.

    Args:
        lr: learning rate at the start.
        end: share of it that is left at the end of a cycle.
        first: share of ``steps`` that the first cycle takes.
        growth: length of a cycle over that of the one before, at least 1.
        factor: height of a cycle over that of the one before.
        steps: length in updates; left open, the whole run.

    >>> schedule = CosineRestarts(0.1, first=0.25, steps=100)
    >>> [round(float(schedule(step)), 3) for step in (0, 24, 25, 50, 75)]
    [0.1, 0.0, 0.1, 0.05, 0.1]
    """

    formula: ClassVar[str] = "lr factor^i (end + (1 - end) (1 + cos(pi t_i)) / 2), t_i the share of cycle i"
    source: ClassVar[str] = "Loshchilov and Hutter 2017"
    choose: ClassVar[str] = "For a snapshot ensemble, one network at the end of each cycle."

    end: float = number(default=0.0, range="[0, 1]")
    _: KW_ONLY
    first: float = number(default=1 / 7, range="(0, 1]")
    growth: float = number(default=2.0, range="[1, inf)", search=(1.0, 3.0))
    factor: float = number(default=1.0, range="(0, 1]")

    def shape(self, progress: Any) -> Any:
        time = progress / self.first
        cycle = self._cycle(time)
        share = jnp.clip((time - self._begin(cycle)) / self.growth**cycle, 0.0, 1.0)
        return self.factor**cycle * half_cosine(1.0, self.end, share)

    def _begin(self, cycle: Any) -> Any:
        """Begin of a cycle, in lengths of the first one: 1 + growth + growth^2 + ..."""
        more = self.growth - 1.0
        return jnp.where(more > 1e-6, (self.growth**cycle - 1.0) / jnp.where(more > 1e-6, more, 1.0), cycle)

    def _cycle(self, time: Any) -> Any:
        more = jnp.maximum(self.growth - 1.0, 1e-6)
        guess = jnp.where(
            self.growth - 1.0 > 1e-6, jnp.floor(jnp.log1p(time * more) / jnp.log1p(more)), jnp.floor(time)
        )
        # The logarithm may miss a restart by one rounding to either side.
        slack = 1e-6 * (1.0 + time)
        guess = jnp.where(time + slack >= self._begin(guess + 1.0), guess + 1.0, guess)
        return jnp.where(time + slack < self._begin(guess), guess - 1.0, guess)


class FlatCosine(Shaped):
    """``lr`` for the share ``flat`` of ``steps``, then half a cosine down to ``end * lr``.

    Wright 2019 (fastai's fit_flat_cos, there with flat 0.72).

    Args:
        lr: learning rate at the start.
        end: share of it that is left at the end.
        flat: share of the run before it falls.
        steps: length in updates; left open, the whole run.
    """

    formula: ClassVar[str] = "lr while t < flat steps, then a cosine to end lr"
    source: ClassVar[str] = "Wright 2019 (fastai)"
    choose: ClassVar[str] = "With RAdam or Lion, or where the length may still be extended."

    end: float = number(default=0.0, range="[0, 1]")
    _: KW_ONLY
    flat: float = number(default=0.7, range="[0, 1)")

    def shape(self, progress: Any) -> Any:
        return half_cosine(1.0, self.end, jnp.maximum(progress - self.flat, 0.0) / (1.0 - self.flat))


class OneCycle(Shaped):
    """Half a cosine from ``start * lr`` up to ``lr`` at the share ``rise`` of ``steps``, another down to ``end * lr``.

    Smith 2018. PyTorch's OneCycleLR has start = 1 / div_factor, end = start / final_div_factor, is one update shorter, and
    lets the momentum fall and rise besides.

    Args:
        lr: highest learning rate.
        start: share of it at the start.
        end: share of it at the end.
        rise: share of the run until the highest.
        steps: length in updates; left open, the whole run.
    """

    formula: ClassVar[str] = "cosine from start lr up to lr at rise steps, then down to end lr"
    source: ClassVar[str] = "Smith 2018; Smith and Topin 2019"
    choose: ClassVar[str] = "Short trainings at a high lr."

    _: KW_ONLY
    start: float = number(default=0.04, range="[0, 1]")
    end: float = number(default=4e-6, range="[0, 1]")
    rise: float = number(default=0.3, range="(0, 1)")

    def shape(self, progress: Any) -> Any:
        up = half_cosine(self.start, 1.0, jnp.minimum(progress / self.rise, 1.0))
        down = half_cosine(1.0, self.end, jnp.maximum(progress - self.rise, 0.0) / (1.0 - self.rise))
        return jnp.where(progress < self.rise, up, down)


class Coslog4(Shaped):
    """lr(t) = lr (1 - cos(2 pi log2(1 + 15 t / steps))) / 2: four waves, each twice as long as the last.

    From 0 at the start to 0 at the end, at ``lr`` four times between. Holzmüller et al. 2024 (RealMLP), appendix A.

    Args:
        lr: highest learning rate.
        steps: length in updates; left open, the whole run.
    """

    formula: ClassVar[str] = "lr (1 - cos(2 pi log2(1 + 15 t / steps))) / 2"
    source: ClassVar[str] = "Holzmüller et al. 2024"
    choose: ClassVar[str] = "Tables, with early stopping: the weights are good at the end of each wave."

    def shape(self, progress: Any) -> Any:
        return 0.5 * (1 - jnp.cos(2 * jnp.pi * jnp.log2(1 + 15 * progress)))
