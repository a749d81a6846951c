"""Random keys derive from names, so that adding a part changes no other part's draw."""

import zlib
from collections.abc import Iterable
from typing import Any

import jax


class Words(tuple[int, ...]):
    """Stands in place of a key to learn what would be folded into it: `named` adds the name's word."""


def named(key: Any, name: str) -> Any:
    """The key of the part called ``name`` under ``key``."""
    word = zlib.crc32(name.encode())
    return Words((*key, word)) if isinstance(key, Words) else jax.random.fold_in(key, word)


def folded(key: jax.Array, words: Iterable[Any]) -> jax.Array:
    """The key that `named` makes of ``key`` by names of these words."""
    for word in words:
        key = jax.random.fold_in(key, word)
    return key
