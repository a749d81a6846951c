"""Arrow arrays from text and numbers, and back, by their buffers: Arrow's own ways import pandas, which takes longer than
reading most tables.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from kilter.data.arrays import Array

pc: Any = compute  # its functions are made at import, where type checkers do not see them


def words(texts: Sequence[str]) -> Any:
    """Texts as large_string.

    >>> words(["", "na"]).to_pylist()
    ['', 'na']
    """
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return pa.Array.from_buffers(
        pa.large_string(), len(encoded), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    )


def word(text: str) -> Any:
    """A text as a scalar of large_string."""
    return words([text])[0]


def nothing(kind: Any) -> Any:
    """The scalar of a type that stands for a missing value."""
    return pa.nulls(1, kind)[0]


def taken(array: Any, rows: Array) -> Any:
    """The rows with these numbers.

    >>> taken(words(["a", "b", "c"]), np.array([2, 0])).to_pylist()
    ['c', 'a']
    """
    numbers = np.ascontiguousarray(rows, np.int64)
    return array.take(pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)]))


def floats(array: Any) -> Array:
    """Numbers or truth values as float64, NaN where one is missing; a copy.

    >>> floats(pa.array([1, None, 3]))
    array([ 1., nan,  3.])
    """
    if not len(array):
        return np.zeros(0)
    array = array.cast(pa.float64(), safe=False)
    start, count = array.offset, len(array)
    values = np.frombuffer(array.buffers()[1], np.float64, count, 8 * start).copy()
    if array.null_count:
        bits = np.frombuffer(array.buffers()[0], np.uint8)
        values[~np.unpackbits(bits, count=start + count, bitorder="little")[start:].astype(bool)] = np.nan
    return values


def missing(array: Any) -> Array:
    """Which values are missing.

    >>> missing(pa.array(["a", None]))
    array([False,  True])
    """
    return floats(pc.is_null(array)) == 1.0
