"""A dataset of a table: read, split, learned from the training rows, encoded."""

from typing import Any

import numpy as np

from kilter.core.doubts import warn
from kilter.core.errors import InputError, within
from kilter.data import arrays, cells
from kilter.data.arrays import Array
from kilter.data.columns import Choice, choose
from kilter.data.dataset import Dataset, Part
from kilter.data.encoders import Category, Code, Encoder
from kilter.data.reading import Table, read
from kilter.data.split import split
from kilter.data.table_door import TableDoor
from kilter.data.table_target import Outcomes, outcomes
from kilter.data.targets import learn


def assemble(
    source: Any, target: Any, held: dict[str, Any], seed: int, task: str | None, weights: Any, categories: str
) -> Dataset:
    """Do what `kilter.data.from_table` says."""
    if categories not in ("one_hot", "codes"):
        raise InputError(f"categories must be 'one_hot' or 'codes', got {categories!r}")
    target, weights = _name(target), weights.strip() if isinstance(weights, str) else weights
    table, own = read(source, "source"), {part: read(given, part) for part, given in held.items() if _is_table(given)}
    known = {part: outcomes(each, target, task) for part, each in {"train": table, **own}.items()}
    columns = _columns(table, {target, weights} if isinstance(weights, str) else {target}, known["train"])
    learned = learn(_values(known, target), task, f"target {target!r}")
    ys = {part: learned.encode(each.values, f"target {target!r}") for part, each in known.items()}
    shares = {part: share for part, share in held.items() if part not in own}
    rows = split(len(ys["train"]), shares, seed, ys["train"] if learned.task == "classes" else None)
    door, choices = _learned(columns, rows["train"], table.place, categories == "codes")
    whole = Part(door.encode(columns), ys["train"], _weights(table, weights, known["train"].kept))
    parts = {part: whole.take(found) for part, found in rows.items() if len(found)}
    parts |= {part: Part(_entered(door, each, part, known[part]), ys[part]) for part, each in own.items()}
    _warn([each.note for each in known.values()] + [choice.note for choice in choices if choice.doubt])
    notes = tuple(each.note for each in (*known.values(), *choices) if each.note)
    codes = door.categories if any(door.categories) else ()
    held_out = parts.get("validation"), parts.get("test")
    return Dataset(parts["train"], *held_out, learned, door, door.names, table.title, notes, codes)


def _entered(door: TableDoor, table: Table, part: str, found: Outcomes) -> Array:
    columns = table.columns(door.columns, found.kept)
    with within(part):
        return door.encode(columns)


def _name(target: Any) -> str:
    if not isinstance(target, str | int):
        raise InputError(f"target must be the name of one column, got {target!r}")
    return str(target).strip()


def _is_table(given: Any) -> bool:
    """Whether a part is a table of its own rather than a share of the rows."""
    return not isinstance(given, int | float)


def _warn(doubts: list[str | None]) -> None:
    for doubt in filter(None, doubts):
        warn(doubt)


def _values(known: dict[str, Outcomes], target: str) -> Array:
    """Targets of all tables: those held out may name further classes."""
    kinds = {part: _sort(each.values) for part, each in known.items()}
    for part, kind in kinds.items():
        if kind != kinds["train"]:
            raise InputError(f"target {target!r} holds {kind} in {part}, but {kinds['train']} in source")
    return np.concatenate([each.values for each in known.values()])


def _sort(values: Array) -> str:
    return {"O": "text", "b": "truth values"}.get(values.dtype.kind, "numbers")


def _weights(table: Table, given: Any, kept: Array) -> Array | None:
    if isinstance(given, str):
        table.require([given])
        values = cells.numbers(table.column(given), given)
        return arrays.weights(values[kept], len(kept), f"weights {given!r}")
    found = arrays.weights(given, table.rows)
    return None if found is None else arrays.weights(found[kept], len(kept))


def _columns(table: Table, apart: set[str], found: Outcomes) -> dict[str, Any]:
    names = [name for name in table.raw if name not in apart]
    if not names:
        raise InputError(f"{table.place} has no columns besides the target; give some to learn from")
    return table.columns(names, found.kept)


def _learned(columns: dict[str, Any], rows: Array, place: str, codes: bool) -> tuple[TableDoor, list[Choice]]:
    choices = [choose(name, column, rows) for name, column in columns.items()]
    encoders = tuple(coded(choice.encoder) if codes else choice.encoder for choice in choices if choice.encoder)
    if not encoders:
        notes = "; ".join(choice.note for choice in choices[:3] if choice.note)
        raise InputError(f"{place} has no columns to learn from: {notes}")
    return TableDoor(encoders), choices


def coded(encoder: Encoder) -> Encoder:
    """Categories as codes rather than as features of zeros and ones."""
    if not isinstance(encoder, Category):
        return encoder
    return Code(encoder.name, encoder.gaps, encoder.levels, encoder.rest)
