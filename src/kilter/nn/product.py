"""The matrix product of a dense layer, with a weight gradient that is faster for small inputs on a CPU.

The gradient x^T dy contracts over the rows of both factors, a form for which XLA's CPU library has no fast path. With x^T
carried out first it has one, which pays where x is small: 0.88 of the time for 32 rows of 20 to 32, but 1.08 for 128 of 784
to 512 (measured in turns, on two cores). Positions are rows like any other: behind a product over several axes XLA would
turn the whole gradient of the outputs around (a transformer block takes 0.7 of the time without).
"""

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from kilter.nn.precision import narrowed

# The most numbers of an input that is turned.
_SMALL = 2048


@narrowed
def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """``x @ kernel`` over the last axis of ``x``."""
    rows = x.reshape(-1, x.shape[-1])
    small = x.size <= _SMALL and jax.default_backend() == "cpu"
    return (_turning if small else jnp.dot)(rows, kernel).reshape(*x.shape[:-1], kernel.shape[1])


@jax.custom_jvp
def _turning(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jnp.dot(x, kernel)


def _tangents(primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
    """Linear in each tangent, so that both forward and reverse differentiation work; the latter transposes it."""
    (x, kernel), (dx, dkernel) = primals, tangents
    turned = jax.lax.optimization_barrier(x.T).T
    parts = [] if isinstance(dkernel, SymbolicZero) else [jnp.dot(turned, dkernel)]
    parts += [] if isinstance(dx, SymbolicZero) else [jnp.dot(dx, kernel)]
    return jnp.dot(x, kernel), sum(parts[1:], parts[0])


_turning.defjvp(_tangents, symbolic_zeros=True)
