"""Lots: a number from 0 to 1 for each row of a stream, from its place and a seed alone; by it rows are held out."""

import numpy as np

from kilter.data.arrays import Array

_STEP, _FIRST, _SECOND = (np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def lots(seed: int, first: int, count: int) -> Array:
    """The lots of ``count`` rows from number ``first`` on, float64 in [0, 1).

    SplitMix64 of Steele, Lea and Flood 2014 of the number of the row, under the seed's own.

    >>> lots(0, 5, 2)[1] == lots(0, 6, 1)[0]
    np.True_
    """
    own = _mixed(np.array([seed], np.uint64))
    numbers = np.arange(first, first + count, dtype=np.uint64)
    return (_mixed(numbers ^ own) >> np.uint64(11)) * 2.0**-53


def _mixed(state: Array) -> Array:
    state = (state + np.uint64(1)) * _STEP
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
