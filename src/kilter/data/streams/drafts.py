"""Drafts: what is learned of a stream while it is read for the first time, of tables or of arrays."""

from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from kilter.core.errors import InputError
from kilter.data import arrays, cells
from kilter.data.arrays import Array
from kilter.data.assemble import coded
from kilter.data.columns import choose
from kilter.data.streams.readers import ArrayReader, Reader, checked_weights, tuple_of
from kilter.data.streams.seen import Answers, Seen
from kilter.data.streams.table_reader import TableReader, answers, table_of, weights_of
from kilter.data.table_door import TableDoor
from kilter.data.targets import learn


class Draft(Protocol):
    """What is learned of a stream.

    Attributes:
        notes: sentences for the user, found by `reader`.
        doubts: those of them that are said aloud.
    """

    notes: list[str]
    doubts: list[str]

    def see(self, piece: Any) -> tuple[Any, Array, Array | None]:
        """See a piece: in a form that can be kept, the numbers of its rows that have a target, and weights of all rows."""
        ...

    def take(self, piece: Any, rows: Array) -> Any:
        """Some rows of a piece that is kept."""
        ...

    def size(self, piece: Any) -> int:
        """Bytes of a piece that is kept."""
        ...

    def joined(self, pieces: list[Any]) -> Any:
        """Pieces as one."""
        ...

    def reader(self, whole: Any, train: Array, complete: bool) -> Reader:
        """The reader, learned from rows that were kept.

        Args:
            whole: these rows.
            train: numbers of those of them that are trained on.
            complete: whether there are no others.
        """
        ...


class TableDraft:
    """A draft of tables."""

    def __init__(self, target: str, task: str | None, weights: str | None, categories: str) -> None:
        self.target, self.task, self.weights, self.codes = target, task, weights, categories == "codes"
        self.columns: list[str] = []
        self.seen: dict[str, Seen] = {}
        self.answers = Answers(f"target {target!r}")
        self.notes: list[str] = []
        self.doubts: list[str] = []

    def see(self, piece: Any) -> tuple[Any, Array, Array | None]:
        table = table_of(piece)
        found = answers(table, self.target, self.task)
        if not self.seen:
            apart = {self.target, self.weights}
            self.seen = {name: Seen(name) for name in table.raw if name not in apart}
            if not self.seen:
                raise InputError("there are no columns besides the target; give some to learn from")
        table.require(self.seen)
        for name, seen in self.seen.items():
            seen.add(table.raw[name])
        if len(found.kept):
            self.answers.add(found.values)
        kept = [*self.seen, self.target, *([self.weights] if self.weights else [])]
        own = pa.table({name: table.raw[name] for name in kept})
        return own, found.kept, weights_of(table, self.weights)

    def take(self, piece: Any, rows: Array) -> Any:
        return piece.take(rows).combine_chunks()

    def size(self, piece: Any) -> int:
        return piece.nbytes

    def joined(self, pieces: list[Any]) -> Any:
        return pa.concat_tables(pieces, promote_options="permissive")

    def reader(self, whole: Any, train: Array, complete: bool) -> Reader:
        table = table_of(whole)
        found = answers(table, self.target, self.task)
        target = learn(self.answers.beside(found.values), self.task, f"target {self.target!r}")
        choices = []
        for name, seen in self.seen.items():
            column, rows = table.column(name), train
            if not complete:
                extra = seen.witnesses()
                rows = np.concatenate([train, np.arange(len(extra)) + len(column)])
                column = _beside(column, extra)
            choices.append(choose(name, column, rows))
        self.notes += [choice.note for choice in choices if choice.note]
        self.doubts += [choice.note for choice in choices if choice.note and choice.doubt]
        encoders = tuple(
            coded(choice.encoder) if self.codes else choice.encoder for choice in choices if choice.encoder
        )
        if not encoders:
            raise InputError(f"there are no columns to learn from: {'; '.join(self.notes[:3])}")
        return TableReader(TableDoor(encoders), target, self.target, self.weights, self.task)


class ArrayDraft:
    """A draft of arrays."""

    def __init__(self, task: str | None) -> None:
        self.task = task
        self.shape: tuple[int, ...] | None = None
        self.answers = Answers("y")
        self.notes: list[str] = []
        self.doubts: list[str] = []

    def see(self, piece: Any) -> tuple[Any, Array, Array | None]:
        x, y, *weights = tuple_of(piece)
        found, y = arrays.features(x), arrays.as_array(y, "y")
        arrays.same_length(found, y)
        if self.shape is not None and found.shape[1:] != self.shape:
            raise InputError(f"x has examples of shape {found.shape[1:]}, but {self.shape} before")
        self.shape = found.shape[1:]
        self.answers.add(y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y)
        own = checked_weights(weights[0], len(found)) if weights else None
        return (found, y, *([] if own is None else [own])), np.arange(len(found)), own

    def take(self, piece: Any, rows: Array) -> Any:
        return tuple(array[rows] for array in piece)

    def size(self, piece: Any) -> int:
        return sum(array.nbytes for array in piece)

    def joined(self, pieces: list[Any]) -> Any:
        return tuple(map(np.concatenate, zip(*pieces, strict=True)))

    def reader(self, whole: Any, train: Array, complete: bool) -> Reader:
        y = whole[1]
        target = learn(y if complete else self.answers.beside(y), self.task)
        return ArrayReader(whole[0].shape[1:], target)


def _beside(column: Any, extra: Any) -> Any:
    """A canonical column with further values behind it."""
    own = cells.decoded(column)
    kind = extra.type if pa.types.is_null(own.type) or pa.types.is_floating(extra.type) else own.type
    if pa.types.is_boolean(own.type):
        kind = own.type
    whole = pa.concat_arrays([own.cast(kind), extra.cast(kind)])
    return whole.dictionary_encode() if pa.types.is_dictionary(column.type) else whole
