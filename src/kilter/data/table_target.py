"""The target column of a table: values to predict, and the rows that have one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from kilter.core.errors import InputError
from kilter.data import cells
from kilter.data.arrays import Array
from kilter.data.reading import Table
from kilter.data.times import form_of


@dataclass(frozen=True)
class Outcomes:
    """Values of the target column.

    Attributes:
        values: of the rows that have one: object (text), bool, int64 or float64.
        kept: numbers of these rows.
        note: a sentence where rows are left out, or None.
    """

    values: Array
    kept: Array
    note: str | None = None


def outcomes(table: Table, target: str, task: str | None) -> Outcomes:
    """Read the target column; rows without a value are left out, and a note says so.

    Raises:
        InputError: no such column, no values, dates, or text among numbers.
    """
    table.require([target])
    column = cells.decoded(table.column(target))
    kind = _checked(column, target, task)
    values = column.to_pylist() if kind == "text" else cells.numbers(column, target)
    filled = np.array([value is not None for value in values], bool) if kind == "text" else ~np.isnan(values)
    kept = np.flatnonzero(filled)
    if not len(kept):
        raise InputError(f"target {target!r} has no values in {table.place}; nothing can be learned")
    lost = table.rows - len(kept)
    note = f"{lost} of {table.rows} rows are left out: they have no value of the target {target!r}" if lost else None
    return Outcomes(_values(values, kept, column, kind), kept, note)


def _checked(column: Any, target: str, task: str | None) -> str:
    kind = cells.kind_of(column)
    if kind == "time" or (kind == "text" and form_of(column)):
        raise InputError(f"target {target!r} holds dates; give numbers, such as days since a date, or classes")
    if kind != "text":
        return kind
    if task in ("numbers", "labels"):
        cells.numbers(column, target)
        return "number"
    odd = cells.stray(column)
    if odd is not None and task is None:
        raise InputError(f"target {target!r} holds numbers, but also {odd!r}; correct it, or give task='classes'")
    return kind


def _values(values: Any, kept: Array, column: Any, kind: str) -> Array:
    if kind == "text":
        return np.array([values[row] for row in kept], object)
    found = values[kept]
    if _is_truth(column):
        return found.astype(bool)
    return found.astype(np.int64) if _is_whole(column, found) else found


def _is_truth(column: Any) -> bool:
    if pa.types.is_large_string(column.type):
        return any(word is not None and word.lower() in ("true", "false") for word in column.to_pylist())
    return pa.types.is_boolean(column.type)


def _is_whole(column: Any, found: Array) -> bool:
    """Whether numbers are integers; pandas turns these into floats where one of them is missing, which does not count."""
    if pa.types.is_large_string(column.type) and not column.null_count:
        return all(word.lstrip("+-").isdigit() for word in column.to_pylist())
    floats = pa.types.is_floating(column.type) and not column.null_count
    return not floats and bool(((found == np.round(found)) & (np.abs(found) < 2**53)).all())
