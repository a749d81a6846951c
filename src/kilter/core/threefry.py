"""JAX's random keys with their hash as one kernel: the same bits, sooner compiled and sooner drawn.

On a CPU, JAX hashes in a loop over five groups of four rounds, for it once took long to compile them all. As one
expression, a million words take 0.6 of the time to compile and a third to run (`benchmarks/draws.py`).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.extend.random import define_prng_impl
from jax.interpreters import batching, mlir

# Threefry-2x32-20 (Salmon et al. 2011, table 2; the parity of their key schedule is that of Skein).
_ROTATIONS, _GROUPS, _PARITY = ((13, 15, 26, 6), (17, 29, 16, 24)), 5, 0x1BD11BDA
_THEIRS = "threefry2x32"
Words = tuple[jax.Array, jax.Array]


def quick(key: jax.Array) -> jax.Array:
    """The same key, hashed in one go; one of another kind than threefry as it is.

    All of `jax.random` takes it and draws what it draws with ``key`` itself, given ``jax_threefry_partitionable``, JAX's
    default.
    """
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or jax.random.key_impl(key) != _THEIRS:
        return key
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=_OURS)


def words(keys: jax.Array, counts: jax.Array) -> jax.Array:
    """The first word of ``fold_in(key, count)``, for each key and count.

    Args:
        keys: `quick`, ``(keys,)``.
        counts: whole numbers below 2^32, ``(counts,)``.

    Returns:
        Random words ``(counts, keys)``.
    """
    a, b = jnp.moveaxis(jax.random.key_data(keys), -1, 0)
    first, _ = _threefry.bind(a[None], b[None], jnp.zeros_like(counts)[:, None], counts[:, None])
    # Together with what is made of them, in one kernel, they would take twice as long to compile.
    return lax.optimization_barrier(first)


def _bits(key: jax.Array, width: int, shape: tuple[int, ...]) -> jax.Array:
    """Random integers of 8, 16, 32 or 64 bits, each from its index."""
    size = math.prod(shape)
    if size >= 2**32:
        return jax.random.bits(jax.random.wrap_key_data(key, impl=_THEIRS), shape, f"uint{width}")
    high, low = _hash(key, lax.iota(jnp.uint32, size).reshape(shape))
    if width == 64:
        return (high.astype(jnp.uint64) << 32) | low.astype(jnp.uint64)
    return (high ^ low).astype(f"uint{width}")


def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return _key(_hash(key, lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)))


def _fold_in(key: jax.Array, data: Any) -> jax.Array:
    return _key(_hash(key, jnp.asarray(data, jnp.uint32)))


def _key(hashed: Words) -> jax.Array:
    """Made before what is drawn with it: where XLA merges the two, it rounds what stands around them in another way."""
    return lax.optimization_barrier(jnp.stack(hashed, axis=-1))


def _seed(seed: jax.Array) -> jax.Array:
    return jax.random.key_data(jax.random.key(seed, impl=_THEIRS))


def _hash(key: jax.Array, counts: jax.Array) -> Words:
    """Two words for each count below 2^32."""
    first, second = _threefry.bind(key[0], key[1], jnp.zeros_like(counts), counts)
    return first, second


def _rounds(a: jax.Array, b: jax.Array, x: jax.Array, y: jax.Array) -> Words:
    """Twenty rounds, with key words a and b added before the first and behind each fourth."""
    schedule = (a, b, lax.bitwise_xor(lax.bitwise_xor(a, b), jnp.uint32(_PARITY)))
    x, y = x + a, y + b
    for group in range(_GROUPS):
        for turn in _ROTATIONS[group % 2]:
            x = lax.add(x, y)
            left = lax.shift_left(y, lax.full_like(y, turn))
            y = lax.bitwise_xor(x, lax.bitwise_or(left, lax.shift_right_logical(y, lax.full_like(y, 32 - turn))))
        x, y = x + schedule[(group + 1) % 3], y + (schedule[(group + 2) % 3] + jnp.uint32(group + 1))
    return x, y


def _shaped(a: Any, b: Any, x: Any, y: Any) -> tuple[Any, Any]:
    word = ShapedArray(jnp.broadcast_shapes(a.shape, b.shape, x.shape, y.shape), jnp.uint32)
    return word, word


_threefry = Primitive("threefry_in_one")
_threefry.multiple_results = True
_threefry.def_impl(jax.jit(_rounds))
_threefry.def_abstract_eval(_shaped)
batching.defbroadcasting(_threefry)
mlir.register_lowering(_threefry, mlir.lower_fun(_rounds, multiple_results=True))

_OURS = define_prng_impl(
    key_shape=(2,), seed=_seed, split=_split, random_bits=_bits, fold_in=_fold_in, name="threefry2x32 in one", tag="one"
)
