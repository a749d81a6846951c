"""Sums over positions or over features, and their counterparts: a number for each channel or row, spread over them.

XLA may not change the order of a sum, so its CPU compiler adds numbers one by one. Where `RUN` of them or fewer are to be
added it writes that out, in vectors and in one loop with what makes the numbers. So the sums here go through such runs
first, and a product with ones, or a second sum, adds up what these leave. Against plain sums, forward and gradients of
batch norm take 0.04 to 0.15 of the time, of layer norm 0.4, compiled as training compiles (`benchmarks/kernels.py`).

Each is a primitive of its own whose transpose is its counterpart, so that the gradient of what is spread is such a sum.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

# The longest run that is written out, and the fewest sums that fill a vector.
RUN, VECTOR = 8, 16
Shape = tuple[int, ...]


def total(x: jax.Array) -> jax.Array:
    """Sum over all axes but the last."""
    return _total.bind(jnp.asarray(x), kept=0, carried=False)


def spread(vector: jax.Array, shape: Shape, *, carried: bool = False) -> jax.Array:
    """A number for each channel at all positions.

    Args:
        vector: ``(channels,)``, or one number for all.
        shape: ``(batch, ..., channels)`` of what comes out.
        carried: whether the gradient of that is carried out anyway, as where products read it too: then it is added up
            by a product with ones alone.
    """
    return _spread.bind(jnp.broadcast_to(vector, shape[-1:]), shape=tuple(shape), kept=0, carried=carried)


def row_total(x: jax.Array) -> jax.Array:
    """Sum over the last axis."""
    return _row_total.bind(jnp.asarray(x))


def row_spread(numbers: jax.Array, size: int) -> jax.Array:
    """A number for each row at all of its ``size`` places, which become the last axis."""
    return _row_spread.bind(jnp.asarray(numbers), size=size)


def _add_positions(x: jax.Array, kept: int, carried: bool) -> jax.Array:
    """Sum over all axes between the first ``kept``, which `jax.vmap` put there, and the last."""
    *front, channels = x.shape
    if len(front) - kept < 2:
        return x.sum(tuple(range(kept, len(front))))
    if not carried:
        count = front[kept + 1]
        run = max(run for run in range(1, RUN + 1) if count % run == 0)
        x = x.reshape(*front[: kept + 1], count // run, run, *x.shape[kept + 2 :]).sum(kept + 2)
    x = x.reshape(*front[:kept], math.prod(x.shape[kept:-1]), channels)
    ones = jnp.ones((*front[:kept], 1, x.shape[-2]), x.dtype)
    return jnp.matmul(ones, x, precision=jax.lax.Precision.HIGHEST)[..., 0, :]


def _spread_positions(vector: jax.Array, shape: Shape, kept: int, carried: bool) -> jax.Array:
    return jax.lax.broadcast_in_dim(vector, shape, (*range(kept), len(shape) - 1))


def _add_features(x: jax.Array) -> jax.Array:
    """In so many lanes of a vector as leave runs, then these; in one go where the size has no such divisor."""
    size = x.shape[-1]
    lanes = next((lanes for lanes in range(VECTOR, size) if size % lanes == 0 and size <= RUN * lanes), size)
    if lanes == size:
        return x.sum(-1)
    return jax.lax.optimization_barrier(x.reshape(*x.shape[:-1], size // lanes, lanes).sum(-2)).sum(-1)


def _spread_features(numbers: jax.Array, size: int) -> jax.Array:
    return jax.lax.broadcast_in_dim(numbers, (*numbers.shape, size), tuple(range(numbers.ndim)))


def _linear(name: str, compute: Callable[..., jax.Array], shape: Callable[..., Shape]) -> Primitive:
    """A primitive of one argument that is lowered as ``compute`` of it and its settings, and comes out in this shape."""

    def shaped(x: Any, **settings: Any) -> ShapedArray:
        return ShapedArray(shape(x.shape, **settings), x.dtype)

    made = Primitive(name)
    made.def_impl(compute)
    made.def_abstract_eval(shaped)
    mlir.register_lowering(made, mlir.lower_fun(compute, multiple_results=False))
    return made


def _batched(bind: Callable[..., Any]) -> Callable[..., tuple[Any, int]]:
    """The rule of `jax.vmap`: its axis goes to the front."""

    def rule(arguments: tuple[Any], axes: tuple[int], **settings: Any) -> tuple[Any, int]:
        return bind(jnp.moveaxis(arguments[0], axes[0], 0), **settings), 0

    return rule


_total = _linear("total", _add_positions, lambda x, kept, carried: (*x[:kept], x[-1]))
_spread = _linear("spread", _spread_positions, lambda x, shape, kept, carried: shape)
_row_total = _linear("row_total", _add_features, lambda x: x[:-1])
_row_spread = _linear("row_spread", _spread_features, lambda x, size: (*x, size))

ad.deflinear2(_total, lambda ct, x, **settings: [_spread.bind(ct, shape=x.aval.shape, **settings)])
ad.deflinear2(_spread, lambda ct, _, shape, **settings: [_total.bind(ct, **settings)])
ad.deflinear2(_row_total, lambda ct, x: [_row_spread.bind(ct, size=x.aval.shape[-1])])
ad.deflinear2(_row_spread, lambda ct, _, size: [_row_total.bind(ct)])

batching.primitive_batchers[_total] = _batched(lambda x, kept, carried: _total.bind(x, kept=kept + 1, carried=carried))
batching.primitive_batchers[_spread] = _batched(
    lambda x, shape, kept, carried: _spread.bind(x, shape=(len(x), *shape), kept=kept + 1, carried=carried)
)
batching.primitive_batchers[_row_total] = _batched(_row_total.bind)
batching.primitive_batchers[_row_spread] = _batched(_row_spread.bind)
