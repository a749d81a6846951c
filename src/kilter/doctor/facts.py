"""What the rows are like, told from the arrays alone."""

import weakref
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilter.data.dataset import Dataset, Part
from kilter.train.rows import Scaling

Array = np.ndarray[Any, Any]
# Rows of which neighbors are looked for, at most and at least, and neighbors that vote.
_NEIGHBORS, _LEAST, _VOTES = 2000, 50, 5
_SPARSE = 0.25
# Most rows of which quartiles are taken, and numbers that are looked at in one piece.
_QUARTILES, _PIECE = 4000, 1 << 17
# What is known of datasets that are still there, by their identity, and what it was told from.
_known: dict[int, tuple[Any, "Facts"]] = {}


_AS_IT_IS = Scaling()


@dataclass(frozen=True)
class Facts:
    """What the rows of a dataset are like.

    Attributes:
        rows: number of training rows.
        held: number of validation rows.
        classes: number of classes, 0 where the target is not one.
        task: kind of the target, as in `kilter.data.targets.Target`.
        finite: share of the input values that are finite.
        center: mean of each input column, ``(features,)``; of images of each channel.
        spread: standard deviation of each.
        size: root mean square of all input values.
        farthest: distance of the farthest value of each column from its median, in quarter-to-quarter ranges; 0 for columns
            that are mostly one value.
        target_center: mean of each target column (numbers).
        target_spread: standard deviation of each target column (numbers).
        target_range: least and greatest target value.
        shares: share of each class among the training rows.
        held_shares: the same among the validation rows, or None.
        agreement: share of training rows whose neighbors have their class, and the same of validation rows; or None where
            these are too few.
        leaked: share of the validation rows that are training rows, too.
        twins: share of the training rows that are there more than once.
        runs: chance that the next row has the same class, over what the shares alone would give; 1 in shuffled rows.
    """

    rows: int
    held: int
    classes: int
    task: str
    finite: float
    center: Array
    spread: Array
    size: float
    farthest: Array
    target_center: Array
    target_spread: Array
    target_range: tuple[float, float]
    shares: Array
    held_shares: Array | None
    agreement: tuple[float, float] | None
    leaked: float
    twins: float
    runs: float

    @classmethod
    def of(cls, data: Dataset, inputs: Scaling = _AS_IT_IS, targets: Scaling = _AS_IT_IS) -> "Facts":
        """Look at a dataset as the network gets it; what is known of one that has not changed is not looked at again."""
        seen = _seen(data, inputs, targets)
        if id(data) not in _known:
            weakref.finalize(data, _known.pop, id(data), None)
        elif _known[id(data)][0] == seen:
            return _known[id(data)][1]
        found = cls._looked_up(data, inputs.apply(data.train.x), targets.apply(data.train.y))
        _known[id(data)] = seen, found
        return found

    @classmethod
    def _looked_up(cls, data: Dataset, x: Array, y: Array) -> "Facts":
        train, held = data.train, data.validation
        columns = x.reshape(-1, x.shape[-1])
        finite = np.isfinite(columns)
        columns = columns if finite.all() else np.where(finite, columns, np.float32(0))
        center, spread = _moments(columns)
        numbers = y.reshape(len(y), -1).astype(np.float64) if data.target.task == "numbers" else np.zeros((len(y), 0))
        return cls(
            rows=len(train),
            held=0 if held is None else len(held),
            classes=data.classes,
            task=data.target.task,
            finite=float(finite.mean()),
            center=center,
            spread=spread,
            size=float(np.sqrt((np.square(center) + np.square(spread)).mean())),
            farthest=_farthest(columns),
            target_center=numbers.mean(0),
            target_spread=numbers.std(0),
            target_range=(float(y.min()), float(y.max())),
            shares=_shares(train, data.classes),
            held_shares=None if held is None else _shares(held, data.classes),
            agreement=_agreement(data),
            leaked=0.0 if held is None else _leaked(train, held),
            twins=_twins(train),
            runs=_runs(train, data.classes),
        )


def _seen(data: Dataset, inputs: Scaling, targets: Scaling) -> tuple[Any, ...]:
    """What facts are told from, in brief: another one where rows were changed in place."""
    with np.errstate(all="ignore"):  # of what is huge or not finite
        rows = [(part.x.sum().item(), zlib.crc32(part.y.tobytes())) for part in data.parts.values()]
    return *rows, *((repr(each.preprocess), _bytes(each.statistics)) for each in (inputs, targets))


def _bytes(statistics: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    return [(name, np.asarray(values).tobytes()) for name, values in statistics.items()]


def _moments(columns: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column, added up in float64."""
    center, piece = columns.mean(0, dtype=np.float64), max(1, _PIECE // columns.shape[1])
    squares = [np.square(columns[start : start + piece] - center).sum(0) for start in range(0, len(columns), piece)]
    return center, np.sqrt(np.sum(squares, axis=0) / len(columns))


def _farthest(columns: Array) -> Array:
    """Of sparse columns, a quarter of which is one value, such as pixels, 0: all their other values are far from it.

    Quartiles are those of some rows, evenly spread; the farthest value is that of all.
    """
    some = columns[:: -(-len(columns) // _QUARTILES)].astype(np.float64)
    low, middle, high = np.quantile(some, (0.25, 0.5, 0.75), axis=0)
    sparse = (some == middle).mean(0) > _SPARSE
    width = np.where(sparse | (high == low), np.inf, high - low)
    return np.maximum(columns.max(0) - middle, middle - columns.min(0)) / width


def _shares(part: Part, classes: int) -> Array:
    """Shares of the classes, of labels the share of each being on."""
    if not classes:
        return np.zeros(0)
    return np.bincount(part.y, minlength=classes) / len(part)


def _agreement(data: Dataset) -> tuple[float, float] | None:
    """How often a row's five nearest rows vote for its class, of training rows and of validation rows.

    Those of a training row are other training rows; those of a validation row are training rows or other validation rows,
    whichever agree more: where all training labels are wrong, validation rows still know each other. Of these no more are
    asked than there are training rows, as more rows have nearer neighbors.
    """
    held = data.validation
    if not data.classes or held is None or min(len(data.train), len(held)) < _LEAST:
        return None
    parts = [part.take(np.arange(min(len(part), _NEIGHBORS))) for part in (data.train, held)]
    if len(np.unique(parts[0].y)) < 2 or not all(np.isfinite(part.x).all() for part in parts):
        return None
    scale = parts[0].x.reshape(len(parts[0]), -1).std(0, dtype=np.float64)
    train, held = ((part.x.reshape(len(part), -1) / np.where(scale > 0, scale, 1.0), part.y) for part in parts)
    few = (held[0][: len(train[0])], held[1][: len(train[0])])
    return _agree(train, train), max(_agree(held, train), _agree(few, few))


def _agree(rows: tuple[Array, Array], among: tuple[Array, Array]) -> float:
    """Share of rows whose class is that of most of their nearest among others, themselves left out."""
    from sklearn.neighbors import KNeighborsClassifier  # takes long to import

    itself = rows is among
    found = KNeighborsClassifier(_VOTES + itself).fit(*among).kneighbors(rows[0], return_distance=False)
    own = np.arange(len(found))[:, None]
    near = np.where(found == own, -1, found) if itself else found
    votes = np.array([np.bincount(among[1][row[row >= 0][:_VOTES]]).argmax() for row in near])
    return float((votes == rows[1]).mean())


def _leaked(train: Part, held: Part) -> float:
    known = {row.tobytes() for row in train.x}
    return float(np.mean([row.tobytes() in known for row in held.x]))


def _twins(train: Part) -> float:
    return 1.0 - len({row.tobytes() for row in train.x}) / len(train)


def _runs(train: Part, classes: int) -> float:
    if not classes or len(train) < 2:
        return 1.0
    by_chance = float(np.square(_shares(train, classes)).sum())
    return float((train.y[1:] == train.y[:-1]).mean()) / by_chance
