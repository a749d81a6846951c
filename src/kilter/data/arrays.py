"""Arrays as users hand them over, checked and brought into canonical form."""

from typing import Any

import numpy as np

from kilter.core.errors import InputError

Array = np.ndarray[Any, Any]
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def features(x: Any, name: str = "x") -> Array:
    """Inputs as finite float32 of shape ``(rows, ...)``.

    Raises:
        InputError: text, complex or ragged data, NaN or inf, numbers beyond float32, no rows, no feature axis.
    """
    array = numeric(x, name)
    if array.ndim < 2:
        raise InputError(
            f"{name} has shape {array.shape}, but needs a row an example and at least one axis of features; "
            f"give {name}[:, None] for a single feature, {name}[None] for a single row"
        )
    if 0 in array.shape:
        raise InputError(f"{name} is empty, its shape is {array.shape}; at least one row and one feature are needed")
    return _finite(array, name)


def numeric(values: Any, name: str) -> Array:
    """An array of real numbers, whatever type it comes in."""
    array = as_array(values, name)
    if array.dtype.kind in "OUS":
        array = _parsed(array, name)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} holds {_described(array)}, but numbers are needed")
    return array


def as_array(values: Any, name: str) -> Array:
    """An array, or an `InputError` where rows are of unequal length."""
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(f"{name} has rows of unequal length; every example needs the same shape") from None


def _parsed(array: Array, name: str) -> Array:
    """Object arrays may hold numbers; text never counts as such."""
    kinds = {type(item).__name__ for item in array.ravel() if isinstance(item, str | bytes)}
    if kinds or array.dtype.kind in "US":
        raise InputError(f"{name} holds text, but numbers are needed; encode it first, or use kl.data.from_table")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} holds {_described(array)}, but numbers are needed") from None


def _described(array: Array) -> str:
    if array.dtype.kind == "O" and array.size:
        return f"{type(array.ravel()[0]).__name__} objects"
    return {"c": "complex numbers", "M": "dates", "m": "durations"}.get(array.dtype.kind, str(array.dtype))


def _finite(array: Array, name: str) -> Array:
    if array.dtype.kind == "f" and not _all_finite(array):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        count = int((~np.isfinite(array)).sum())
        raise InputError(
            f"{name} holds {count} values that are not finite, the first is {array[where]} at {list(where)}; "
            "fill or drop them"
        )
    if (
        array.dtype.itemsize > 4
        and array.dtype.kind == "f"
        and array.size
        and float(np.abs(array).max()) > _FLOAT32_MAX
    ):
        raise InputError(f"{name} holds {np.abs(array).max():g}, beyond what float32 can hold; scale it down")
    return np.ascontiguousarray(array, np.float32)


def _all_finite(array: Array) -> bool:
    """Whether no number is NaN or infinite; where their sum is neither, none of them is, and it is half the work."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def numbers(y: Any, name: str = "y") -> Array:
    """Targets that are numbers, as finite float32 of shape ``(rows, k)``."""
    array = numeric(y, name)
    if array.ndim > 2:
        raise InputError(f"{name} has shape {array.shape}; targets are one number or one row of numbers an example")
    return _finite(array.reshape(len(array), -1), name)


def weights(values: Any, rows: int, name: str = "weights") -> Array | None:
    """Weights of examples as float32 of shape ``(rows,)``, not negative and not all zero."""
    if values is None:
        return None
    array = _finite(numeric(values, name), name)
    if array.shape != (rows,):
        raise InputError(f"{name} has shape {array.shape}, but one weight an example is needed: ({rows},)")
    if array.min() < 0 or array.max() == 0:
        raise InputError(f"{name} must be at least 0 and not all 0, got {array.min():g} to {array.max():g}")
    return array


def same_length(x: Array, y: Any, names: str = "x and y") -> None:
    """Refuse inputs and targets of different length."""
    if as_array(y, names).ndim == 0:
        raise InputError(f"{names} must have a row an example, but the target is a single value")
    if len(x) != len(y):
        raise InputError(f"{names} have {len(x)} and {len(y)} rows; every example needs its target")
