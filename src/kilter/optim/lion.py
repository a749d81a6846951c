"""Lion: the sign of a momentum that looks one gradient ahead."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.moments import shrunk, toward, zeros_like
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class Lion(Rated):
    """p = p - lr sign(b1 m + (1 - b1) g) - lr weight_decay p; m = b2 m + (1 - b2) g.

    Chen et al. 2023, algorithm 2. The same as in Optax. Every number moves by lr each step, so that lr must fall toward
    the end; the paper takes a third to a tenth of Adam's lr, and a weight_decay larger by as much.

    Args:
        lr: distance of a step, a number or a schedule.
        b1: share of m in the step.
        b2: share of m that survives a step.
        weight_decay: share of the kernels, times lr, that each step takes away.
    """

    formula: ClassVar[str] = "p = p - lr sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g"
    source: ClassVar[str] = "Chen et al. 2023"
    choose: ClassVar[str] = "Large batches and memory for one moment alone; with a schedule that ends low."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=1e-4, scale="log", search=(1e-6, 1e-2), also=Schedule)
    _: KW_ONLY
    b1: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.99))
    b2: float = number(default=0.99, range="[0, 1)", scale="complement", search=(0.9, 0.999))
    weight_decay: float = number(default=0.0, range="[0, inf)", scale="log", search=(1e-3, 1.0))

    def init(self, params: Tree) -> Tree:
        return zeros_like(params)

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c1, lr = self.complement("b1"), self.rate(step)

        def moved(p: jax.Array, m: jax.Array) -> jax.Array:
            return shrunk(p, lr * self.weight_decay) - lr * jnp.sign(m)

        params = jax.tree.map(moved, params, toward(state, grads, c1))
        return params, toward(state, grads, self.complement("b2"))
