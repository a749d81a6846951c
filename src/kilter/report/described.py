"""What the data are: rows of each part, the target, the inputs, and what was left out or guessed."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kilter.data.dataset import Dataset
from kilter.metrics import describe
from kilter.report.blocks import Block, Table, Text
from kilter.train.run import Run

Array = np.ndarray[Any, Any]
# Classes and features that have a row each.
_CLASSES, _FEATURES = 30, 100


def described(run: Run, data: Dataset | None) -> Iterator[Block]:
    """The blocks; of a run alone no more than shapes are known."""
    count = len(run.classes)
    kind = {
        "classes": f"one of {count} classes",
        "labels": "several yes-or-no at once",
        "numbers": "a number, or several",
    }
    inputs = "x".join(map(str, run.shape)) or "1"
    yield Text(f"{run.title}: {inputs} inputs an example; the target is {kind[run.target.task]}.")
    if data is None:
        return
    yield _rows(data)
    yield _features(data)
    yield from (Text(note, "quiet") for note in data.notes)


def _rows(data: Dataset) -> Table:
    """How many rows each part has, and what their targets are."""
    rows = [["rows", *(f"{len(part)}" for part in data.parts.values())], *_targets(data)]
    return Table(["", *data.parts], rows, "Rows and targets")


def _targets(data: Dataset) -> Iterator[list[str]]:
    parts = list(data.parts.values())
    if data.target.task == "numbers":
        for name, of in (("mean", np.mean), ("std", np.std), ("least", np.min), ("greatest", np.max)):
            yield [f"target, {name}", *(describe(of(part.y)) for part in parts)]
    elif data.target.task == "labels":
        for place in range(min(data.train.y.shape[1], _CLASSES)):
            yield [f"yes to label {place + 1}", *(f"{part.y[:, place].mean():.1%}" for part in parts)]
    else:
        counts = [np.bincount(part.y, minlength=data.classes) for part in parts]
        for place in _shown(counts[0]):
            yield [f"class {data.target.classes[place]}", *(str(count[place]) for count in counts)]


def _shown(counts: Array) -> list[int]:
    """All classes in their order, or where they are too many the most and the least frequent."""
    if len(counts) <= _CLASSES:
        return list(range(len(counts)))
    order = np.argsort(-counts, kind="stable")
    return [*order[: _CLASSES // 2].tolist(), *order[-_CLASSES // 2 :].tolist()]


def _features(data: Dataset) -> Table:
    """Mean, spread and range of the training rows: of each named feature, or of all inputs together."""
    head = ["inputs of the training rows", "mean", "std", "least", "greatest"]
    x = data.train.x
    if len(data.names) != x.shape[-1] or x.ndim != 2:
        return Table(head, [["all", *_moments(x)]], "Inputs")
    names = data.names[:_FEATURES]
    left = "" if len(names) == len(data.names) else f", the first {_FEATURES} of {len(data.names)}"
    rows = [[name, *_moments(column)] for name, column in zip(names, x.T, strict=False)]
    return Table(head, rows, f"Inputs{left}", folded=True)


def _moments(x: Array) -> list[str]:
    return [describe(value) for value in (x.mean(dtype=float), x.std(dtype=float), x.min(), x.max())]
