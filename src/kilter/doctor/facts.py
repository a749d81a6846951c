"""What the rows are like, told from the arrays alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kilter.data.dataset import Dataset, Part

Array = np.ndarray[Any, Any]
# Rows of which neighbors are looked for, at most and at least, and neighbors that vote.
_NEIGHBORS, _LEAST, _VOTES = 2000, 50, 5
_SPARSE = 0.25


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
    def of(cls, data: Dataset, x: Array | None = None, y: Array | None = None) -> "Facts":
        """Look at a dataset; ``x`` and ``y`` are its training rows as the network gets them, where that differs."""
        train, held = data.train, data.validation
        x, y = train.x if x is None else x, train.y if y is None else y
        columns = x.reshape(-1, x.shape[-1]).astype(np.float64)
        finite = np.isfinite(columns)
        columns = np.where(finite, columns, 0.0)
        numbers = y.reshape(len(y), -1).astype(np.float64) if data.target.task == "numbers" else np.zeros((len(y), 0))
        return cls(
            rows=len(train),
            held=0 if held is None else len(held),
            classes=data.classes,
            task=data.target.task,
            finite=float(finite.mean()),
            center=columns.mean(0),
            spread=columns.std(0),
            size=float(np.sqrt(np.square(columns).mean())),
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


def _farthest(columns: Array) -> Array:
    """Of sparse columns, a quarter of which is one value, such as pixels, 0: all their other values are far from it."""
    low, middle, high = np.quantile(columns, (0.25, 0.5, 0.75), axis=0)
    sparse = (columns == middle).mean(0) > _SPARSE
    width = np.where(sparse | (high == low), np.inf, high - low)
    return np.abs(columns - middle).max(0) / width


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
    scale = parts[0].x.reshape(len(parts[0]), -1).std(0)
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
