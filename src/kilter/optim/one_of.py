"""One of several optimizers, told by a number, so that nets with other optimizers share a program."""

from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.specs import number, part
from kilter.optim.optimizer import Optimizer, Tree


class OneOf(Optimizer):
    """Runs the optimizer at a place; those beside it only keep their first state.

    Args:
        options: optimizers that need one gradient an update.
        choice: place of the one that is run.
    """

    options: tuple[Optimizer, ...] = part(kinds=Optimizer, many=True)
    choice: float = number(default=0.0)

    def __init__(self, *options: Optimizer, choice: float = 0.0) -> None:
        self._fill({"options": options, "choice": choice})

    def init(self, params: Tree) -> Tree:
        return tuple(option.init(params) for option in self.options)

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        def at(place: int) -> Any:
            def updated(state: Tree) -> tuple[Tree, Tree]:
                new, own = self.options[place].update(grads, state[place], params, step)
                return new, (*state[:place], own, *state[place + 1 :])

            return updated

        return self._chosen(at, state)

    def judged(self, state: Tree, loss: Any) -> Tree:
        return tuple(option.judged(own, loss) for option, own in zip(self.options, state, strict=True))

    def rate(self, step: Any) -> Any:
        return self._chosen(lambda place: lambda step: jnp.float32(self.options[place].rate(step)), step)

    def current(self, state: Tree, step: Any) -> Any:
        def at(place: int) -> Any:
            return lambda state: jnp.float32(self.options[place].current(state[place], step))

        return self._chosen(at, state)

    def averaged(self, state: Tree, params: Tree) -> Tree:
        return self._chosen(lambda place: lambda state: self.options[place].averaged(state[place], params), state)

    def over(self, steps: int) -> "OneOf":
        return OneOf(*(option.over(steps) for option in self.options), choice=self.choice)

    def _chosen(self, at: Any, operand: Any) -> Any:
        branches = [at(place) for place in range(len(self.options))]
        return jax.lax.switch(jnp.asarray(self.choice, jnp.int32), branches, operand)
