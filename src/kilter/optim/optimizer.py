"""The contract of an optimizer: a frozen value with two pure methods; its hyper-parameters are leaves."""

from typing import Any, ClassVar

import jax

from kilter.core.paths import rewrite
from kilter.core.specs import number
from kilter.core.values import Value
from kilter.optim.schedules import Schedule

Tree = Any


class Optimizer(Value, abstract=True):
    """Base of all optimizers."""

    home: ClassVar[str] = "optim"

    lr: float | Schedule = number(scale="log", search=(1e-5, 1.0), also=Schedule)

    def init(self, params: Tree) -> Tree:
        """State before the first update."""
        raise NotImplementedError

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        """One update.

        Args:
            grads: gradients of the loss, a tree like ``params``.
            state: as made by `init` or by the last update.
            params: current parameters.
            step: number of updates already made, from 0.

        Returns:
            New parameters (not differences, as in Optax) and new state.
        """
        raise NotImplementedError

    def rate(self, step: Any) -> Any:
        """Learning rate of the update after ``step`` updates."""
        return self.lr(step) if isinstance(self.lr, Schedule) else self.lr


def zeros_like(params: Tree) -> Tree:
    """A tree of zeros like the parameters, for moments."""
    return jax.tree.map(lambda p: p * 0, params)


def spanning(optimizer: Optimizer, steps: int) -> Optimizer:
    """The optimizer with every schedule whose length was left open stretched over ``steps`` updates."""

    def stretch(value: Any) -> Any:
        open_ended = isinstance(value, Schedule) and getattr(value, "steps", steps) is None
        return value.replace(steps=max(steps, 1)) if open_ended else value

    return rewrite(optimizer, stretch)
