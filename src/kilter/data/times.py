"""Dates and times in columns: the form they are written in, and their reading."""

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from kilter.core.errors import InputError
from kilter.data.arrays import Array
from kilter.data.cells import decoded

pc: Any = compute  # its functions are made at import, where type checkers do not see them

_MAYBE = r"[0-9].*[-/. :].*[0-9]"


def form_of(array: Any) -> str | None:
    """The one form, such as ``%d/%m/%Y``, in which all text of a canonical column reads as dates; None if none is.

    Where days and months could be swapped throughout, the month is taken to come first.
    """
    if not pa.types.is_large_string(array.type):
        return None
    words = array.drop_null()
    if not len(words) or not pc.all(pc.match_substring_regex(words, _MAYBE)).as_py():
        return None
    return _guessed(words)


def _guessed(words: Any) -> str | None:
    import pandas as pd  # pandas and skrub take seconds to import, and only text that may be dates needs them
    from skrub import ToDatetime

    encoder = ToDatetime()
    try:
        encoder.fit_transform(pd.Series(words.to_pylist(), dtype="str"))
    except ValueError:
        return None
    form = str(encoder.format_)
    return form if "%Y" in form or "%y" in form else None


def times(array: Any, name: str, form: str | None = None) -> Array:
    """A canonical column as datetime64[us] in UTC with NaT where a value is missing.

    Args:
        array: times, or text in ``form`` or as in ISO 8601.
        name: of the column.
        form: as `form_of` found it.

    Raises:
        InputError: numbers, or text that is no date.
    """
    array = decoded(array)
    if pa.types.is_null(array.type):
        return np.full(len(array), np.datetime64("NaT", "us"))
    if pa.types.is_timestamp(array.type):
        return array.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    if not pa.types.is_large_string(array.type):
        raise InputError(f"column {name!r} holds {array.drop_null()[0].as_py()!r}, but dates are needed")
    return _read(array, name, form)


def _read(texts: Any, name: str, form: str | None) -> Array:
    words = np.array(texts.to_pylist(), object)
    filled = np.array([word is not None and word.lower() != "none" for word in words], bool)
    found = np.full(len(words), np.datetime64("NaT", "us"))
    for attempt in (form, "ISO8601"):
        left = filled & np.isnat(found)
        if attempt is not None and left.any():
            found[left] = _parsed(words[left], attempt)
    left = filled & np.isnat(found)
    if left.any():
        wanted = f"dates written as {form} or ISO 8601" if form else "dates as in ISO 8601 (2024-05-31)"
        raise InputError(f"column {name!r} holds {str(words[left][0])[:40]!r}, but {wanted} are needed")
    return found


def _parsed(words: Array, form: str) -> Array:
    import pandas as pd  # takes half a second to import, and only dates written as text need it

    moments = pd.to_datetime(pd.Series(words, dtype="str"), format=form, errors="coerce", utc=True)
    return moments.dt.tz_localize(None).to_numpy("datetime64[us]")
