"""Weights of rows and of classes."""

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from kilter.core.errors import InputError

Array = np.ndarray[Any, Any]


def of_rows(given: Any, x: Array) -> Array | None:
    """One weight a row as float64 ``(rows,)``, or None where all count the same.

    Raises:
        InputError: a weight below zero, or none above it.
    """
    if given is None:
        return None
    checked: Array = _check_sample_weight(given, x, dtype=np.float64)
    if checked.min() < 0 or checked.max() == 0:
        raise InputError(
            "sample_weight must be at least zero everywhere and above zero somewhere, "
            f"got weights from {checked.min():g} to {checked.max():g}"
        )
    return None if (checked == checked[0]).all() else checked


def drop_zeros(weights: Array | None, *arrays: Array) -> tuple[Array | None, *tuple[Array, ...]]:
    """Rows of weight zero are as if they were not there: no step, no statistic and no held-out row is spent on them."""
    if weights is None or weights.min() > 0:
        return weights, *arrays
    kept = weights > 0
    return weights[kept], *(array[kept] for array in arrays)


def with_classes(given: Any, classes: Array, indices: Array, weights: Array | None) -> Array | None:
    """Weights of rows times those of their classes.

    Args:
        given: None; ``"balanced"``: rows / (classes * rows of the class), counted by weight; or weights by class, 1 for
            those left out.
        classes: values of the classes.
        indices: class of each row.
        weights: of the rows.

    Raises:
        InputError: a class that is not there, or a weight that is none.
    """
    if given is None:
        return weights
    rows = np.ones(len(indices)) if weights is None else weights
    if isinstance(given, str) and given == "balanced":
        counts = np.bincount(indices, rows, len(classes))
        present = counts > 0
        shares = np.where(present, counts.sum() / (present.sum() * np.where(present, counts, 1.0)), 1.0)
    elif isinstance(given, dict):
        shares = _named(given, classes)
    else:
        raise InputError(f"class_weight must be None, 'balanced' or weights by class, got {given!r}")
    weighted = rows * shares[indices]
    if weighted.max() == 0:
        raise InputError("class_weight leaves every row with a weight of zero; at least one class needs more")
    return weighted


def _named(given: dict[Any, Any], classes: Array) -> Array:
    known = classes.tolist()
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InputError(f"class_weight names the class {unknown[0]!r}, but the classes are {known}")
    shares = np.array([float(given.get(name, 1.0)) for name in known])
    if not (np.isfinite(shares) & (shares >= 0)).all():
        raise InputError(f"class_weight must hold finite weights of at least zero, got {given}")
    return shares
