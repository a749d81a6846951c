"""Averages of the parameters over the updates, to evaluate with: Polyak's mean, the exponential one, and SWA."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.moments import toward
from kilter.optim.optimizer import Tree
from kilter.optim.wrapper import Following


class Average(Following):
    """a = a + c (p - a) with c = max(1 - decay, 1 / t), t = 1, 2, ... at every ``every``-th update after ``start``.

    The plain mean of all parameters so far until there are 1 / (1 - decay) of them, then their exponential moving average;
    so it needs no correction, and ``decay=1`` is Polyak's mean throughout. Training goes on with p; `averaged` reads a.
    Stochastic weight averaging (SWA) is ``Average(inner, 1.0, start=..., every=...)`` with ``every`` the updates of an
    epoch, or of a cycle of `CosineRestarts`, and a constant, rather large lr.

    Polyak and Juditsky 1992; SWA: Izmailov et al. 2018, algorithm 1. PyTorch's AveragedModel with a plain
    mean is decay = 1; its EMA begins at the first parameters with their full weight, that of Optax at zero with a
    correction.

    Args:
        inner: optimizer that moves the parameters.
        decay: share of the average that survives a step; 1 is the plain mean.
        start: updates to leave out at first.
        every: updates from one that counts to the next; until the first of them the average is the parameters.
    """

    formula: ClassVar[str] = "a = a + max(1 - decay, 1 / t) (p - a) at every every-th update; SWA: decay = 1"
    source: ClassVar[str] = "Polyak and Juditsky 1992; Izmailov et al. 2018"
    choose: ClassVar[str] = "To spare the schedule: the average is about as good as a decayed learning rate."
    paddable: ClassVar[bool] = True

    keeps: ClassVar[bool] = True

    decay: float = number(default=0.999, range="[0, 1]", scale="complement", search=(0.9, 0.9999))
    _: KW_ONLY
    start: float = number(default=0.0, range="[0, inf)", unit="updates")
    every: float = number(default=1.0, range="[1, inf)", unit="updates")

    def init(self, params: Tree) -> Tree:
        return {"inner": self.inner.init(params), "average": jax.tree.map(lambda p: jnp.array(p, copy=True), params)}

    def follow(self, before: Tree, after: Tree, inner: Tree, state: Tree, step: Any) -> tuple[Tree, Tree]:
        age = step + 1 - self.start
        count = jnp.floor(age / self.every)
        counts = (count > jnp.floor((age - 1) / self.every)) | (count < 1)
        share = jnp.where(counts, jnp.maximum(self.complement("decay"), 1.0 / jnp.maximum(count, 1.0)), 0.0)
        average = toward(state["average"], self.inner.averaged(inner, after), share)
        return after, {"inner": inner, "average": average}

    def averaged(self, state: Tree, params: Tree) -> Tree:
        """The average of the parameters; before any update the parameters themselves."""
        return state["average"]
