"""AdaGrad: a learning rate a number, divided by the root of all its squared gradients."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class AdaGrad(Rated):
    """s = s + g^2; p = p - lr g / (sqrt(s) + epsilon): its step shrinks to nothing by design.

    s only grows, so that under gradients of constant size the step falls as 1 / sqrt(t): right for convex problems and rare
    features, too early an end for deep nets. `RMSProp` forgets instead; ``docs/pictures/adagrad.png`` shows
    both.

    Duchi et al. 2011. The same as in PyTorch; Optax starts s at 0.1 and adds epsilon inside the root.

    Args:
        lr: learning rate, a number or a schedule.
        initial: s before the first update.
        epsilon: added to the root.
    """

    formula: ClassVar[str] = "s = s + g^2; p = p - lr g / (sqrt(s) + epsilon)"
    source: ClassVar[str] = "Duchi et al. 2011"
    choose: ClassVar[str] = "Convex or sparse problems: linear models on words or categories."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=1e-2, scale="log", search=(1e-4, 1.0), also=Schedule)
    _: KW_ONLY
    initial: float = number(default=0.0, range="[0, inf)", search=(0.0, 1.0))
    epsilon: float = number(default=1e-10, range="(0, inf)", scale="log", search=(1e-10, 1e-4))

    def init(self, params: Tree) -> Tree:
        return jax.tree.map(lambda p: p * 0 + self.initial, params)

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        lr = self.rate(step)
        total = jax.tree.map(lambda s, g: s + g * g, state, grads)

        def moved(p: jax.Array, g: jax.Array, s: jax.Array) -> jax.Array:
            return p - lr * g / (jnp.sqrt(s) + self.epsilon)

        return jax.tree.map(moved, params, grads, total), total
