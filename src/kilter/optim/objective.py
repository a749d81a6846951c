"""What an optimizer may ask of one batch: the outputs at any parameters, and their loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Tree = Any


@dataclass(frozen=True)
class Objective:
    """The loss of one batch as a function of the parameters; lives inside one update and is never saved.

    It is a function in the strict sense: rows, random key and state of the net are those of the update, so that every
    evaluation within the update draws the same dropout masks and sees the same statistics.

    Attributes:
        outputs: parameters to the outputs of the net and its new state.
        loss: outputs to their mean loss, a scalar.
        penalty: parameters to a scalar that is added to the loss, or None.

    >>> import jax.numpy as jnp
    >>> objective = Objective(lambda p: (2 * p, ()), lambda outputs: (outputs**2).mean())
    >>> float(objective(jnp.array([1.0, 3.0]))[0])
    20.0
    """

    outputs: Callable[[Tree], tuple[Any, Tree]]
    loss: Callable[[Any], Any]
    penalty: Callable[[Tree], Any] | None = None

    def __call__(self, params: Tree) -> tuple[Any, tuple[Any, Tree]]:
        """What is made small, and beside it the loss without penalty and the new state of the net."""
        outputs, state = self.outputs(params)
        loss = self.loss(outputs)
        value = loss if self.penalty is None else loss + self.penalty(params)
        return value, (loss, state)
