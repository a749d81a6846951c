"""Data ready to train on: parts of rows, what the target is, and the door by which new rows come in."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from kilter.core.errors import InputError
from kilter.data import arrays
from kilter.data.arrays import Array
from kilter.data.preprocess import Preprocess, Statistics
from kilter.data.split import split
from kilter.data.targets import Target, learn


class Door(Protocol):
    """Turns what users hand over (arrays, tables) into inputs ``(rows, *shape)``; saved with a run as JSON."""

    def enter(self, x: Any) -> Array: ...

    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Part:
    """Rows of one part: inputs ``(rows, *shape)`` float32, targets as in `Target`, weights ``(rows,)`` or None."""

    x: Array
    y: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Array) -> "Part":
        """The given rows; where all of them weigh nothing, they count alike."""
        weights = None if self.weights is None or not self.weights[rows].any() else self.weights[rows]
        return Part(self.x[rows], self.y[rows], weights)


@dataclass(frozen=True)
class Dataset:
    """Training rows and, where held out, validation and test rows.

    Attributes:
        train: rows to learn from.
        validation: rows that decide (early stopping, best epoch, score), or None.
        test: rows that nothing looks at before the end, or None.
        target: what is predicted.
        door: how new rows come in; None for plain arrays.
        names: names of the features, or empty.
        title: what the data is called.
        notes: what was left out or guessed.
        categories: for each feature the number of categories that its codes 0, 1, ... stand for, 0 where it is no code;
            empty where there are no codes. -1 stands for a value that the training rows did not have.
    """

    train: Part
    validation: Part | None
    test: Part | None
    target: Target
    door: Door | None = None
    names: tuple[str, ...] = ()
    title: str = "data"
    notes: tuple[str, ...] = field(default=())
    categories: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.train.x.shape[1:]

    @property
    def rows(self) -> int:
        """Number of rows to train on."""
        return len(self.train)

    @property
    def passing(self) -> int:
        """Bytes of rows that pass through memory while it is trained on, beside those that are held."""
        return 0

    @property
    def unseen(self) -> bytes:
        """What tells rows that are not in memory from others."""
        return b""

    @property
    def sample(self) -> "Dataset":
        """Rows that are in memory, as a dataset of their own: all of them, where the data is no stream."""
        return self

    @property
    def classes(self) -> int:
        """Number of classes; 0 where the target is not one."""
        return len(self.target.classes)

    @property
    def parts(self) -> "dict[str, Part]":
        """The parts that there are, by name."""
        every = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in every.items() if part is not None}

    def learned(self, preprocess: Preprocess, what: str) -> Statistics:
        """The statistics of a preprocessing of ``"x"`` or ``"y"``, fitted on the training rows."""
        return preprocess.fit(getattr(self.train, what), self.train.weights)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {len(part)}" for name, part in self.parts.items())
        kind = f"{self.classes} classes" if self.classes else self.target.task
        return f"Dataset({self.title}: {counts} rows; inputs {self.shape}; {kind})"


Held = float | tuple[Any, Any]


def from_arrays(
    x: Any,
    y: Any,
    *,
    validation: Held = 0.2,
    test: Held = 0.0,
    seed: int = 0,
    task: str | None = None,
    weights: Any = None,
    title: str = "arrays",
) -> Dataset:
    """Make a dataset of arrays.

    Args:
        x: inputs ``(rows, ...)``: numbers, finite; images channels last.
        y: targets: class values ``(rows,)`` of any type, one-hot rows, yes-or-no rows, or numbers.
        validation: share of the rows held out, 0 for none, or a pair ``(x, y)`` of one's own.
        test: the same for the test part.
        seed: of the split; classes keep their shares in every part.
        task: ``"classes"``, ``"labels"`` or ``"numbers"``; guessed from ``y`` where it is left open (see
            `kilter.data.targets.guess_task`).
        weights: weight of each example in the training loss, ``(rows,)``.
        title: what to call the data.

    Raises:
        InputError: anything in the arrays that cannot be trained on, in one sentence.

    >>> import numpy as np
    >>> from_arrays(np.eye(10), np.arange(10) % 2, validation=0.2)
    Dataset(arrays: train 8, validation 2 rows; inputs (10,); 2 classes)
    """
    inputs, y = arrays.features(x), arrays.as_array(y, "y")
    arrays.same_length(inputs, y)
    target = learn(_labels_of_all(y, validation, test), task)
    whole = Part(inputs, target.encode(y), arrays.weights(weights, len(inputs)))
    shares = {name: share for name, share in (("validation", validation), ("test", test)) if not _is_pair(share)}
    rows = split(len(inputs), shares, seed, whole.y if target.task == "classes" else None)
    held = {
        name: _own(name, given, target, inputs.shape[1:]) if _is_pair(given) else _rows(whole, rows[name])
        for name, given in (("validation", validation), ("test", test))
    }
    names = tuple(map(str, x.columns)) if hasattr(x, "columns") else ()
    return Dataset(whole.take(rows["train"]), held["validation"], held["test"], target, names=names, title=title)


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple | list) and len(given) == 2


def _labels_of_all(y: Any, *held: Any) -> Any:
    """Training targets, with those of held-out pairs where these may name further classes."""
    pairs = [np.asarray(given[1]) for given in held if _is_pair(given)]
    own = np.asarray(y)
    fits = [other for other in pairs if other.ndim == own.ndim and other.shape[1:] == own.shape[1:] and other.size]
    return np.concatenate([own, *fits]) if fits else own


def _own(name: str, given: Any, target: Target, shape: tuple[int, ...]) -> Part:
    x = arrays.features(given[0], f"{name} x")
    arrays.same_length(x, given[1], f"{name} x and y")
    if x.shape[1:] != shape:
        raise InputError(f"{name} x has examples of shape {x.shape[1:]}, the training examples have {shape}")
    return Part(x, target.encode(given[1], f"{name} y"))


def _rows(whole: Part, rows: Array) -> Part | None:
    return whole.take(rows) if len(rows) else None
