"""Schedules made of schedules: a warmup in front of one, and one after the other."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar, Self

import jax.numpy as jnp

from kilter.core.drawn import is_open
from kilter.core.errors import InputError
from kilter.core.specs import number, option, part
from kilter.optim.schedules import Schedule, value_at


class Warmup(Schedule):
    """lr(t) = inner(t) (start + (1 - start) min(1, t / (share steps))): a straight rise over any schedule.

    ``inner`` keeps its own clock, from step 0, so that it is not delayed; use `Join` for that. For a warmup of 500 updates
    whatever the length of the run, give ``share=1, steps=500``. PyTorch: ChainedScheduler of LinearLR and the other.

    Args:
        inner: learning rate without the warmup, a number or a schedule.
        share: share of ``steps`` that the rise takes.
        start: share of the rate at step 0.
        steps: length in updates that ``share`` refers to; left open, the whole run.

    >>> [round(float(Warmup(0.1, 1.0, steps=4)(step)), 3) for step in range(6)]
    [0.0, 0.025, 0.05, 0.075, 0.1, 0.1]
    """

    formula: ClassVar[str] = "inner(t) (start + (1 - start) min(1, t / (share steps)))"
    source: ClassVar[str] = "Goyal et al. 2017"
    choose: ClassVar[str] = "Large batches, transformers, and Adam where its first steps do harm."

    inner: float | Schedule = number(scale="log", search=(1e-5, 1.0), also=Schedule)
    share: float = number(default=0.05, range="(0, 1]", search=(0.01, 0.3))
    _: KW_ONLY
    start: float = number(default=0.0, range="[0, 1]")
    steps: float | None = number(default=None, range="[1, inf)", unit="updates", optional=True)

    def __call__(self, step: Any) -> Any:
        progress = jnp.clip(step / (self.share * self.length), 0.0, 1.0)
        return value_at(self.inner, step) * (self.start + (1 - self.start) * progress)


class Join(Schedule):
    """Schedules one after the other, each with a clock of its own that starts at its boundary.

    Boundaries count from the nearest whole update. A schedule in it whose length was left open spans its own piece. Optax's
    join_schedules and PyTorch's SequentialLR have the boundaries in updates.

    Args:
        schedules: two or more, as positional arguments.
        boundaries: shares of ``steps`` where the next one begins, rising, one fewer than schedules.
        steps: length in updates; left open, the whole run.

    Raises:
        InputError: the boundaries do not rise, or are not one fewer than the schedules.

    >>> from kilter import optim
    >>> schedule = Join(optim.Constant(0.1), optim.Polynomial(0.1), boundaries=(0.5,)).over(100)
    >>> [round(float(schedule(step)), 3) for step in (0, 50, 75, 100)]
    [0.1, 0.1, 0.05, 0.0]
    """

    formula: ClassVar[str] = "schedules[i](t - boundaries[i - 1] steps) from boundary i - 1 to boundary i"
    source: ClassVar[str] = "common practice; warmup, stable, decay: Hu et al. 2024 (MiniCPM)"
    choose: ClassVar[str] = "Where no single schedule has the shape, such as warmup, stable, decay."

    schedules: tuple[Schedule, ...] = part(kinds=Schedule, many=True)
    _: KW_ONLY
    boundaries: tuple[float, ...] = option(kinds=(tuple, float, int), range="[0, 1]")
    steps: float | None = number(default=None, range="[1, inf)", unit="updates", optional=True)

    def __init__(self, *schedules: Schedule, boundaries: float | tuple[float, ...], steps: float | None = None) -> None:
        self._fill({"schedules": schedules, "boundaries": boundaries, "steps": steps})

    def _fill(self, given: dict[str, Any]) -> None:
        shares = given["boundaries"]
        shares = tuple(shares) if isinstance(shares, list | tuple) else (shares,)
        super()._fill(given | {"boundaries": shares})
        if is_open(shares) or is_open(self.schedules):
            return  # what is drawn is checked when it is put in
        if len(shares) != len(self.schedules) - 1 or list(shares) != sorted(shares):
            raise InputError(
                f"Join(boundaries={shares!r}): boundaries must rise and be one fewer than the "
                f"{len(self.schedules)} schedules"
            )

    def __call__(self, step: Any) -> Any:
        rate = self.schedules[0](step)
        for share, schedule in zip(self.boundaries, self.schedules[1:], strict=True):
            begin = jnp.round(share * self.length)
            rate = jnp.where(step >= begin, schedule(jnp.maximum(step - begin, 0)), rate)
        return rate

    def over(self, steps: int) -> Self:
        """A copy whose open ``steps`` are filled in; schedules in it span their own pieces."""
        steps = max(steps, 1) if self.steps is None else int(self.steps)
        edges = [round(share * steps) for share in (0.0, *self.boundaries, 1.0)]
        pieces = [
            schedule.over(end - begin)
            for schedule, begin, end in zip(self.schedules, edges[:-1], edges[1:], strict=True)
        ]
        return self.replace(schedules=tuple(pieces), steps=steps)
