"""Splitting rows into parts, with the classes in the same shares where there are any."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from kilter.core.checks import check_seed
from kilter.core.errors import InputError
from kilter.data.arrays import Array


def split(rows: int, shares: Mapping[str, Any], seed: int, classes: Array | None = None) -> dict[str, Array]:
    """Shuffle row numbers by ``seed`` and cut them into parts.

    Args:
        rows: number of rows.
        shares: share of the rows by name of the part held out; the rest is ``"train"``.
        seed: of the shuffle.
        classes: class index of each row; each class is then cut in the same shares.

    Returns:
        Sorted row numbers by part, ``"train"`` among them.

    Raises:
        InputError: a share outside [0, 1), or one that leaves a part without rows.
    """
    for name, share in shares.items():
        if not isinstance(share, Real) or not 0 <= float(share) < 1:
            raise InputError(f"{name} must be a share in [0, 1) or a pair of arrays (x, y), got {share!r}")
    if sum(shares.values()) >= 1:
        raise InputError(f"the shares {shares} leave nothing to train on")
    order = np.random.default_rng(check_seed(seed)).permutation(rows)
    if classes is not None:
        order = _interleaved(order, classes[order])
    parts, start = {}, 0
    for name, share in shares.items():
        count = round(rows * share)
        if share and not 0 < count < rows:
            raise InputError(f"{rows} rows are too few to hold out a share of {share:g} for {name}; give {name}=0")
        parts[name], start = np.sort(order[start : start + count]), start + count
    if start >= rows:
        raise InputError(f"{rows} rows are too few for the shares {shares}")
    return parts | {"train": np.sort(order[start:])}


def _interleaved(order: Array, classes: Array) -> Array:
    """Rows in an order in which any stretch holds the classes in their shares, up to one row a class."""
    positions = np.empty(len(order))
    for kind in np.unique(classes):
        members = np.flatnonzero(classes == kind)
        positions[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(positions, kind="stable")]


def fold(rows: int, folds: int, seed: int, classes: Array | None = None) -> list[Array]:
    """Shuffle row numbers by ``seed`` and cut them into folds whose sizes differ by one at most, each sorted.

    Args:
        rows: number of rows.
        folds: number of parts.
        seed: of the shuffle.
        classes: class index of each row; each fold then holds the classes in their shares, up to one row a class.
    """
    order = np.random.default_rng(check_seed(seed)).permutation(rows)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    return [np.sort(order[start::folds]) for start in range(folds)]
