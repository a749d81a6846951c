"""LAMB: Adam's direction, each array stepping by a share of its own norm."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.moments import corrected, over_root, squared, toward, zeros_like
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class LAMB(Rated):
    """r = m' / (sqrt(v') + epsilon) + weight_decay p; p = p - lr |p| / |r| r, norms of each array.

    m' and v' are Adam's means without their bias. Where |p| or |r| is 0 the ratio is 1.

    You et al. 2020, algorithm 2. The same as in Optax with a mask for the decay; kernels alone decay here.

    Args:
        lr: share of its norm that an array moves by, a number or a schedule.
        b1: share of the mean gradient that survives a step.
        b2: share of the mean square that survives a step.
        epsilon: added to the root.
        weight_decay: weight of the kernels in the direction.
    """

    formula: ClassVar[str] = "r = m' / (sqrt(v') + epsilon) + weight_decay p; p = p - lr |p| / |r| r"
    source: ClassVar[str] = "You et al. 2020"
    choose: ClassVar[str] = "Batches of thousands of rows."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=2e-3, scale="log", search=(1e-4, 1e-1), also=Schedule)
    _: KW_ONLY
    b1: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.99))
    b2: float = number(default=0.999, range="[0, 1)", scale="complement", search=(0.9, 0.9999))
    epsilon: float = number(default=1e-6, range="(0, inf)", scale="log", search=(1e-10, 1e-4))
    weight_decay: float = number(default=0.0, range="[0, inf)", scale="log", search=(1e-4, 1e-1))

    def init(self, params: Tree) -> Tree:
        return {"mean": zeros_like(params), "square": zeros_like(params)}

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c1, c2, lr = self.complement("b1"), self.complement("b2"), self.rate(step)
        mean, square = toward(state["mean"], grads, c1), toward(state["square"], squared(grads), c2)
        k1, k2 = corrected(c1, step + 1), corrected(c2, step + 1)

        def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            direction = over_root(1.0 / k1, m, v, k2, self.epsilon)
            direction = direction + self.weight_decay * p if jnp.ndim(p) > 1 else direction
            return p - lr * _trust(p, direction) * direction

        return jax.tree.map(moved, params, mean, square), {"mean": mean, "square": square}


def _trust(p: Any, direction: Any) -> Any:
    """Ratio of two norms, 1 where one of them is 0."""
    have, want = jnp.sqrt((p * p).sum()), jnp.sqrt((direction * direction).sum())
    return jnp.where((have > 0) & (want > 0), have / jnp.where(want > 0, want, 1.0), 1.0)
