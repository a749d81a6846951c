"""Random masks from counters: a hash of each element's indices, at a fraction of threefry's cost."""

from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError

# About 2^32 over the golden ratio, its continued fraction without a quotient above 3: multiples of it keep the farthest
# from each other modulo 2^32, so rows of R C <= 2^29 elements never share an index.
_ROW = 0x9E377311


def keep(key: jax.Array, rate: Any, shape: tuple[int, ...]) -> jax.Array:
    """A mask that is False with probability ``rate``, each element by itself; the same key gives the same mask.

    Element (r, c) of the last two axes is kept where mix(mix(r k + c + a) ^ b) >= rate 2^32, with a constant k, two words
    a, b of the plane, and mix a 32-bit integer hash of low bias (Wellons 2018, "lowbias32": two multiplications, three
    shifts). The whole mask has two words of the key, mixed beforehand; entry i of an axis in front of the last two has
    a' = mix(mix(i + a) ^ b) and b' = mix(a' + b), with a, b the words of what it is an entry of.

    So no draw depends on the size of an axis: the mask of a smaller shape (of as many axes) is the corner of a larger
    one's. For masks, not for secrets; unlike ``jax.random.bernoulli`` it is no threefry, and it agrees between backends.

    Args:
        key: random key; batches under ``vmap``.
        rate: probability to drop, in [0, 1), in steps of 2^-32; may be traced.
        shape: of the mask, at most 2^32 elements along the last two axes. Up to 2^29 have indices of their own; of more,
            some far from each other may share one.

    Raises:
        InputError: more than 2^32 elements along the last two axes, or an axis in front of more than 2^32.
    """
    *outer, rows, columns = (1,) * (2 - len(shape)) + tuple(shape)
    if max(*outer, rows * columns, 0) > 2**32:
        raise InputError(f"a mask of shape {shape}: at most 2**32 elements along the last two axes can be told apart")
    a, b = _words(key)
    for size in outer:
        a = _hashed(a, b, jax.lax.iota(jnp.uint32, size))
        b = _mix(a + b[..., None])
    index = jax.lax.iota(jnp.uint32, rows)[:, None] * jnp.uint32(_ROW) + jax.lax.iota(jnp.uint32, columns)
    limit = (jnp.asarray(rate, jnp.float32) * 4294967296.0).astype(jnp.uint32)
    return (_hashed(a[..., None], b[..., None], index) >= limit).reshape(shape)


def _hashed(a: jax.Array, b: jax.Array, index: jax.Array) -> jax.Array:
    """A word for each index, along a new last axis behind those of the words a and b."""
    return _mix(_mix(index + a[..., None]) ^ b[..., None])


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
