"""RAdam: Adam that trusts its mean square only once it has seen enough of it."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.moments import corrected, over_root, shrunk, squared, toward, zeros_like
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class RAdam(Rated):
    """Rectified Adam: momentum at first, then Adam times r, the trust in its mean square.

    n = 2 / (1 - b2) - 1; n_t = n - 2 t b2^t / (1 - b2^t); where n_t > 5
    r = sqrt((n_t - 4)(n_t - 2) n / ((n - 4)(n - 2) n_t)) and p = p - lr r m' / (sqrt(v') + epsilon), else p = p - lr m'.

    Liu et al. 2020, algorithm 2, with the threshold 5 of PyTorch and Optax (the paper has 4).

    Args:
        lr: learning rate, a number or a schedule.
        b1: share of the mean gradient that survives a step.
        b2: share of the mean square that survives a step; with 0.6 or less it stays momentum for ever.
        epsilon: added to the root; PyTorch adds it before the correction of v.
        weight_decay: share of the kernels, times lr, that each step takes away.
    """

    formula: ClassVar[str] = "p = p - lr r m' / (sqrt(v') + epsilon), r from 0 to 1 as the mean square gains samples"
    source: ClassVar[str] = "Liu et al. 2020"
    choose: ClassVar[str] = "In place of Adam with a warmup that you would have to tune."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=1e-3, scale="log", search=(1e-5, 1e-1), also=Schedule)
    _: KW_ONLY
    b1: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.99))
    b2: float = number(default=0.999, range="[0, 1)", scale="complement", search=(0.9, 0.9999))
    epsilon: float = number(default=1e-8, range="(0, inf)", scale="log", search=(1e-10, 1e-4))
    weight_decay: float = number(default=0.0, range="[0, inf)", scale="log", search=(1e-5, 1e-1))

    def init(self, params: Tree) -> Tree:
        return {"mean": zeros_like(params), "square": zeros_like(params)}

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c1, c2, lr = self.complement("b1"), self.complement("b2"), self.rate(step)
        mean, square = toward(state["mean"], grads, c1), toward(state["square"], squared(grads), c2)
        k1, k2 = corrected(c1, step + 1), corrected(c2, step + 1)
        trusted, trust = _trust(c2, k2, step + 1)
        rate = lr / k1

        def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            scaled = over_root(trust * rate, m, v, k2, self.epsilon)
            return shrunk(p, lr * self.weight_decay) - jnp.where(trusted, scaled, rate * m)

        return jax.tree.map(moved, params, mean, square), {"mean": mean, "square": square}


def _trust(c2: Any, k2: Any, count: Any) -> tuple[Any, Any]:
    """Whether the mean square has enough samples, and how far to trust it."""
    most = 2.0 / c2 - 1.0
    have = most - 2.0 * count * (1.0 - k2) / k2
    trusted = have > 5.0
    # The other branch of a where must be finite too.
    safe, top = jnp.where(trusted, have, 6.0), jnp.maximum(most, 5.0)
    return trusted, jnp.sqrt((safe - 4) * (safe - 2) * top / ((top - 4) * (top - 2) * safe))
