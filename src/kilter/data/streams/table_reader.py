"""Reads pieces of tables: features by their encoders, the fast way where a column needs none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from kilter.core.errors import InputError
from kilter.data import cells
from kilter.data.arrays import Array
from kilter.data.dataset import Part
from kilter.data.encoders import Number
from kilter.data.reading import Table, read
from kilter.data.streams.readers import checked_weights
from kilter.data.streams.seen import plain
from kilter.data.table_door import TableDoor
from kilter.data.table_target import Outcomes, outcomes
from kilter.data.targets import Target

# Rows whose features are put beside each other at once: as many as the cache of a core holds.
_BLOCK = 1024


@dataclass(frozen=True)
class TableReader:
    """Reads tables.

    Attributes:
        door: encodes the columns.
        target: what the target is.
        name: of the target's column.
        weights: name of the column of weights, or None.
        task: that the user has named, or None.
    """

    door: TableDoor
    target: Target
    name: str
    weights: str | None
    task: str | None

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.door.categories),)

    def read(self, piece: Any) -> tuple[Part, Array | None]:
        table = table_of(piece, [*self.door.columns, self.name, *([self.weights] if self.weights else [])])
        found = answers(table, self.name, self.task)
        x, weights = self._features(table.raw, table.rows), weights_of(table, self.weights)
        y = self.target.encode(found.values, f"target {self.name!r}")
        if len(found.kept) == table.rows:
            return Part(x, y, weights), None
        return Part(x[found.kept], y, None if weights is None else weights[found.kept]), found.kept

    def _features(self, raw: Mapping[str, Any], rows: int) -> Array:
        ready = [(encoder, plain(raw[encoder.name]) if _as_it_is(encoder) else None) for encoder in self.door.encoders]
        x, start, slices = np.empty((rows, *self.shape), np.float32), 0, []
        for encoder, numbers in ready:
            width = len(encoder.categories)
            values = encoder.encode(cells.canonical(raw[encoder.name], encoder.name)) if numbers is None else numbers
            slices.append((slice(start, start + width), values.reshape(rows, width)))
            start += width
        finite = True
        with np.errstate(over="ignore"):
            for first in range(0, rows, _BLOCK):
                block = x[first : first + _BLOCK]
                for columns, values in slices:
                    block[:, columns] = values[first : first + _BLOCK]
                finite &= bool(np.isfinite(block).all())
        if finite:
            return x
        # Gaps are filled, and what cannot be used is told, by the way that all columns can go.
        return self.door.encode({name: cells.canonical(raw[name], name) for name in self.door.columns})


def _as_it_is(encoder: Any) -> bool:
    return isinstance(encoder, Number) and not encoder.gaps


def table_of(piece: Any, names: Sequence[str] | None = None) -> Table:
    """A piece as a table of Arrow columns, all of them or those of these names.

    Raises:
        InputError: no table, or columns that it lacks.
    """
    if isinstance(piece, tuple | list):
        raise InputError("a batch is a pair of arrays, but a table is needed where a target is named; leave target out")
    table = read(piece, "a batch")
    if names is None:
        names = [name for name in table.raw if not name.startswith("__index_level_")]
    table.require(names)
    raw = {name: _arrow(table.raw[name], name) for name in names}
    return Table(table.title, table.rows, raw, "it")


def _arrow(raw: Any, name: str) -> Any:
    return raw if isinstance(raw, pa.Array | pa.ChunkedArray) else cells.canonical(raw, name)


def answers(table: Table, name: str, task: str | None) -> Outcomes:
    """The values of the target, perhaps none."""
    table.require([name])
    column = table.column(name)
    if column.null_count == table.rows:
        return Outcomes(np.zeros(0, np.float32), np.zeros(0, np.intp))
    return outcomes(table, name, task)


def weights_of(table: Table, name: str | None) -> Array | None:
    """The weights of all rows, where there are any."""
    if name is None:
        return None
    table.require([name])
    return checked_weights(cells.numbers(table.column(name), name), table.rows)
