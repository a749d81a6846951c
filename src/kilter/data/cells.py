"""The cells of a column, whatever it came as: brought to few Arrow types, then read as numbers, text or times."""

import re
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from kilter.core.errors import InputError
from kilter.data import arrow
from kilter.data.arrays import Array

pc: Any = compute  # its functions are made at import, where type checkers do not see them

MISSING = ("", "?", "na", "n/a", "#n/a", "#na", "n.a.", "nan", "-nan", "nat", "null", "<na>")
_TRUTH = ("true", "false")
_NUMBER = r"^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)$"
_CODE = r"^0[0-9]"
FLOAT32_MAX = float(np.finfo(np.float32).max)
_ACCEPTED = "a column holds numbers, text, truth values or dates"
_COLUMN_ERRORS = (pa.ArrowException, TypeError, ValueError, OverflowError)


def canonical(raw: Any, name: str) -> Any:
    """A column as an Arrow array of type null, bool, int64, float64, large_string or timestamp[us].

    Declared categories stay a dictionary of one of these. Text is trimmed; NaN and the words in `MISSING` become null;
    times with a zone are moved to UTC.

    Raises:
        InputError: lists, structs, bytes, durations, other objects, or values of types that do not go together.
    """
    try:
        return _plain(_arrow(raw, name), name)
    except InputError:
        raise
    except UnicodeEncodeError:
        raise InputError(f"column {name!r} holds text that is no valid Unicode; repair or drop it") from None
    except _COLUMN_ERRORS:
        raise _refused(name, getattr(raw, "dtype", None) or getattr(raw, "type", type(raw).__name__)) from None


def _refused(name: str, kind: Any) -> InputError:
    return InputError(f"column {name!r} holds {kind}, but {_ACCEPTED}; convert or drop it")


def _arrow(raw: Any, name: str) -> Any:
    if isinstance(raw, pa.ChunkedArray):
        return raw.combine_chunks()
    if isinstance(raw, pa.Array):
        return raw
    if hasattr(raw, "to_arrow"):
        return raw.to_arrow()
    if getattr(raw, "dtype", None) == np.dtype(object) or isinstance(raw, list | tuple):
        return _objects(list(raw), name)
    return pa.array(raw, from_pandas=True)


def _objects(values: list[Any], name: str) -> Any:
    """Python objects; text beside numbers passes where all of it reads as numbers, other mixtures are refused."""
    kinds = sorted({_family(value) for value in values if not _is_missing(value)})
    if kinds in (["numbers", "text"], ["text"]):
        texts = pa.array([None if _is_missing(value) else str(value) for value in values], pa.large_string())
        if len(kinds) == 1 or kind_of(_plain(texts, name)) in ("number", "void"):
            return texts
    if len(kinds) > 1:
        raise InputError(f"column {name!r} mixes {' and '.join(kinds)}; make it all of one kind or drop it")
    if kinds == ["numbers"]:
        return _numbers([None if _is_missing(value) else value for value in values], name)
    return pa.array(values, from_pandas=True)


def _family(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "truth values"
    if isinstance(value, str):
        return "text"
    return "numbers" if isinstance(value, int | float | Decimal | np.number) else type(value).__name__


def _is_missing(value: Any) -> bool:
    """Missing values of Python and pandas; some have no truth value, so only their type is asked."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return value.is_nan() if isinstance(value, Decimal) else isinstance(value, float | np.floating) and value != value


def _numbers(values: list[Any], name: str) -> Any:
    """Integers where all are and 64 bits hold them, else floats."""
    if all(value is None or (isinstance(value, int | np.integer) and abs(int(value)) < 2**63) for value in values):
        return pa.array([None if value is None else int(value) for value in values], pa.int64())
    try:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    except OverflowError:
        raise _beyond(name, "a number") from None


def _beyond(name: str, value: Any) -> InputError:
    return InputError(f"column {name!r} holds {value}, beyond what float32 can hold; scale it down")


def _plain(array: Any, name: str) -> Any:
    kind = array.type
    if pa.types.is_dictionary(kind):
        values = _plain(array.dictionary_decode(), name)
        return values if pa.types.is_null(values.type) else values.dictionary_encode()
    if pa.types.is_null(kind) or pa.types.is_boolean(kind):
        return array
    if pa.types.is_integer(kind):
        return array.cast(pa.float64(), safe=False) if pa.types.is_uint64(kind) else array.cast(pa.int64())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        floats = array.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(floats), arrow.nothing(pa.float64()), floats)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return _trimmed(array.cast(pa.large_string()))
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _utc(array, name)
    raise _refused(name, f"{kind}".split("<")[0] + " values")


def _trimmed(texts: Any) -> Any:
    texts = pc.utf8_trim_whitespace(texts)
    gaps = pc.is_in(pc.utf8_lower(texts), value_set=arrow.words(MISSING))
    return pc.if_else(gaps, arrow.nothing(pa.large_string()), texts)


def _utc(array: Any, name: str) -> Any:
    zone = getattr(array.type, "tz", None)
    options = pc.CastOptions(target_type=pa.timestamp("us", zone), allow_time_truncate=True)
    try:
        return pc.cast(array, options=options).cast(pa.int64()).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        raise InputError(f"column {name!r} holds dates too far off to count in microseconds; drop them") from None


def kind_of(array: Any) -> str:
    """What a canonical column holds: ``"void"`` (nothing), ``"number"``, ``"text"`` or ``"time"``.

    Text counts as numbers where all of it reads as numbers, none written with leading zeros as codes are, or where all
    of it is true or false.
    """
    if array.null_count == len(array):
        return "void"
    if pa.types.is_dictionary(array.type):
        return "text"
    if pa.types.is_timestamp(array.type):
        return "time"
    if not pa.types.is_large_string(array.type):
        return "number"
    words = _without_none(array).drop_null()
    if not len(words):
        return "text"
    truth, numeric, codes = _truth(words), _numeric(words), pc.match_substring_regex(words, _CODE)
    return "number" if _every(truth) or (_every(numeric) and not pc.any(codes).as_py()) else "text"


def stray(array: Any) -> str | None:
    """The first text in a column that holds nine numbers in ten."""
    if not pa.types.is_large_string(array.type):
        return None
    words = _without_none(array).drop_null()
    numeric = _numeric(words)
    share = pc.mean(numeric).as_py() or 0.0
    return words.filter(pc.invert(numeric))[0].as_py() if 0.9 <= share < 1 else None


def _without_none(texts: Any) -> Any:
    """Among numbers and dates the word none says that one is missing; among words it may be one of them."""
    said = pc.equal(pc.utf8_lower(texts), arrow.word("none"))
    return pc.if_else(said, arrow.nothing(pa.large_string()), texts)


def _truth(texts: Any) -> Any:
    return pc.is_in(pc.utf8_lower(texts), value_set=arrow.words(_TRUTH))


def _numeric(texts: Any) -> Any:
    return pc.match_substring_regex(texts, _NUMBER)


def _every(truths: Any) -> bool:
    return bool(pc.all(truths, min_count=0).as_py())


def decoded(array: Any) -> Any:
    """The values of declared categories, and any other column as it is."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def numbers(array: Any, name: str) -> Array:
    """A canonical column as float64 with NaN where a value is missing.

    Raises:
        InputError: text that is no number, dates, infinite values or such beyond float32.
    """
    array = decoded(array)
    if pa.types.is_timestamp(array.type):
        raise InputError(f"column {name!r} holds dates, but numbers are needed")
    if pa.types.is_large_string(array.type):
        array = _parsed(_without_none(array), name)
    values = arrow.floats(array)
    if np.isinf(values).any():
        raise InputError(f"column {name!r} holds infinite values; fill or drop them")
    if (np.abs(values) > FLOAT32_MAX).any():
        raise _beyond(name, f"{values[np.abs(values) > FLOAT32_MAX][0]:g}")
    return values


def _parsed(texts: Any, name: str) -> Any:
    words = texts.drop_null()
    if len(words) and _every(_truth(words)):
        return pc.equal(pc.utf8_lower(texts), arrow.word("true"))
    numeric = _numeric(words)
    if not _every(numeric):
        raise InputError(f"column {name!r} holds {_first_not(words, numeric)}, but numbers are needed")
    floats = texts.cast(pa.float64())
    infinite = pc.and_(pc.is_inf(floats), pc.match_substring_regex(texts, "[0-9]"))
    if pc.any(infinite).as_py():
        raise _beyond(name, texts.filter(infinite)[0].as_py()[:40])
    return floats


def _first_not(words: Any, good: Any) -> str:
    """The first value that is not as it should be, cut where it is long."""
    word = words.filter(pc.invert(good))[0].as_py()
    return repr(word if len(word) <= 40 else word[:37] + "...")


def texts(array: Any, name: str) -> Any:
    """A canonical column as large_string; whole numbers are written as such.

    Raises:
        InputError: dates.
    """
    array = decoded(array)
    if pa.types.is_timestamp(array.type):
        raise InputError(f"column {name!r} holds dates, but text is needed")
    if pa.types.is_floating(array.type):
        return pa.array([_written(value) for value in array.to_pylist()], pa.large_string())
    return array.cast(pa.large_string())


def _written(value: float | None) -> str | None:
    return None if value is None else re.sub(r"\.0$", "", repr(value))
