"""Classes as rows of zeros with a one, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter.core.errors import InputError
from kilter.data.arrays import Array
from kilter.data.targets import Target, learn


def one_hot(labels: Any, classes: Sequence[Any] | None = None) -> Array:
    """Class values as rows of zeros with a one, as float32 ``(rows, classes)``.

    Networks need none of it: targets are taken as they are. scikit-learn's ``label_binarize``, Keras's ``to_categorical``
    and PyTorch's ``one_hot`` (the latter two for whole numbers from 0).

    Args:
        labels: class values ``(rows,)`` of any type.
        classes: all values in the order of the columns; left open, those that occur, sorted.

    Raises:
        InputError: a label that is not among the classes, missing values, one class only.

    >>> one_hot(["b", "a", "b"]).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    target = learn(labels, "classes", "labels") if classes is None else Target("classes", tuple(classes))
    codes = target.encode(labels, "labels")
    return (codes[:, None] == np.arange(len(target.classes))).astype(np.float32)


def from_one_hot(rows: Any, classes: Sequence[Any] | None = None) -> Array:
    """The class of each row: the place of its largest number, so that rows of probabilities will do.

    Args:
        rows: ``(rows, classes)``, numbers.
        classes: values of the columns; left open, their numbers from 0.

    Raises:
        InputError: rows that are none, or of another width than there are classes.

    >>> from_one_hot([[0, 1], [1, 0]], ["a", "b"]).tolist()
    ['b', 'a']
    """
    array = np.asarray(rows)
    if array.ndim != 2 or array.dtype.kind not in "fiub" or 0 in array.shape:
        raise InputError(f"rows must be numbers of shape (rows, classes), got {array.dtype} of shape {array.shape}")
    if classes is not None and len(classes) != array.shape[1]:
        raise InputError(f"rows has {array.shape[1]} columns, but there are {len(classes)} classes")
    found = array.argmax(1)
    return found if classes is None else np.asarray(classes)[found]
