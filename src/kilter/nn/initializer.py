"""What every initializer states: how weights are drawn, and the standard deviation that it promises."""

import functools
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.listed import Listed
from kilter.core.threefry import quick, words

Shape = tuple[int, ...]
# Standard deviation of a standard normal cut at two standard deviations: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
_CUT_STD = 0.8796256610342398


def fans(shape: Shape) -> tuple[float, float]:
    """Inputs and outputs of one unit for a kernel ``(*window, in, out)``; a vector counts as ``(1, out)``."""
    *window, inputs, outputs = shape if len(shape) > 1 else (1, *shape)
    return math.prod(window) * inputs, math.prod(window) * outputs


@functools.partial(jax.jit, static_argnums=(0, 2))
def draw(distribution: str, key: jax.Array, shape: Shape, std: Any) -> jax.Array:
    """Draw with mean zero and the given standard deviation from ``normal``, ``truncated`` or ``uniform``.

    The draw of a kernel ``(*window, a, b)`` is the corner of that of ``(*window, A, B)`` with the same key and std: weight
    i of unit u, counted input by input, comes from ``fold_in(fold_in(key, u), i)`` alone.
    """
    *window, inputs, units = (1,) * (2 - len(shape)) + shape
    # Symmetric numbers inside (-1, 1): odd multiples of 2^-23, each exact in float32.
    even = ((_words(key, inputs * math.prod(window), units) >> 9) * 2 + 1).astype(jnp.float32) * 2.0**-23 - 1.0
    even = jnp.moveaxis(even.reshape(inputs, *window, units), 0, -2).reshape(shape)
    if distribution == "uniform":
        return std * math.sqrt(3) * even
    if distribution == "truncated":
        return std / _CUT_STD * math.sqrt(2) * jax.lax.erf_inv(math.erf(math.sqrt(2)) * even)
    return std * math.sqrt(2) * jax.lax.erf_inv(even)


def _words(key: jax.Array, weights: int, units: int) -> jax.Array:
    """A random word for each weight of each unit, ``(weights, units)``.

    By `fold_in`, whose result, unlike that of a draw of many numbers, depends neither on how many there are nor on
    ``jax_threefry_partitionable``.
    """
    keys = jax.vmap(jax.random.fold_in, (None, 0))(_threefry(key), jnp.arange(units, dtype=jnp.uint32))
    return words(keys, jnp.arange(weights, dtype=jnp.uint32))


def _threefry(key: jax.Array) -> jax.Array:
    """The key itself, or one made of it: keys of other kinds fold so simply that two folds can be exchanged."""
    data = jax.random.key_data(key)
    made = quick(jax.random.wrap_key_data(data[:2], impl="threefry2x32"))
    for word in data[2:]:
        made = jax.random.fold_in(made, word)
    return made


class Initializer(Listed, abstract=True):
    """Base of all initializers: called with a key and a kernel shape ``(*window, in, out)``, returns float32 weights.

    Class attributes:
        formula: the distribution of a weight.
        paddable: whether the kernel ``(*window, a, b)`` is the corner of the kernel ``(*window, A, B)`` drawn with the same
            key, for a <= A and b <= B, when both are divided by the `std` that they promise (if it is not 0).
    """

    home: ClassVar[str] = "nn.initializers"
    paddable: ClassVar[bool] = False

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
