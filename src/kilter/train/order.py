"""The order of rows: permutations made on the host, one an epoch and seed, shared by all members of a seed."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def orders(seeds: tuple[int, ...], first: int, count: int, longest: int, rows: int, batch: int) -> Array:
    """Row numbers of ``count`` epochs from ``first``, int32 ``(longest, seeds, steps, batch)``; zeros past ``count``.

    An epoch's permutation depends on its seed and number alone, so a resumed run sees the same order. Where the rows do
    not fill the last batch, it is filled up with the first rows of the permutation; these are padding.
    """
    steps = -(-rows // batch)
    result = np.zeros((longest, len(seeds), steps * batch), np.int32)
    for epoch in range(count):
        for place, seed in enumerate(seeds):
            result[epoch, place] = np.resize(permutation(seed, first + epoch, rows), steps * batch)
    return result.reshape(longest, len(seeds), steps, batch)


def permutation(seed: int, epoch: int, rows: int) -> Array:
    """The order of all rows in one epoch."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(rows)
