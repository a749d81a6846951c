"""Random keys derive from names, so that adding a part changes no other part's draw."""

import zlib

import jax


def named(key: jax.Array, name: str) -> jax.Array:
    """The key of the part called ``name`` under ``key``."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
