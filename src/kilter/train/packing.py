"""Trees of arrays packed by type: a file system and Orbax take as long for a small array as for a large one."""

import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from kilter.core import trees

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Packed:
    """A tree of arrays.

    Attributes:
        whole: by type, all numbers of the arrays that this process has, one array after the other; copies.
        spread: by path, the arrays that no process has whole.
        index: path, type and shape of the packed ones, in order.
        checksum: of them.
    """

    whole: dict[str, Array]
    spread: dict[str, Any]
    index: list[list[Any]]
    checksum: int

    @classmethod
    def of(cls, tree: Any) -> "Packed":
        """Pack a tree, whose arrays may change afterwards."""
        spread: dict[str, Any] = {}
        by_type: dict[str, list[Array]] = defaultdict(list)
        index: list[list[Any]] = []
        for path, leaf in trees.named(tree).items():
            own = _own(leaf)
            if own is None:
                spread[path] = leaf
            else:
                by_type[own.dtype.name].append(own.ravel())
                index.append([path, own.dtype.name, list(own.shape)])
        whole = {name: np.concatenate(arrays) for name, arrays in by_type.items()}
        whole = {name: array for name, array in whole.items() if array.size}
        return cls(whole, spread, index, checksum(whole))


def unpacked(whole: Mapping[str, Array], index: list[list[Any]]) -> dict[str, Array]:
    """The arrays by path."""
    found: dict[str, Array] = {}
    begin: dict[str, int] = defaultdict(int)
    for path, name, shape in index:
        end = begin[name] + int(np.prod(shape, dtype=np.int64))
        array = whole[name][begin[name] : end] if end > begin[name] else np.zeros(0, np.dtype(name))
        found[path] = array.reshape(shape).copy()
        begin[name] = end
    return found


def checksum(whole: Mapping[str, Array]) -> int:
    """Of all bytes (CRC-32)."""
    found = 0
    for name in sorted(whole):
        found = zlib.crc32(np.ascontiguousarray(whole[name]).view(np.uint8).data, found)
    return found


def _own(leaf: Any) -> Array | None:
    """The whole array, where this process has it."""
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        return np.asarray(leaf.addressable_data(0)) if leaf.is_fully_replicated else None
    return np.asarray(leaf)
