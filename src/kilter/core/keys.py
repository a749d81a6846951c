"""Random keys derive from names, so that adding a part changes no other part's draw."""

import zlib

import jax

from kilter.core.threefry import quick


def named(key: jax.Array, name: str) -> jax.Array:
    """The key of the part called ``name`` under ``key``, hashed `quick`."""
    return jax.random.fold_in(quick(key), number(name))


def number(name: str) -> int:
    """What of a name goes into a key, below 2^32."""
    return zlib.crc32(name.encode())
