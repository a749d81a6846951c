"""The order of rows: permutations made on the host, one an epoch and seed, shared by all members of a seed."""

import math
import threading
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Where the number of an epoch stands in the key of its permutation; no run gets here.
_BOOTSTRAP = 2**64 - 1
# Seed of the permutation that chooses some of the rows.
_SOME = 0


def orders(
    seeds: tuple[int, ...],
    first: int,
    count: int,
    longest: int,
    rows: int,
    shape: tuple[int, ...],
    bootstrap: bool = False,
    shuffle: bool = True,
) -> Array:
    """Row numbers of ``count`` epochs from ``first``, int32 ``(longest, seeds, *shape)``; zeros past ``count``.

    An epoch's permutation depends on its seed and number alone, so a resumed run sees the same order. Where the rows do
    not fill the shape, which holds at least all, the first rows of the permutation follow again; these are padding. With
    ``bootstrap`` every seed goes through its own sample of the rows, in the same order; without ``shuffle`` in that of the
    data.
    """
    length = math.prod(shape)
    samples = {seed: sample(seed, rows) for seed in seeds} if bootstrap else {}
    result = np.zeros((longest, len(seeds), length), np.int32)
    for epoch in range(count):
        for place, seed in enumerate(seeds):
            order = permutation(seed, first + epoch, rows) if shuffle else np.arange(rows)
            order = samples[seed][order] if bootstrap else order
            result[epoch, place] = np.resize(order, length)
    return result.reshape(longest, len(seeds), *shape)


def permutation(seed: int, epoch: int, rows: int, window: int = 0) -> Array:
    """The order of all rows in one epoch, or of those of one of its windows."""
    return _generator(seed, epoch, window).permutation(rows)


def some(rows: int, most: int) -> Array:
    """At most so many of the rows, the same ones whenever asked, in the order in which a permutation has them."""
    return permutation(_SOME, 0, rows)[:most]


def sample(seed: int, rows: int) -> Array:
    """The bootstrap sample of a seed: as many rows as there are, drawn with replacement, sorted. Breiman 1996."""
    return np.sort(_generator(seed, _BOOTSTRAP).integers(0, rows, rows))


class _Bits(threading.local):
    """A generator for each thread: a new one would ask the system for entropy that its key then takes the place of."""

    def __init__(self) -> None:
        self.bits = np.random.Philox(key=0)
        self.generator = np.random.Generator(self.bits)


_own = _Bits()


def _generator(seed: int, number: int, window: int = 0) -> np.random.Generator:
    """The thread's, at the start of the stream that has these numbers as its key."""
    words = {"key": np.array([seed, number], np.uint64), "counter": np.array([0, 0, 0, window], np.uint64)}
    unread = {"buffer": np.zeros(4, np.uint64), "buffer_pos": 4, "has_uint32": 0, "uinteger": 0}
    state: Any = {"bit_generator": "Philox", "state": words, **unread}
    _own.bits.state = state
    return _own.generator
