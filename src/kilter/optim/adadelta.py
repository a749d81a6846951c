"""Adadelta: steps in the unit of the parameters, from the ratio of two running mean squares."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.moments import squared, toward, zeros_like
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class Adadelta(Rated):
    """s = decay s + (1 - decay) g^2; d = sqrt(u + epsilon) / sqrt(s + epsilon) g; p = p - lr d; u like s, of d.

    Zeiler 2012, algorithm 1. The same as in PyTorch and Optax; Keras has lr 0.001 where the paper has 1.

    Args:
        lr: factor on the step, a number or a schedule; 1 is the paper's.
        decay: share of both mean squares that survives a step.
        epsilon: inside both roots; it sets the size of the first steps, sqrt(epsilon).
    """

    formula: ClassVar[str] = "d = sqrt(u + epsilon) / sqrt(s + epsilon) g; p = p - lr d; s, u running means of g^2, d^2"
    source: ClassVar[str] = "Zeiler 2012"
    choose: ClassVar[str] = "Where no learning rate is to be set at all; it starts slowly."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=1.0, scale="log", search=(1e-2, 10.0), also=Schedule)
    _: KW_ONLY
    decay: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.8, 0.99))
    epsilon: float = number(default=1e-6, range="(0, inf)", scale="log", search=(1e-8, 1e-3))

    def init(self, params: Tree) -> Tree:
        return {"square": zeros_like(params), "moved": zeros_like(params)}

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c, lr = self.complement("decay"), self.rate(step)
        square = toward(state["square"], squared(grads), c)

        def change(g: jax.Array, s: jax.Array, u: jax.Array) -> jax.Array:
            return jnp.sqrt(u + self.epsilon) / jnp.sqrt(s + self.epsilon) * g

        changes = jax.tree.map(change, grads, square, state["moved"])
        new = {"square": square, "moved": toward(state["moved"], squared(changes), c)}
        return jax.tree.map(lambda p, d: p - lr * d, params, changes), new
