"""The contract of an optimizer: a frozen value with two pure methods; its hyper-parameters are leaves."""

from typing import Any, TypeVar

from kilter.core.specs import number
from kilter.optim.schedules import Schedule, value_at
from kilter.optim.timed import Timed

Tree = Any
Kind = TypeVar("Kind", bound="Optimizer")


class Optimizer(Timed, abstract=True):
    """Base of all optimizers."""

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
        raise NotImplementedError

    def averaged(self, state: Tree, params: Tree) -> Tree:
        """Parameters to evaluate with: averages where the optimizer keeps them, else ``params``."""
        return params


class Rated(Optimizer, abstract=True):
    """Base of the optimizers that have a learning rate of their own; wrappers have that of what they hold."""

    lr: float | Schedule = number(scale="log", search=(1e-5, 1.0), also=Schedule)

    def rate(self, step: Any) -> Any:
        return value_at(self.lr, step)


def spanning(optimizer: Kind, steps: int) -> Kind:
    """The optimizer with every schedule whose length was left open stretched over ``steps`` updates."""
    return optimizer.over(steps)
