"""Adam, with decoupled weight decay (AdamW) as a setting."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.optimizer import Optimizer, Tree, zeros_like
from kilter.optim.schedules import Schedule


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon) - lr weight_decay p, t = 1, 2, ...

    Kingma and Ba 2015, algorithm 1; decoupled weight decay: Loshchilov and Hutter 2019, algorithm 2 (AdamW). It shrinks
    kernels (arrays with two axes or more) alone, never biases and norm scales; PyTorch's AdamW shrinks all.

    The decays are kept as complements and 1 - b^t is computed as -expm1(t log1p(-(1 - b))), exact to 1e-5 in float32.

    Args:
        lr: learning rate, a number or a schedule.
        b1: share of the mean gradient that survives a step.
        b2: share of the mean square that survives a step.
        epsilon: added to the root, outside of it.
        weight_decay: share of the kernels, times lr, that each step takes away.
    """

    lr: float | Schedule = number(default=1e-3, scale="log", search=(1e-5, 1e-1), also=Schedule)
    _: KW_ONLY
    b1: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.99))
    b2: float = number(default=0.999, range="[0, 1)", scale="complement", search=(0.9, 0.9999))
    epsilon: float = number(default=1e-8, range="[0, inf)", scale="log", search=(1e-10, 1e-4))
    weight_decay: float = number(default=0.0, range="[0, inf)", scale="log", search=(1e-5, 1e-1))

    def init(self, params: Tree) -> Tree:
        return {"mean": zeros_like(params), "square": zeros_like(params)}

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c1, c2, lr = self.complement("b1"), self.complement("b2"), self.rate(step)
        mean = jax.tree.map(lambda m, g: m + c1 * (g - m), state["mean"], grads)
        square = jax.tree.map(lambda v, g: v + c2 * (g * g - v), state["square"], grads)
        k1, k2 = _corrected(c1, step + 1), _corrected(c2, step + 1)

        def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            kept = 1.0 - lr * self.weight_decay if p.ndim > 1 else 1.0
            return kept * p - lr * (m / k1) / (jnp.sqrt(v / k2) + self.epsilon)

        return jax.tree.map(moved, params, mean, square), {"mean": mean, "square": square}


def _corrected(complement: Any, count: Any) -> Any:
    """1 - b^count from 1 - b: the bias of a running mean that started at zero."""
    return -jnp.expm1(count * jnp.log1p(-complement))
