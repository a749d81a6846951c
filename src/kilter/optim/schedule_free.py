"""Schedule-free Adam: gradients between a fast iterate and its average, so that no schedule is needed."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.moments import corrected, over_root, shrunk, squared, toward, zeros_like
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class ScheduleFreeAdam(Rated):
    """z = z - lr g / (sqrt(v') + epsilon); x = x + c (z - x); y = b1 x + (1 - b1) z.

    g is the gradient at y, v' Adam's mean square without its bias, and c = s^2 / (sum of s^2), s the largest lr so far:
    x is the weighted mean of all z. **`update` takes and returns y, where the next gradient is to be taken; the weights
    to evaluate with are x**, which `averaged` reads from the state. Batch normalization needs its statistics anew at x.

    Defazio et al. 2024, algorithm 1. As in Optax's contrib, which keeps z alone and solves for x (so that b1 = 0 fails);
    kernels alone decay, at y.

    Args:
        lr: learning rate, a number or a schedule: constant, after a warmup at most.
        b1: place of y between z (0) and x (1).
        b2: share of the mean square that survives a step.
        epsilon: added to the root.
        weight_decay: share of the kernels, times lr, that each step takes away.
    """

    formula: ClassVar[str] = "z = z - lr g(y) / (sqrt(v') + epsilon); x = mean of z; y = b1 x + (1 - b1) z"
    source: ClassVar[str] = "Defazio et al. 2024"
    choose: ClassVar[str] = "Where the length of the training is not known ahead."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=2.5e-3, scale="log", search=(1e-5, 1e-1), also=Schedule)
    _: KW_ONLY
    b1: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.98))
    b2: float = number(default=0.999, range="[0, 1)", scale="complement", search=(0.9, 0.9999))
    epsilon: float = number(default=1e-8, range="(0, inf)", scale="log", search=(1e-10, 1e-4))
    weight_decay: float = number(default=0.0, range="[0, inf)", scale="log", search=(1e-5, 1e-1))

    def init(self, params: Tree) -> Tree:
        # Copies: two names for one buffer could not both be donated to a compiled program.
        fast, average = (jax.tree.map(lambda p: jnp.array(p, copy=True), params) for _ in range(2))
        zero = jnp.zeros((), jnp.float32)
        return {"fast": fast, "average": average, "square": zeros_like(params), "highest": zero, "weight": zero + 0}

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c1, c2, lr = self.complement("b1"), self.complement("b2"), self.rate(step)
        square = toward(state["square"], squared(grads), c2)
        k2 = corrected(c2, step + 1)

        def moved(z: jax.Array, g: jax.Array, v: jax.Array, y: jax.Array) -> jax.Array:
            return z + (shrunk(y, lr * self.weight_decay) - y) - over_root(lr, g, v, k2, self.epsilon)

        fast = jax.tree.map(moved, state["fast"], grads, square, params)
        highest = jnp.maximum(state["highest"], lr)
        weight = state["weight"] + highest**2
        average = toward(state["average"], fast, highest**2 / jnp.where(weight > 0, weight, 1.0))
        new = {"fast": fast, "average": average, "square": square, "highest": highest, "weight": weight}
        return toward(average, fast, c1), new

    def averaged(self, state: Tree, params: Tree) -> Tree:
        """The average x of the fast iterates: the weights to evaluate with."""
        return state["average"]
