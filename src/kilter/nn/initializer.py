"""What every initializer states: how weights are drawn, and the standard deviation that it promises."""

import math
from typing import Any, ClassVar

import jax

from kilter.core.errors import InputError
from kilter.core.listed import Listed

Shape = tuple[int, ...]
# Standard deviation of a standard normal cut at two standard deviations: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
_CUT_STD = 0.8796256610342398


def fans(shape: Shape) -> tuple[float, float]:
    """Inputs and outputs of one unit for a kernel ``(*window, in, out)``; a vector counts as ``(1, out)``."""
    *window, inputs, outputs = shape if len(shape) > 1 else (1, *shape)
    return math.prod(window) * inputs, math.prod(window) * outputs


def draw(distribution: str, key: jax.Array, shape: Shape, std: Any) -> jax.Array:
    """Draw with mean zero and the given standard deviation from ``normal``, ``truncated`` or ``uniform``."""
    if distribution == "uniform":
        return std * math.sqrt(3) * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    if distribution == "truncated":
        return std / _CUT_STD * jax.random.truncated_normal(key, -2.0, 2.0, shape)
    return std * jax.random.normal(key, shape)


class Initializer(Listed, abstract=True):
    """Base of all initializers: called with a key and a kernel shape ``(*window, in, out)``, returns float32 weights.

    Class attributes:
        formula: the distribution of a weight.
    """

    home: ClassVar[str] = "nn.initializers"

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        raise NotImplementedError

    def std(self, shape: Shape) -> Any:
        """Standard deviation of the weights that it promises for a kernel of this shape."""
        raise NotImplementedError


def check_kernel(initializer: Initializer, shape: Shape) -> None:
    """Refuse shapes that are no kernel ``(*window, in, out)``."""
    if len(shape) < 2:
        raise InputError(f"{initializer!r}: needs a kernel of shape (*window, in, out), got {shape}")


def center(shape: Shape) -> tuple[int, ...]:
    """Position of a window that sees the input at the output's own place under ``padding="same"``."""
    return tuple((size - 1) // 2 for size in shape[:-2])
