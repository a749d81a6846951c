"""Yogi: Adam whose mean square rises and falls by a bounded amount."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.moments import corrected, over_root, shrunk, squared, toward, zeros_like
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class Yogi(Rated):
    """Adam with v = v - (1 - b2) sign(v - g^2) g^2: after large gradients its step recovers slowly.

    Zaheer et al. 2018, algorithm 2, with Adam's corrections as in Optax, which starts m at 1e-6 too; here m starts at 0.

    Args:
        lr: learning rate, a number or a schedule.
        b1: share of the mean gradient that survives a step.
        b2: one minus the share of g^2 that v rises or falls by.
        epsilon: added to the root.
        initial: v before the first update.
        weight_decay: share of the kernels, times lr, that each step takes away.
    """

    formula: ClassVar[str] = "Adam with v = v - (1 - b2) sign(v - g^2) g^2"
    source: ClassVar[str] = "Zaheer et al. 2018"
    choose: ClassVar[str] = "Gradients that are mostly zero, where Adam forgets their size too soon."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=1e-2, scale="log", search=(1e-5, 1e-1), also=Schedule)
    _: KW_ONLY
    b1: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.99))
    b2: float = number(default=0.999, range="[0, 1)", scale="complement", search=(0.9, 0.9999))
    epsilon: float = number(default=1e-3, range="(0, inf)", scale="log", search=(1e-8, 1e-2))
    initial: float = number(default=1e-6, range="[0, inf)", scale="log", search=(1e-8, 1e-2))
    weight_decay: float = number(default=0.0, range="[0, inf)", scale="log", search=(1e-5, 1e-1))

    def init(self, params: Tree) -> Tree:
        return {"mean": zeros_like(params), "square": jax.tree.map(lambda p: p * 0 + self.initial, params)}

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c1, c2, lr = self.complement("b1"), self.complement("b2"), self.rate(step)
        mean = toward(state["mean"], grads, c1)
        square = jax.tree.map(lambda v, s: v - c2 * jnp.sign(v - s) * s, state["square"], squared(grads))
        k1, k2 = corrected(c1, step + 1), corrected(c2, step + 1)

        def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            return shrunk(p, lr * self.weight_decay) - over_root(lr / k1, m, v, k2, self.epsilon)

        return jax.tree.map(moved, params, mean, square), {"mean": mean, "square": square}
