"""Rows of another framework's loader as a dataset, and outputs of its network judged on them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kilter.data.dataset import Dataset, Part
from kilter.data.split import split
from kilter.data.targets import Target, guess_task
from kilter.doctor.courses import UNEVEN, constant
from kilter.losses import Distance, Loss
from kilter.metrics import Metric, default

Array = np.ndarray[Any, Any]
# Fewer rows are not split.
_FEW = 10


def dataset(
    x: Array, y: Array, outputs: int, loss: Loss | None, held: tuple[Array, Array] | None, seed: int | None, title: str
) -> tuple[Dataset | None, dict[str, Array]]:
    """Rows as a dataset, a fifth of them held out, and which rows are in each part.

    There is no dataset where a target is no number, class or row of these.

    Unlike `kilter.data.from_arrays` it takes what cannot be trained on, so that this is found.

    Args:
        x: inputs ``(rows, *shape)``, channels last.
        y: their targets.
        outputs: of the network.
        loss: that compares them, where Kilter knows it.
        held: rows for validation, where there are some.
        seed: of the split; None for none.
        title: what to call it.
    """
    everything = {"train": np.arange(len(x))}
    if y.ndim > 2:
        return None, everything
    both = y if held is None else np.concatenate([y, held[1]])
    target = _target(both, outputs, loss)
    own = encoded(both, target)
    whole = Part(np.ascontiguousarray(x, np.float32), own[: len(y)])
    if held is not None:
        other = Part(np.ascontiguousarray(held[0], np.float32), own[len(y) :])
        return Dataset(whole, other, None, target, title=title), everything
    if len(x) < _FEW or seed is None:
        return Dataset(whole, None, None, target, title=title), everything
    rows = split(len(x), {"validation": 0.2}, seed, own if target.task == "classes" else None)
    return Dataset(whole.take(rows["train"]), whole.take(rows["validation"]), None, target, title=title), rows


def encoded(y: Array, target: Target) -> Array:
    """Targets as a part of a dataset holds them."""
    if target.task == "classes":
        return (y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))).astype(np.int32)
    return y.astype(np.float32).reshape(len(y), -1)


def _target(y: Array, outputs: int, loss: Loss | None) -> Target:
    """What a target is: what a loss compares with counts, not what values look like."""
    column = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if column.ndim == 2:
        task = guess_task(column)
        return Target(task, tuple(range(column.shape[1])) if task == "classes" else (), flat=False)
    binary = bool(np.isin(column, (0, 1)).all())
    whole = column.dtype.kind in "iub" and not (isinstance(loss, Distance) and outputs == 1 and not binary)
    shares = loss is not None and loss.takes in ("logits", "probabilities") and binary
    if whole or shares or (binary and len(np.unique(column)) == 2):
        count = max(outputs if outputs > 1 else 2, int(column.max(initial=0)) + 1)
        return Target("classes", tuple(range(count)))
    return Target("numbers", flat=y.ndim == 1)


@dataclass(frozen=True)
class Judge:
    """Tells how good outputs are.

    Attributes:
        data: rows.
        loss: by which outputs are read; None: as logits of classes, or as numbers.
    """

    data: Dataset
    loss: Loss | None

    @property
    def metric(self) -> Metric:
        """The one that decides."""
        return default(self.data.target.task)

    @property
    def deciding(self) -> Part:
        """The rows that decide."""
        return self.data.train if self.data.validation is None else self.data.validation

    @property
    def chance(self) -> float:
        """Score of the best constant prediction."""
        return self._score(constant(self.data.train, self.deciding, self.data.classes), self.deciding)

    @property
    def chance_loss(self) -> float:
        """Loss of the best constant prediction; NaN where the loss is not known."""
        if self.loss is None:
            return float("nan")
        with np.errstate(all="ignore"):
            return float(self.loss.chance(self.data.train.y, self.data.classes))

    def score(self, outputs: Array, part: Part) -> float:
        """Score of outputs on the rows of a part; NaN where they do not belong together."""
        predictions = self.read(outputs)
        if len(predictions) != len(part) or (not self.data.classes and predictions.size != part.y.size):
            return float("nan")
        return self._score(predictions, part)

    def recall(self, outputs: Array) -> Array:
        """Share of each class that is recognized on the deciding rows, ``(1, classes)``; empty unless some are rare."""
        counts = np.bincount(self.data.train.y, minlength=self.data.classes) if self.data.classes else np.ones(1)
        if not self.data.classes or counts.max() < UNEVEN * max(counts[counts > 0].min(), 1):
            return np.zeros((1, 0))
        y = self.deciding.y
        right = self.read(outputs).argmax(-1) == y
        own = [right[y == each].mean() if (y == each).any() else np.nan for each in range(self.data.classes)]
        return np.array([own])

    def read(self, outputs: Array) -> Array:
        """What outputs predict."""
        outputs = outputs.reshape(len(outputs), -1).astype(np.float32)
        if self.loss is not None:
            return np.asarray(self.loss.read(outputs, bool(self.data.classes)))  # type: ignore[arg-type]
        if self.data.classes and outputs.shape[1] == 1:
            return np.concatenate([-outputs, outputs], 1)
        return outputs

    def _score(self, predictions: Array, part: Part) -> float:
        with np.errstate(all="ignore"):
            return float(self.metric(predictions.astype(np.float64), part.y, np.ones(len(part))))
