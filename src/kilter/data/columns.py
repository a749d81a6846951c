"""Choosing how a column becomes features, by its training rows; and why some columns do not."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyarrow import compute

from kilter.data import arrow, cells
from kilter.data.arrays import Array
from kilter.data.encoders import Category, Encoder, Number, Text, Time, parts_of
from kilter.data.times import form_of, times

pc: Any = compute  # its functions are made at import, where type checkers do not see them

LEVELS = 40
WIDTH = 32
_COVER = 0.9
_FEW = 10
_ID = re.compile(r"(?:^|[\W_])(?i:id|idx|index|uuid|guid)$|[a-z]I[dD]$")


@dataclass(frozen=True)
class Choice:
    """What becomes of a column.

    Attributes:
        encoder: None where the column is left out.
        note: a sentence where there is something to say.
        doubt: whether that should be said aloud.
    """

    encoder: Encoder | None
    note: str | None = None
    doubt: bool = False


def choose(name: str, column: Any, rows: Array) -> Choice:
    """Choose the encoder of a column.

    What the cells are (numbers, text, dates and how they are written) shows in all rows; whatever is counted or
    averaged comes from the training rows alone.

    Args:
        name: of the column.
        column: in canonical form, see `kilter.data.cells.canonical`.
        rows: numbers of the training rows.

    Raises:
        InputError: numbers that are infinite or beyond float32.
    """
    train, kind = arrow.taken(column, rows), cells.kind_of(column)
    if cells.kind_of(train) == "void":
        return _left_out(name, _EMPTY)
    if kind == "number":
        return _number(name, train)
    form = None if kind == "time" else form_of(column)
    if kind == "time" or form:
        return _time(name, train, form)
    return _text(name, train, cells.stray(column))


def _left_out(name: str, why: str) -> Choice:
    return Choice(None, f"column {name!r} is left out: {why}")


_EMPTY = "it has no values in the training rows"
_CONSTANT = "it has the same value in all training rows"


def _number(name: str, train: Any) -> Choice:
    values = cells.numbers(train, name)
    present = values[~np.isnan(values)]
    gaps = len(present) < len(values)
    if not len(present):
        return _left_out(name, _EMPTY)
    different = np.unique(present)
    if len(different) == 1 and not gaps:
        return _left_out(name, _CONSTANT)
    if _numbers_rows(name, different, len(values)):
        return _left_out(name, "by its name and values it only numbers the rows")
    return Choice(Number(name, gaps, float(np.median(present))))


def _numbers_rows(name: str, different: Array, rows: int) -> bool:
    whole = bool((different == np.round(different)).all())
    return whole and len(different) == rows > _FEW and bool(_ID.search(name))


def _time(name: str, train: Any, form: str | None) -> Choice:
    moments = times(train, name, form)
    present = np.sort(moments[~np.isnat(moments)])
    if not len(present):
        return _left_out(name, _EMPTY)
    gaps = len(present) < len(moments)
    if present[0] == present[-1] and not gaps:
        return _left_out(name, _CONSTANT)
    parts = tuple(part for part, values in parts_of(present).items() if part == "days" or np.ptp(values) > 0)
    fill = int(present[len(present) // 2].astype(np.int64))
    note = f"column {name!r} is read as dates written as {form}" if form else None
    return Choice(Time(name, gaps, form, fill, parts), note)


def _text(name: str, train: Any, stray: str | None) -> Choice:
    words = cells.texts(train, name)
    counts = _counts(words)
    present, gaps = sum(counts.values()), words.null_count > 0
    note = f"column {name!r} is read as text: it holds numbers, but also {stray!r}" if stray is not None else None
    if len(counts) == 1 and not gaps:
        return _left_out(name, _CONSTANT)
    if len(counts) == present > _FEW and not _is_prose(counts):
        return _left_out(name, "every training row has another text, as names and keys have")
    common = sorted(counts, key=lambda level: (-counts[level], level))[:LEVELS]
    if len(counts) > LEVELS and sum(counts[level] for level in common) < _COVER * present:
        hashed = f"column {name!r} has {len(counts)} different texts, hashed into {WIDTH} features"
        return Choice(Text(name, gaps, WIDTH), note or hashed, stray is not None)
    return Choice(Category(name, gaps, tuple(sorted(common)), len(counts) > LEVELS), note, stray is not None)


def _counts(words: Any) -> dict[str, int]:
    pairs = pc.value_counts(words.drop_null())
    return dict(zip(pairs.field("values").to_pylist(), pairs.field("counts").to_pylist(), strict=True))


def _is_prose(texts: dict[str, int]) -> bool:
    """Whether texts are sentences, from which something can be learned even where each occurs once."""
    return sum(len(text.split()) for text in texts) >= 3 * len(texts)
