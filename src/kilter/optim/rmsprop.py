"""RMSProp: the gradient over the root of its running mean square; centered and with momentum as settings."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.optim.moments import squared, toward, zeros_like
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class RMSProp(Rated):
    """s = decay s + (1 - decay) g^2; v = momentum v + g / (sqrt(s) + epsilon); p = p - lr v.

    With ``centered`` s less the square of the running mean of g, the variance, stands in the root (Graves 2013).

    Tieleman and Hinton 2012. The same as in PyTorch; Keras decays by 0.9, Optax too, and both put epsilon inside the root.

    Args:
        lr: learning rate, a number or a schedule.
        decay: share of the mean square that survives a step.
        momentum: share of the velocity that survives a step.
        epsilon: added to the root.
        centered: divide by the standard deviation instead of the root mean square.
    """

    formula: ClassVar[str] = "s = decay s + (1 - decay) g^2; v = momentum v + g / (sqrt(s) + epsilon); p = p - lr v"
    source: ClassVar[str] = "Tieleman and Hinton 2012; Graves 2013"
    choose: ClassVar[str] = "Recurrent nets and reinforcement learning, where gradients change their size."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=1e-2, scale="log", search=(1e-5, 1e-1), also=Schedule)
    _: KW_ONLY
    decay: float = number(default=0.99, range="[0, 1)", scale="complement", search=(0.9, 0.999))
    momentum: float = number(default=0.0, range="[0, 1)", scale="complement", search=(0.5, 0.99))
    epsilon: float = number(default=1e-8, range="(0, inf)", scale="log", search=(1e-10, 1e-4))
    centered: bool = option(default=False, kinds=bool)

    def init(self, params: Tree) -> Tree:
        state = {"square": zeros_like(params), "velocity": zeros_like(params)}
        return state | {"mean": zeros_like(params)} if self.centered else state

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c, lr = self.complement("decay"), self.rate(step)
        new = {"square": toward(state["square"], squared(grads), c)}
        spread = new["square"]
        if self.centered:
            new["mean"] = toward(state["mean"], grads, c)
            # Rounding may push a variance of zero below it.
            spread = jax.tree.map(lambda s, m: jnp.maximum(s - m * m, 0.0), spread, new["mean"])

        def faster(v: jax.Array, g: jax.Array, s: jax.Array) -> jax.Array:
            return self.momentum * v + g / (jnp.sqrt(s) + self.epsilon)

        new["velocity"] = jax.tree.map(faster, state["velocity"], grads, spread)
        return jax.tree.map(lambda p, v: p - lr * v, params, new["velocity"]), new
