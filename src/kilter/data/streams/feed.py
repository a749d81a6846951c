"""A feed: the training rows of a stream, read and encoded block by block, in any order of the blocks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kilter.core.errors import FileError, within
from kilter.data.arrays import Array
from kilter.data.dataset import Part
from kilter.data.streams.budget import Budget
from kilter.data.streams.lots import lots
from kilter.data.streams.readers import Reader
from kilter.data.streams.sources import Source

_BLOCK = 1024


@dataclass(frozen=True)
class Feed:
    """All that is needed to read the training rows again and again.

    Attributes:
        source: of the rows.
        reader: encodes them.
        lengths: rows of each block.
        held: rows whose lots lie below are not trained on.
        seed: of the lots, and of the order of the blocks.
        rows: to train on.
        weight: mean weight of these.
        budget: of memory.
    """

    source: Source
    reader: Reader
    lengths: tuple[int, ...]
    held: float
    seed: int
    rows: int
    weight: float
    budget: Budget

    def parts(self, blocks: Iterable[int] | None = None) -> Iterator[Part]:
        """Training rows of blocks, about a thousand at a time; without ``blocks`` of all, in order.

        Raises:
            FileError: a block cannot be read, or has not as many rows as when the stream was made.
            InputError: rows that are not as those that the stream was learned from.
        """
        starts = np.concatenate([[0], np.cumsum(self.lengths)])
        for block in range(len(self.lengths)) if blocks is None else blocks:
            yield from self._block(block, int(starts[block]))

    def order(self, epoch: int) -> Array:
        """The blocks in the order of an epoch; that of the seed and the number of the epoch."""
        key = np.array([self.seed, epoch], np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).permutation(len(self.lengths))

    @cached_property
    def counts(self) -> tuple[int, ...] | None:
        """Rows to train on of each block; None where only reading tells: some have no target, or there is one block."""
        if len(self.lengths) == 1:
            return None
        starts = np.cumsum(self.lengths) - self.lengths
        blocks = zip(starts.tolist(), self.lengths, strict=True)
        found = tuple(int((lots(self.seed, first, count) >= self.held).sum()) for first, count in blocks)
        return found if sum(found) == self.rows else None

    @property
    def piece(self) -> int:
        """Rows that are read at once."""
        return piece_rows(self.budget, int(np.prod(self.reader.shape)))

    def _block(self, block: int, first: int) -> Iterator[Part]:
        place, number, end = self.source.place(block), first, first + self.lengths[block]
        for piece in self.source.read(block, self.piece):
            count = rows_of(piece)
            if not count:
                continue
            with within(place):
                part, kept = self.reader.read(piece)
            drawn = lots(self.seed, number, count)
            number += count
            if number > end:
                break
            yield from _chosen(part, (drawn if kept is None else drawn[kept]) >= self.held)
        if number != end:
            raise FileError(
                f"{place} {'more' if number > end else 'only ' + str(number - first)} rows came, but there were "
                f"{end - first} when the stream was made: it ends early or has changed; make the stream anew"
            )


def _chosen(part: Part, wanted: Array) -> Iterator[Part]:
    """The wanted rows of a part, as many at a time as the cache of a core holds."""
    for first in range(0, len(part), _BLOCK):
        block = slice(first, first + _BLOCK)
        rows = np.flatnonzero(wanted[block])
        if len(rows):
            yield taken(part, block if len(rows) == len(wanted[block]) else first + rows)


def taken(part: Part, rows: Array | slice) -> Part:
    """Some rows of a part; their weights stay as they are."""
    return Part(part.x[rows], part.y[rows], None if part.weights is None else part.weights[rows])


def piece_rows(budget: Budget, numbers: int) -> int:
    """Rows that are read at once, of so many numbers each."""
    return max(256, min(1 << 16, budget.piece // (4 * max(numbers, 1))))


def rows_of(piece: Any) -> int:
    """Rows of a piece, whatever it is."""
    if isinstance(piece, tuple | list):
        return len(piece[0]) if len(piece) and hasattr(piece[0], "__len__") else 1
    if hasattr(piece, "num_rows"):
        return piece.num_rows
    if isinstance(piece, dict):
        return max((len(each) for each in piece.values() if hasattr(each, "__len__")), default=1)
    return len(piece) if hasattr(piece, "__len__") else 1
