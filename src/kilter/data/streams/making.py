"""Making a stream: its rows are read once, to learn what they are and to keep those that are held out."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from kilter.core.checks import check_seed
from kilter.core.errors import DoubtWarning, InputError, within
from kilter.data.arrays import Array
from kilter.data.dataset import Part
from kilter.data.stream import Stream
from kilter.data.streams.budget import Budget
from kilter.data.streams.drafts import ArrayDraft, Draft, TableDraft
from kilter.data.streams.feed import Feed, piece_rows, rows_of, taken
from kilter.data.streams.files import files_of, fragments_of, is_dataset
from kilter.data.streams.lots import lots
from kilter.data.streams.pool import Pool
from kilter.data.streams.readers import Reader
from kilter.data.streams.sources import Arrays, Source, arrays_of, batches

# Of the rows that are held, at most so many are held out; the others stand for those that are trained on.
_HELD_OUT = 0.75
# Numbers of a row that are reckoned with before any is known.
_NUMBERS = 64


def made(
    source: Any,
    target: str | None,
    held: Mapping[str, Any],
    seed: int,
    task: str | None,
    weights: Any,
    categories: str,
    memory: int | str,
) -> Stream:
    """Do what `kilter.data.stream` says."""
    if categories not in ("one_hot", "codes"):
        raise InputError(f"categories must be 'one_hot' or 'codes', got {categories!r}")
    budget, seed, shares = Budget.of(memory), check_seed(seed), _shares(held)
    origin = _origin(source, target, weights)
    arrays = target is None
    if not arrays and weights is not None and not isinstance(weights, str):
        raise InputError("weights must be the name of a column where the rows are tables")
    draft: Draft = ArrayDraft(task) if target is None else TableDraft(target.strip(), task, weights, categories)
    first = _FirstPass.over(origin, draft, budget, seed)
    return _Assembly(origin, draft, budget, seed, first).stream(shares, _others(held, target, weights), arrays)


@dataclass
class _FirstPass:
    """What the first pass has counted and kept."""

    pool: Pool
    lengths: list[int] = field(default_factory=list)
    kept: int = 0
    weight: float = 0.0

    @classmethod
    def over(cls, source: Source, draft: Draft, budget: Budget, seed: int) -> "_FirstPass":
        found, number = cls(Pool(2 * budget.pool)), 0
        for block in range(source.blocks):
            start = number
            for piece in source.read(block, piece_rows(budget, _NUMBERS)):
                count = rows_of(piece)
                if count:
                    with within(source.place(block)):
                        found._see(piece, draft, lots(seed, number, count))
                number += count
            found.lengths.append(number - start)
        if not number:
            raise InputError(f"source {source.title} is empty; at least one row is needed")
        if not found.kept:
            raise InputError(f"no row of source {source.title} has a target; nothing can be learned")
        return found

    def _see(self, piece: Any, draft: Draft, drawn: Array) -> None:
        own, kept, weights = draft.see(piece)
        self.kept += len(kept)
        self.weight += len(kept) if weights is None else float(weights[kept].sum(dtype=np.float64))
        if len(kept) < len(drawn):
            own, drawn = draft.take(own, kept), drawn[kept]
        self.pool.add(own, drawn, draft.take, draft.size)


@dataclass
class _Assembly:
    """A stream put together of what the first pass has found."""

    source: Source
    draft: Any
    budget: Budget
    seed: int
    first: _FirstPass

    def stream(self, shares: dict[str, float], others: dict[str, Source], arrays: bool) -> Stream:
        rows, drawn, complete = self._pooled()
        wanted = sum(shares.values())
        factor = 1.0 if complete or not wanted else min(1.0, _HELD_OUT * self.first.pool.bound / wanted)
        reader = self._reader(rows, drawn, complete, factor * wanted)
        rows, drawn, complete = self._cut(rows, drawn, complete, reader)
        factor = 1.0 if complete or not wanted else min(1.0, _HELD_OUT * self.first.pool.bound / wanted)
        part, _ = reader.read(rows)
        del rows
        ends = np.cumsum([0.0, *(factor * share for share in shares.values())])
        held = {
            name: taken(part, np.flatnonzero((drawn >= low) & (drawn < high)))
            for name, low, high in zip(shares, ends, ends[1:], strict=False)
            if shares[name]
        }
        sample = taken(part, np.flatnonzero(drawn >= ends[-1]))
        self._check(held, sample, shares)
        if factor < 1:
            told = ", ".join(f"{name} {factor * share:.3g} in place of {share:g}" for name, share in shares.items() if share)
            self.draft.notes.append(f"fewer rows are held out, as memory holds no more: {told}")
        held |= {name: self._own(name, source, reader) for name, source in others.items()}
        apart = sum(len(held[name]) for name in shares if name in held)
        weight = self.first.weight - sum(_weight(held[name]) for name in shares if name in held)
        trained = self.first.kept - apart
        feed = Feed(
            self.source, reader, tuple(self.first.lengths), float(ends[-1]), self.seed, trained, weight / trained,
            self.budget,
        )  # fmt: skip
        return self._stream(feed, sample, held, arrays)

    def _stream(self, feed: Feed, sample: Part, held: dict[str, Part], arrays: bool) -> Stream:
        lost = sum(self.first.lengths) - self.first.kept
        if lost:
            note = f"{lost} of {sum(self.first.lengths)} rows are left out: they have no value of the target"
            self.draft.notes.insert(0, note)
            self.draft.doubts.insert(0, note)
        for doubt in self.draft.doubts:
            warnings.warn(doubt, DoubtWarning, stacklevel=5)  # at the call of stream
        door: Any = None if arrays else feed.reader.door  # pyright: ignore[reportAttributeAccessIssue]
        return Stream(
            sample, held.get("validation"), held.get("test"), feed.reader.target, door, () if door is None else door.names,
            self.source.title, tuple(self.draft.notes), door.categories if door and any(door.categories) else (), feed=feed,
        )  # fmt: skip

    def _pooled(self) -> tuple[Any, Array, bool]:
        pool = self.first.pool
        rows = self.draft.joined([piece for piece, _ in pool.pieces])
        drawn = np.concatenate([own for _, own in pool.pieces])
        pool.pieces.clear()
        return rows, drawn, pool.bound == 1.0

    def _reader(self, rows: Any, drawn: Array, complete: bool, held: float) -> Reader:
        train = np.flatnonzero(drawn >= held)
        if not len(train):
            raise InputError(f"{len(drawn)} rows are too few to hold out a share of {held:g}")
        return self.draft.reader(rows, train, complete)

    def _cut(self, rows: Any, drawn: Array, complete: bool, reader: Reader) -> tuple[Any, Array, bool]:
        """Fewer rows where encoded they would take more than there is room for."""
        room = max(1, self.budget.pool // (4 * (int(np.prod(reader.shape)) + 2)))
        if len(drawn) <= room:
            return rows, drawn, complete
        self.first.pool.bound = float(np.partition(drawn, room)[room])
        chosen = np.flatnonzero(drawn < self.first.pool.bound)
        return self.draft.take(rows, chosen), drawn[chosen], False

    def _own(self, name: str, source: Source, reader: Reader) -> Part:
        """Rows of a source of their own that are held out; those with the lowest lots where memory holds no more."""
        pool, number, total = Pool(self.budget.pool), 0, 0
        for block in range(source.blocks):
            for piece in source.read(block, piece_rows(self.budget, _NUMBERS)):
                count = rows_of(piece)
                if not count:
                    continue
                with within(f"{name} {source.place(block)}"):
                    part, _ = reader.read(piece)
                pool.add(part, lots(self.seed, number, len(part)), taken, _bytes)
                number, total = number + count, total + len(part)
        parts = [part for part, _ in pool.pieces]
        if not parts:
            raise InputError(f"{name} is empty; at least one row with a target is needed")
        if pool.bound < 1:
            count = sum(map(len, parts))
            self.draft.notes.append(f"{count} of {total} {name} rows are used, as memory holds no more")
        x, y = (np.concatenate([getattr(part, each) for part in parts]) for each in ("x", "y"))
        weights = None if parts[0].weights is None else np.concatenate([part.weights for part in parts])
        return Part(x, y, weights)

    def _check(self, held: dict[str, Part], sample: Part, shares: dict[str, float]) -> None:
        empty = [name for name, part in held.items() if not len(part)]
        if empty:
            share = shares[empty[0]]
            raise InputError(
                f"{self.first.kept} rows are too few to hold out a share of {share:g} for {empty[0]}; give {empty[0]}=0"
            )
        if not len(sample):
            raise InputError(f"{self.first.kept} rows are too few for the shares {shares}")


def _origin(source: Any, target: Any, weights: Any) -> Source:
    """The source that a user names."""
    if target is not None and not isinstance(target, str):
        raise InputError(f"target must be the name of one column, got {target!r}")
    pair = isinstance(source, tuple) and len(source) in (2, 3)
    if pair and target is None:
        x, y, own = source if len(source) == 3 else (*source, weights)
        return arrays_of(x, y, own)
    if weights is not None and target is None:
        raise InputError("weights go with arrays (x, y), or name a column; give batches as triples (x, y, weights)")
    if isinstance(source, str | Path) or (isinstance(source, list | tuple) and _all_paths(source)):
        _need_target(target, "files")
        return files_of(source)
    if hasattr(source, "schema") and hasattr(source, "to_batches") and not is_dataset(source):
        from pyarrow import dataset

        source = dataset.dataset(source)
    if is_dataset(source):
        _need_target(target, "a dataset")
        return fragments_of(source)
    return batches(source)


def _all_paths(source: Any) -> bool:
    return len(source) > 0 and all(isinstance(each, str | Path) for each in source)


def _need_target(target: str | None, what: str) -> None:
    if target is None:
        raise InputError(f"a stream of {what} needs target=, the name of the column to predict")


def _is_share(given: Any) -> bool:
    return isinstance(given, Real)


def _shares(held: Mapping[str, Any]) -> dict[str, float]:
    shares = {name: float(given) for name, given in held.items() if _is_share(given)}
    for name, share in shares.items():
        if not 0 <= share < 1 or math.isnan(share):
            raise InputError(f"{name} must be a share in [0, 1) or a source of its own, got {held[name]!r}")
    if sum(shares.values()) >= 1:
        raise InputError(f"the shares {shares} leave nothing to train on")
    return shares


def _others(held: Mapping[str, Any], target: str | None, weights: Any) -> dict[str, Source]:
    column = weights if isinstance(weights, str) else None
    return {name: _origin(given, target, column) for name, given in held.items() if not _is_share(given)}


def _weight(part: Part) -> float:
    return len(part) if part.weights is None else float(part.weights.sum(dtype=np.float64))


def _bytes(part: Part) -> int:
    return part.x.nbytes + part.y.nbytes
