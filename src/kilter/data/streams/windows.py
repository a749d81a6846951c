"""Windows: the training rows of an epoch in pieces of one size, each a number of whole batches, the last filled up."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kilter.core.errors import FileError
from kilter.core.pages import Pages
from kilter.data.arrays import Array
from kilter.data.dataset import Part
from kilter.data.streams.feed import Feed


class Window(NamedTuple):
    """Rows that are on the device together.

    Attributes:
        part: of ``size`` rows; those behind ``rows`` fill up the last batch, or are not used.
        rows: that count.
    """

    part: Part
    rows: int


def window_size(feed: Feed, batch: int) -> int:
    """Rows of a window: whole batches, as many as the budget holds, or as there are."""
    row = 4 * (int(np.prod(feed.reader.shape)) + 2)
    batches = max(1, min(-(-feed.rows // batch), feed.budget.window // (row * batch)))
    return batches * batch


def windows(
    feed: Feed, size: int, batch: int, epoch: int, shuffle: bool, change: Callable[[Part], Part], start: int = 0
) -> Iterator[Window]:
    """The windows of an epoch.

    Without ``shuffle`` the rows come in the order of the source, else in that of the epoch's blocks.

    Args:
        feed: of the rows.
        size: rows of a window.
        batch: rows of a batch, which the size is a multiple of.
        epoch: its number.
        shuffle: whether the blocks come in an order of their own every epoch.
        change: preprocesses rows.
        start: windows that were trained on before.
    """
    fresh = _Filling(size, batch, change, start)
    blocks = feed.order(epoch).tolist() if shuffle else range(len(feed.lengths))
    for part in feed.parts(fresh.wanted(blocks, feed.counts) if start and feed.counts else blocks):
        yield from fresh.add(part)
    if fresh.passed != feed.rows:
        raise FileError(
            f"{feed.source.title}: {fresh.passed} rows to train on came, but there were {feed.rows} when the stream was "
            "made; it has changed, make it anew"
        )
    yield from fresh.last()


class _Filling:
    def __init__(self, size: int, batch: int, change: Callable[[Part], Part], start: int) -> None:
        self.size, self.batch, self.change, self.skip = size, batch, change, start * size
        self.passed = self.filled = 0
        self.pages = Pages()
        self.window: Part | None = None
        self.head: list[Part] = []

    def wanted(self, blocks: Iterable[int], counts: Sequence[int]) -> Iterator[int]:
        """The blocks that must be read; the others, of so many rows each, are behind the training."""
        for block in blocks:
            if self.passed < self.batch or self.passed + counts[block] > self.skip:
                yield block
            else:
                self.passed += counts[block]

    def add(self, part: Part) -> Iterator[Window]:
        """Fill up windows with rows, and give those that are full."""
        if self.passed < self.batch:
            self.head.append(self.change(_cut(part, 0, self.batch - self.passed)))
        before, self.passed = self.passed, self.passed + len(part)
        if self.passed <= self.skip:
            return
        part = self.change(_cut(part, max(0, self.skip - before), len(part)))
        while len(part):
            count = min(len(part), self.size - self.filled)
            self._put(_cut(part, 0, count))
            part = _cut(part, count, len(part))
            if self.filled == self.size:
                yield self._given()

    def last(self) -> Iterator[Window]:
        """The last window, its last batch filled up with the first rows of the epoch, so that these are real rows."""
        if not self.filled:
            return
        rows, missing = self.filled, -self.filled % self.batch
        if missing:
            head = _joined(self.head)
            chosen = np.resize(np.arange(len(head)), missing)
            self._put(Part(head.x[chosen], head.y[chosen], None if head.weights is None else head.weights[chosen]))
        yield self._given(rows)

    def _put(self, part: Part) -> None:
        if self.window is None:
            weights = None if part.weights is None else self._room(part.weights)
            self.window = Part(self._room(part.x), self._room(part.y), weights)
        for whole, own in zip(_arrays(self.window), _arrays(part), strict=True):
            if whole is not None and own is not None:
                whole[self.filled : self.filled + len(own)] = own
        self.filled += len(part)

    def _room(self, like: Array) -> Array:
        return self.pages.room((self.size, *like.shape[1:]), like.dtype)

    def _given(self, rows: int | None = None) -> Window:
        assert self.window is not None
        window = Window(self.window, self.size if rows is None else rows)
        self.window, self.filled = None, 0
        return window


def _arrays(part: Part) -> tuple[Array, Array, Array | None]:
    return part.x, part.y, part.weights


def _cut(part: Part, first: int, end: int) -> Part:
    return Part(part.x[first:end], part.y[first:end], None if part.weights is None else part.weights[first:end])


def _joined(parts: list[Part]) -> Part:
    x, y, weights = zip(*map(_arrays, parts), strict=True)
    return Part(np.concatenate(x), np.concatenate(y), None if weights[0] is None else np.concatenate(weights))
