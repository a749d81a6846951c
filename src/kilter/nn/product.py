"""The matrix product of a dense layer, with a weight gradient that is faster for small layers on a CPU.

The gradient x^T dy contracts over the rows of both factors, a form for which XLA's CPU library has no fast path. With x^T
carried out first it has one: 15.2 against 13.7 us an update for 64-64-10 and batch 32, 82 against 80 for 64-128-128-10 and
batch 64, no difference at 784-512-512-10 (measured in turns, on two cores).
"""

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from kilter.nn.precision import narrowed


@narrowed
def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """``x @ kernel`` over the last axis of ``x``."""
    rows_alone = x.ndim == 2
    return _product(x, kernel) if rows_alone and jax.default_backend() == "cpu" else jnp.dot(x, kernel)


@jax.custom_jvp
def _product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jnp.dot(x, kernel)


def _tangents(primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
    """Linear in each tangent, so that both forward and reverse differentiation work; the latter transposes it."""
    (x, kernel), (dx, dkernel) = primals, tangents
    turned = jax.lax.optimization_barrier(x.T).T
    parts = [] if isinstance(dkernel, SymbolicZero) else [jnp.dot(turned, dkernel)]
    parts += [] if isinstance(dx, SymbolicZero) else [jnp.dot(dx, kernel)]
    return jnp.dot(x, kernel), sum(parts[1:], parts[0])


_product.defjvp(_tangents, symbolic_zeros=True)
