"""Targets: what is to be predicted, as class indices, yes-or-no rows, or numbers."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kilter.core.errors import InputError
from kilter.data.arrays import Array, as_array, numbers

Task = Literal["classes", "labels", "numbers"]
TASKS: tuple[Task, ...] = ("classes", "labels", "numbers")


@dataclass(frozen=True)
class Target:
    """What the target is and how its values are written.

    Attributes:
        task: ``"classes"`` (one of several), ``"labels"`` (several yes-or-no at once) or ``"numbers"``.
        classes: the values of the classes in order of their index; empty for other tasks.
        flat: whether users give and get one number an example as ``(rows,)`` rather than ``(rows, 1)``.
    """

    task: Task
    classes: tuple[Any, ...] = ()
    flat: bool = True

    def encode(self, y: Any, name: str = "y") -> Array:
        """Targets as the network sees them: int32 indices, or float32 rows.

        Raises:
            InputError: a class that was not there when the target was learned, or targets of another kind.
        """
        if self.task != "classes":
            return numbers(y, name)
        values = _plain_classes(y, name)
        table = {value: index for index, value in enumerate(self.classes)}
        try:
            return np.array([table[value] for value in values.tolist()], np.int32)
        except KeyError as error:
            known = ", ".join(map(repr, self.classes[:6])) + (", ..." if len(self.classes) > 6 else "")
            raise InputError(f"{name} holds the class {error.args[0]!r}, unknown so far; known are {known}") from None

    def decode(self, predictions: Array) -> Array:
        """Predictions as users write them: class values, 0 and 1, or numbers."""
        if self.task == "classes":
            return np.array(self.classes)[predictions.argmax(-1)]
        if self.task == "labels":
            return (predictions > 0.5).astype(np.int32)
        return predictions[:, 0] if self.flat and predictions.shape[-1] == 1 else predictions


def learn(y: Any, task: str | None = None, name: str = "y") -> Target:
    """Find out what the target is; ``task`` overrules the guess of `guess_task`.

    Raises:
        InputError: fewer than two classes, missing values, shapes that no task has.
    """
    if task is not None and task not in TASKS:
        raise InputError(f"task must be one of {', '.join(map(repr, TASKS))}, or None to guess, got {task!r}")
    array = as_array(y, name)
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise InputError(f"{name} has shape {array.shape}; targets are one value or one row of numbers an example")
    task = task or guess_task(array)
    if task != "classes":
        numbers(array, name)
        return Target("labels" if task == "labels" else "numbers", flat=array.ndim == 1)
    classes: tuple[Any, ...] = tuple(
        sorted(set(_plain_classes(array, name).tolist()), key=lambda value: (str(type(value)), value))
    )
    if len(classes) < 2:
        raise InputError(f"{name} holds one class only, {next(iter(classes))!r}; at least two are needed to learn from")
    return Target("classes", classes)


def guess_task(y: Array) -> Task:
    """What targets of this look usually are.

    Text, truth values and rows with a single one are classes; so are whole numbers, unless there are more than twenty
    different ones and these are more than a twentieth of the rows; rows of zeros and ones are labels; all else numbers.
    Floating-point values count as numbers, except for zeros and ones.
    """
    if y.dtype.kind in "OUSb":
        return "classes"
    binary = bool(np.isin(y, (0, 1)).all())
    if y.ndim == 2 and y.shape[1] > 1:
        return ("classes" if bool((y.sum(1) == 1).all()) else "labels") if binary else "numbers"
    if y.dtype.kind == "f":
        return "classes" if binary and len(np.unique(y)) == 2 else "numbers"
    different = len(np.unique(y))
    return "numbers" if different > 20 and different > len(y) / 20 else "classes"


def _plain_classes(y: Any, name: str) -> Array:
    """One class value an example, of a type that can be written as JSON."""
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] > 1:
        one_each = array.dtype.kind in "fiub" and bool((np.isin(array, (0, 1)).all(1) & (array.sum(1) == 1)).all())
        if not one_each:
            raise InputError(f"{name} has {array.shape[1]} columns; classes are one column, or one-hot rows")
        return array.argmax(1)
    array = array.reshape(len(array))
    if array.dtype.kind == "f":
        return _whole(array, name)
    if array.dtype.kind not in "biuOSU":
        raise InputError(f"{name} holds {array.dtype} values, which are no classes; give text or whole numbers")
    if array.dtype.kind == "O" and any(value is None or value != value for value in array):
        raise InputError(f"{name} has missing values; drop these rows")
    if array.dtype.kind in "OS":
        return np.array([_class_value(value) for value in array], object)
    return array


def _class_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, bool | int) else str(value)


def _whole(array: Array, name: str) -> Array:
    if not np.isfinite(array).all():
        raise InputError(f"{name} has missing or infinite values; drop these rows")
    if (array != np.round(array)).any():
        raise InputError(f"{name} holds fractions such as {array[array != np.round(array)][0]:g}, which are no classes")
    return array.astype(np.int64)
