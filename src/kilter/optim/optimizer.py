"""The contract of an optimizer: a frozen value with pure methods; its hyper-parameters are leaves."""

from functools import cache
from typing import Any, ClassVar, Literal, TypeVar

import jax

from kilter.core.ordering import after
from kilter.core.specs import number
from kilter.optim.objective import Objective
from kilter.optim.schedules import Schedule, value_at
from kilter.optim.timed import Timed

Tree = Any
# One gradient, at the parameters; gradients at places of its own choice; or the loss itself, as line searches do.
Needs = Literal["gradient", "gradients", "objective"]
Kind = TypeVar("Kind", bound="Optimizer")


class Optimizer(Timed, abstract=True):
    """Base of all optimizers.

    The engine calls `minimize`. Most members write `update` alone; those that need more than one gradient write `gradient`
    or `minimize` and say so in `needs`.

    Class attributes:
        paddable: whether arrays padded with zeros at the ends of their axes, with gradients of zero there, keep these zeros
            and change nothing for the rest (where ``epsilon`` is above 0). See `kilter.core.padding.paddable` for wrappers.
    """

    paddable: ClassVar[bool] = False

    @property
    def needs(self) -> Needs:
        """What an update asks of the batch: one ``"gradient"``, ``"gradients"`` elsewhere too, or the ``"objective"``."""
        return "gradient"

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

    def gradient(self, objective: Objective, params: Tree, state: Tree, step: Any) -> tuple[Tree, Any]:
        """The gradient that `update` gets, and what the objective gives beside its value: loss and new state of the net."""
        (_, aux), grads = jax.value_and_grad(objective, has_aux=True)(params)
        return grads, aux

    def minimize(self, objective: Objective, params: Tree, state: Tree, step: Any) -> tuple[Tree, Tree, Any]:
        """One update on one batch: new parameters, new state, and loss and new state of the net before the update."""
        grads, aux = self.gradient(objective, params, state, step)
        return *self.update(grads, state, after(grads, params), step), aux

    def judged(self, state: Tree, loss: Any) -> Tree:
        """State after an epoch that ended at ``loss``, of the validation rows or, without them, of the training rows."""
        return state

    def rate(self, step: Any) -> Any:
        """Learning rate of the update after ``step`` updates, as scheduled."""
        raise NotImplementedError

    def current(self, state: Tree, step: Any) -> Any:
        """`rate` with what the state has changed in it: the one that the history shows."""
        return self.rate(step)

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


def state_like(optimizer: Optimizer, params: Tree) -> Tree:
    """Shapes and types of an optimizer's state for parameters of these shapes; nothing is computed."""
    leaves, net = jax.tree.flatten(params)
    return _state_like(jax.tree.structure(optimizer), net, tuple((leaf.shape, leaf.dtype) for leaf in leaves))


@cache
def _state_like(optimizer: Any, net: Any, leaves: tuple[Any, ...]) -> Tree:
    params = net.unflatten([jax.ShapeDtypeStruct(*leaf) for leaf in leaves])
    return jax.eval_shape(optimizer.unflatten([0.5] * optimizer.num_leaves).init, params)  # any numbers: shapes stay
