"""Where the rows of a stream come from: blocks of rows that can be read in any order, as often as wanted."""

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kilter.core.errors import FileError, InputError
from kilter.data.arrays import Array

# Rows of a block of arrays: small, so that an order of blocks mixes well; enough to be read at once.
_BLOCK = 4096


class Source(Protocol):
    """Blocks of rows.

    Attributes:
        title: what the data is called.
        blocks: how many there are; 1 where the rows come in one order only.
    """

    @property
    def title(self) -> str: ...

    @property
    def blocks(self) -> int: ...

    def read(self, block: int, rows: int) -> Iterator[Any]:
        """The pieces of a block in order, of about so many rows: tables, or tuples of arrays."""
        ...

    def place(self, block: int) -> str:
        """What to call a block in errors."""
        ...


@dataclass(frozen=True)
class Arrays:
    """Arrays with a row an example: inputs, targets and perhaps weights; in memory or mapped from files."""

    arrays: tuple[Array, ...]
    title: str = "arrays"

    @property
    def blocks(self) -> int:
        return -(-len(self.arrays[0]) // _BLOCK)

    def read(self, block: int, rows: int) -> Iterator[Any]:
        first = block * _BLOCK
        yield tuple(np.array(array[first : first + _BLOCK]) for array in self.arrays)
        for array in self.arrays:
            _let_go(array)

    def place(self, block: int) -> str:
        return f"rows from {block * _BLOCK}:"


@dataclass(frozen=True)
class Batches:
    """What a function gives each time that it is called: an iterator of batches, always the same ones."""

    make: Callable[[], Iterable[Any]]
    title: str = "batches"
    blocks: int = 1

    def read(self, block: int, rows: int) -> Iterator[Any]:
        yield from self.make()

    def place(self, block: int) -> str:
        return "source"


def batches(source: Any) -> Batches:
    """Batches of a function that makes iterators, or of something that can be gone through again and again.

    Raises:
        InputError: something that can be gone through only once, or not at all.
    """
    if callable(source):
        make: Any = source
        return Batches(make)
    if not isinstance(source, Iterable):
        raise InputError(
            f"source is a {type(source).__name__}, but a stream is made of Parquet files, of arrays (x, y), of a "
            "pyarrow.dataset.Dataset, or of a function that makes an iterator of batches"
        )
    if isinstance(source, Iterator):
        raise InputError(
            "source is an iterator, which can be gone through only once, but a stream is read once to learn from it and "
            "once an epoch; give a function that makes a new one, such as source=lambda: my_batches()"
        )
    return Batches(lambda: source)


def arrays_of(x: Any, y: Any, weights: Any) -> Arrays:
    """Arrays, or the paths of ``.npy`` files, which are mapped.

    Raises:
        InputError: arrays of unequal length, or without rows.
    """
    given = {"x": x, "y": y} | ({} if weights is None else {"weights": weights})
    found = {name: _opened(each, name) for name, each in given.items()}
    lengths = {name: len(array) for name, array in found.items()}
    if len(set(lengths.values())) > 1:
        told = " and ".join(f"{name} {count}" for name, count in lengths.items())
        raise InputError(f"source has arrays of unequal length ({told} rows); every example needs all")
    if not lengths["x"]:
        raise InputError("source is empty; at least one row is needed")
    return Arrays(tuple(found.values()))


def _opened(given: Any, name: str) -> Array:
    if not isinstance(given, str | Path):
        array = given if hasattr(given, "shape") and hasattr(given, "__getitem__") else np.asarray(given)
    else:
        try:
            array = np.load(given, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise FileError(f"cannot read {given}: it is no .npy file of numbers, or cut short ({error})") from None
    if not array.shape:
        raise InputError(f"{name} is a single value; a row an example is needed")
    return array


def _let_go(array: Any) -> None:
    """Let the system take back the pages of a mapped file; they would otherwise count as this process's memory."""
    if not isinstance(array, np.memmap) or array.mode not in ("r", "r+") or not hasattr(mmap, "MADV_DONTNEED"):
        return
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None:
        base.madvise(mmap.MADV_DONTNEED)
