"""The contract of a loss: one number an example, and what it knows of itself."""

from typing import Any, ClassVar

import jax

from kilter.core.listed import Listed


class Loss(Listed, abstract=True):
    """Base of all losses: called with outputs ``(batch, k)`` and targets, returns one value an example, ``(batch,)``.

    Targets are class indices ``(batch,)``, whole numbers, or numbers ``(batch, k)``; a column may come as ``(batch,)``.

    Class attributes:
        takes: what the outputs of the network mean to the loss: ``"logits"``, ``"probabilities"``, ``"margins"``,
            ``"values"``, ``"log rates"`` or ``"means and log variances"``.
        formula: the loss of one example, for the catalog.
    """

    home: ClassVar[str] = "losses"
    takes: ClassVar[str] = "values"

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        raise NotImplementedError

    def chance(self, targets: Any, classes: int = 0) -> float:
        """Mean loss on these targets of the best constant prediction: what a network that sees nothing gets.

        Class indices come with the number of ``classes``; left out, the highest index tells it.
        """
        raise NotImplementedError

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        """Numbers of outputs that fit these targets, the usual one first; ``classes`` is 0 where there are none.

        Raises:
            InputError: the loss cannot be used with such targets at all.
        """
        raise NotImplementedError

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        """What the outputs predict: with ``classes`` probabilities ``(batch, classes)``, else values ``(batch, k)``."""
        raise NotImplementedError

    def noise(self, outputs: jax.Array) -> jax.Array | None:
        """Variance ``(batch, k)`` of the targets around what `read` predicts; None for a loss that learns none."""
        return None
