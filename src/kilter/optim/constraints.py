"""Constraints: after every update the weights are brought back to where they are allowed to be."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core import trees
from kilter.core.listed import Listed
from kilter.core.specs import number, option

# Norm under which a unit's weights count as zero and stay as they are, so that nothing is divided by zero.
_LEAST = 1e-12


class Constraint(Listed, abstract=True):
    """Base of all constraints, for ``Recipe(constraint=...)``: the nearest allowed weights, a projection.

    Class attributes:
        formula: what becomes of the weights w of a unit, the kernel's last axis.
        paddable: whether zeros at the ends of axes stay zeros and change nothing for the rest.
    """

    home: ClassVar[str] = "optim"
    paddable: ClassVar[bool] = False

    _: KW_ONLY
    on: str = option(default="kernels", choices=("kernels", "all"))

    def of(self, weights: jax.Array) -> jax.Array:
        """The nearest allowed array."""
        raise NotImplementedError

    def __call__(self, params: Any) -> Any:
        """Parameters with every kernel (with ``on="all"`` every array) projected."""
        return jax.tree.map(lambda p: self.of(p) if self.on == "all" or trees.is_kernel(p) else p, params)


class MaxNorm(Constraint):
    """w min(1, limit / ||w||): the weights that lead into a unit are at most ``limit`` long.

    Srivastava et al. 2014, section 5.1, with limits of 3 to 4 together with dropout and a high learning rate. As Keras's
    ``MaxNorm``, which takes axis 0 alone where here a convolution's window belongs to the unit too; PyTorch's
    ``renorm``.

    Args:
        limit: greatest length.
        on: ``"kernels"``: parameters with two axes or more, never biases and norm scales; ``"all"``: these too.

    >>> import jax.numpy as jnp
    >>> MaxNorm(1.0)({"kernel": jnp.array([[3.0, 0.0], [4.0, 0.5]])})["kernel"].tolist()
    [[0.6000000238418579, 0.0], [0.800000011920929, 0.5]]
    """

    formula: ClassVar[str] = "w min(1, limit / ||w||)"
    source: ClassVar[str] = "Srivastava et al. 2014, section 5.1"
    choose: ClassVar[str] = "Dropout with a high learning rate, which without it would let weights grow."
    paddable: ClassVar[bool] = True

    limit: float = number(default=3.0, range="(0, inf)", scale="log", search=(0.5, 8.0))

    def of(self, weights: jax.Array) -> jax.Array:
        return weights * jnp.minimum(1.0, self.limit / jnp.maximum(_lengths(weights), _LEAST))


class UnitNorm(Constraint):
    """w / ||w||: the weights that lead into a unit have length 1. As Keras's ``UnitNorm``.

    Args:
        on: ``"kernels"`` or ``"all"``.
    """

    formula: ClassVar[str] = "w / ||w||"
    source: ClassVar[str] = "Salimans and Kingma 2016, equation 2, with g = 1"
    choose: ClassVar[str] = "Directions alone should be learned, as in metric learning."
    paddable: ClassVar[bool] = True

    def of(self, weights: jax.Array) -> jax.Array:
        lengths = _lengths(weights)
        return jnp.where(lengths > _LEAST, weights / jnp.maximum(lengths, _LEAST), weights)


class NonNegative(Constraint):
    """max(w, 0): no weight is negative. As Keras's ``NonNeg``.

    Args:
        on: ``"kernels"`` or ``"all"``.
    """

    formula: ClassVar[str] = "max(w, 0)"
    source: ClassVar[str] = "Lee and Seung 1999"
    choose: ClassVar[str] = "The output must not fall as an input rises: monotone models, parts of a whole."
    paddable: ClassVar[bool] = True

    def of(self, weights: jax.Array) -> jax.Array:
        return jnp.maximum(weights, 0.0)


def _lengths(weights: jax.Array) -> jax.Array:
    """Length of each unit's weights, over all axes but the last; a vector has one number a unit."""
    return jnp.sqrt(jnp.square(weights).sum(tuple(range(weights.ndim - 1)), keepdims=True))


CONSTRAINTS: tuple[type[Constraint], ...] = (MaxNorm, UnitNorm, NonNegative)
