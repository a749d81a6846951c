"""Making a stream: its rows are read once, to learn what they are and to keep those that are held out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kilter.core.checks import check_seed
from kilter.core.doubts import warn
from kilter.core.errors import InputError, within
from kilter.data.arrays import Array
from kilter.data.dataset import Part
from kilter.data.stream import Stream
from kilter.data.streams.budget import Budget
from kilter.data.streams.drafts import ArrayDraft, Draft, TableDraft
from kilter.data.streams.feed import Feed, piece_rows, rows_of, taken
from kilter.data.streams.first_pass import NUMBERS, FirstPass
from kilter.data.streams.lots import lots
from kilter.data.streams.origin import origin_of, others_of, shares_of
from kilter.data.streams.pool import Pool
from kilter.data.streams.readers import Reader
from kilter.data.streams.sources import Source

# Of the rows that are kept, at most so many are held out; the others stand for those that are trained on.
_HELD_OUT = 0.75


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
    if target is not None and not isinstance(target, str):
        raise InputError(f"target must be the name of one column, got {target!r}")
    if target is not None and weights is not None and not isinstance(weights, str):
        raise InputError("weights must be the name of a column where the rows are tables")
    budget, seed, shares, origin = (
        Budget.of(memory),
        check_seed(seed),
        shares_of(held),
        origin_of(source, target, weights),
    )
    draft: Draft = ArrayDraft(task) if target is None else TableDraft(target.strip(), task, weights, categories)
    first = FirstPass.over(origin, draft, budget, seed)
    kept = _Kept.of(first.pool, draft)
    reader = draft.reader(kept.rows, np.flatnonzero(kept.drawn >= kept.ends(shares)[-1]), kept.bound == 1)
    kept = kept.cut(budget.pool // (4 * (int(np.prod(reader.shape)) + 2)), draft)
    parts = kept.parts(reader, shares)
    _check_parts(parts, shares, first.rows)
    notes = [*_lost(first), *draft.notes, *kept.notes(shares)]
    apart = [part for name, part in parts.items() if name != "train"]
    for name, other in others_of(held, target, weights).items():
        parts[name], note = _own(name, other, reader, budget, seed)
        notes += note
    trained, weight = first.rows - sum(map(len, apart)), first.weight - sum(map(_weight, apart))
    feed = Feed(
        origin, reader, tuple(first.lengths), kept.ends(shares)[-1], seed, trained, weight / trained, budget
    )  # fmt: skip
    for doubt in [*_lost(first), *draft.doubts]:
        warn(doubt)
    return _stream(feed, parts, notes, None if target is None else getattr(reader, "door", None))


def _stream(feed: Feed, parts: dict[str, Part], notes: list[str], door: Any) -> Stream:
    names, codes = ((), ()) if door is None else (door.names, door.categories)
    return Stream(
        parts["train"], parts.get("validation"), parts.get("test"), feed.reader.target, door, names, feed.source.title,
        tuple(notes), codes if any(codes) else (), feed=feed,
    )  # fmt: skip


class _Kept(NamedTuple):
    """Rows that are held in memory: all those whose lots lie below the bound."""

    rows: Any
    drawn: Array
    bound: float

    @classmethod
    def of(cls, pool: Pool, draft: Draft) -> "_Kept":
        rows = draft.joined([piece for piece, _ in pool.pieces])
        drawn = np.concatenate([own for _, own in pool.pieces])
        pool.pieces.clear()
        return cls(rows, drawn, pool.bound)

    def factor(self, shares: Mapping[str, float]) -> float:
        """How much of the shares can be held out."""
        wanted = sum(shares.values())
        return 1.0 if self.bound == 1 or not wanted else min(1.0, _HELD_OUT * self.bound / wanted)

    def ends(self, shares: Mapping[str, float]) -> list[float]:
        """Lots below which the rows of each part lie that is held out, from 0 on."""
        return np.cumsum([0.0, *(self.factor(shares) * share for share in shares.values())]).tolist()

    def cut(self, room: int, draft: Draft) -> "_Kept":
        """No more rows than there is room for."""
        if len(self.drawn) <= max(room, 1):
            return self
        bound = float(np.partition(self.drawn, max(room, 1))[max(room, 1)])
        chosen = np.flatnonzero(self.drawn < bound)
        return _Kept(draft.take(self.rows, chosen), self.drawn[chosen], bound)

    def parts(self, reader: Reader, shares: Mapping[str, float]) -> dict[str, Part]:
        """The rows by part."""
        part, _ = reader.read(self.rows)
        place = np.searchsorted(self.ends(shares)[1:], self.drawn, "right")
        return {name: taken(part, np.flatnonzero(place == index)) for index, name in enumerate([*shares, "train"])}

    def notes(self, shares: Mapping[str, float]) -> list[str]:
        """What is to be said."""
        factor = self.factor(shares)
        if factor == 1:
            return []
        told = ", ".join(f"{name} {factor * share:.3g} in place of {share:g}" for name, share in shares.items())
        return [f"fewer rows are held out, as memory holds no more: {told}"]


def _lost(first: FirstPass) -> list[str]:
    lost = sum(first.lengths) - first.rows
    return [f"{lost} of {lost + first.rows} rows are left out: they have no value of the target"] if lost else []


def _check_parts(parts: dict[str, Part], shares: Mapping[str, float], rows: int) -> None:
    for name, share in shares.items():
        if not len(parts[name]):
            raise InputError(f"{rows} rows are too few to hold out a share of {share:g} for {name}; give {name}=0")
    if not len(parts["train"]):
        raise InputError(f"{rows} rows are too few for the shares {dict(shares)}")


def _own(name: str, source: Source, reader: Reader, budget: Budget, seed: int) -> tuple[Part, list[str]]:
    """Rows of a source of their own that are held out; those with the lowest lots where memory holds no more."""
    pool, number, total = Pool(budget.pool), 0, 0
    for block in range(source.blocks):
        for piece in source.read(block, piece_rows(budget, NUMBERS)):
            count = rows_of(piece)
            if count:
                with within(f"{name} {source.place(block)}"):
                    part, _ = reader.read(piece)
                pool.add(part, lots(seed, number, len(part)), taken, _bytes)
                number, total = number + count, total + len(part)
    parts = [part for part, _ in pool.pieces]
    if not parts:
        raise InputError(f"{name} is empty; at least one row with a target is needed")
    x, y = (np.concatenate([getattr(part, each) for part in parts]) for each in ("x", "y"))
    weights = None if parts[0].weights is None else np.concatenate([part.weights for part in parts])
    note = [f"{len(x)} of {total} {name} rows are used, as memory holds no more"] if pool.bound < 1 else []
    return Part(x, y, weights), note


def _weight(part: Part) -> float:
    return len(part) if part.weights is None else float(part.weights.sum(dtype=np.float64))


def _bytes(part: Part) -> int:
    return part.x.nbytes + part.y.nbytes
