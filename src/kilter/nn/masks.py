"""Random masks from a counter: a hash of each element's index, at a fraction of threefry's cost."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError


def keep(key: jax.Array, rate: Any, shape: tuple[int, ...]) -> jax.Array:
    """A mask that is False with probability ``rate``, each element by itself; the same key gives the same mask.

    Element i (in row-major order) is kept where mix(mix(i + a) ^ b) >= rate 2^32, with two words a, b of the key mixed
    beforehand and mix a 32-bit integer hash of low bias (Wellons 2018, "lowbias32": two multiplications, three shifts).
    For masks, not for secrets; unlike ``jax.random.bernoulli`` it is no threefry, and it agrees between backends.

    Args:
        key: random key; batches under ``vmap``.
        rate: probability to drop, in [0, 1), in steps of 2^-32; may be traced.
        shape: of the mask, at most 2^32 elements.

    Raises:
        InputError: more than 2^32 elements, where indices would recur.
    """
    size = math.prod(shape)
    if size > 2**32:
        raise InputError(f"a mask of shape {shape} has {size} elements; at most 2**32 can be told apart")
    a, b = _words(key)
    index = jax.lax.iota(jnp.uint32, size)
    drawn = _mix(_mix(index + a) ^ b)
    limit = (jnp.asarray(rate, jnp.float32) * 4294967296.0).astype(jnp.uint32)
    return (drawn >= limit).reshape(shape)


def _words(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two words, of which each depends on all bits of the key: near keys must not give shifted masks."""
    a, b = jnp.uint32(0x9E3779B9), jnp.uint32(0x85EBCA6B)
    for word in jax.random.key_data(key).ravel():
        a, b = _mix(a ^ word), _mix(b + word)
        a, b = _mix(a + b), _mix(b ^ (a * jnp.uint32(0xC2B2AE35)))
    return a, b


def _mix(x: jax.Array) -> jax.Array:
    """A bijection of 32-bit words under which each input bit flips each output bit about half of the time."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)
