"""Adamax: Adam with the largest recent gradient in place of the root mean square."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.moments import corrected, shrunk, toward, zeros_like
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class Adamax(Rated):
    """m = b1 m + (1 - b1) g; u = max(b2 u, |g| + epsilon); p = p - lr / (1 - b1^t) m / u.

    Kingma and Ba 2015, algorithm 2. The same as in PyTorch and Optax; Keras adds epsilon to u.

    Args:
        lr: learning rate, a number or a schedule; no number moves by more than about lr.
        b1: share of the mean gradient that survives a step.
        b2: share of the largest gradient that survives a step.
        epsilon: least size of a gradient.
        weight_decay: share of the kernels, times lr, that each step takes away.
    """

    formula: ClassVar[str] = "u = max(b2 u, |g| + epsilon); p = p - lr / (1 - b1^t) m / u"
    source: ClassVar[str] = "Kingma and Ba 2015, section 7.1"
    choose: ClassVar[str] = "Rare but large gradients, as embeddings have."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=2e-3, scale="log", search=(1e-5, 1e-1), also=Schedule)
    _: KW_ONLY
    b1: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.99))
    b2: float = number(default=0.999, range="[0, 1)", scale="complement", search=(0.9, 0.9999))
    epsilon: float = number(default=1e-8, range="(0, inf)", scale="log", search=(1e-10, 1e-4))
    weight_decay: float = number(default=0.0, range="[0, inf)", scale="log", search=(1e-5, 1e-1))

    def init(self, params: Tree) -> Tree:
        return {"mean": zeros_like(params), "largest": zeros_like(params)}

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c1, c2, lr = self.complement("b1"), self.complement("b2"), self.rate(step)
        mean = toward(state["mean"], grads, c1)
        k1 = corrected(c1, step + 1)

        def larger(u: jax.Array, g: jax.Array) -> jax.Array:
            return jnp.maximum(u - c2 * u, jnp.abs(g) + self.epsilon)

        largest = jax.tree.map(larger, state["largest"], grads)

        def moved(p: jax.Array, m: jax.Array, u: jax.Array) -> jax.Array:
            return shrunk(p, lr * self.weight_decay) - (lr / k1) * m / u

        return jax.tree.map(moved, params, mean, largest), {"mean": mean, "largest": largest}
