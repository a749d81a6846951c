"""What all rows of a column have shown, beside the few that are held: gaps, ends, and other values."""

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from kilter.core.errors import InputError
from kilter.data import cells
from kilter.data.arrays import Array

pc: Any = compute  # its functions are made at import, where type checkers do not see them

# Different texts of a column that are remembered; a column with more is text that no category holds.
_MOST = 4096


def plain(raw: Any) -> Array | None:
    """The numbers of an Arrow column that need no preparation: floats and short integers without gaps; else None."""
    kind = raw.type
    ready = pa.types.is_float32(kind) or pa.types.is_float64(kind)
    ready |= pa.types.is_integer(kind) and kind.bit_width < 64
    if not ready or raw.null_count:
        return None
    return raw.to_numpy() if isinstance(raw, pa.ChunkedArray) else raw.to_numpy(zero_copy_only=False)


class Seen:
    """What was seen of one column.

    Args:
        name: of the column.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.missing = False
        self.ends: list[Any] = []
        self.values: dict[str, None] | None = {}
        self.kind = pa.null()

    def add(self, raw: Any) -> None:
        """See further rows.

        Raises:
            InputError: values that no column may hold, or of another kind than before.
        """
        numbers = plain(raw)
        if numbers is not None and len(numbers):
            low, high = float(numbers.min()), float(numbers.max())
            if np.isfinite(low) and np.isfinite(high) and max(-low, high) <= cells.FLOAT32_MAX:
                self._is(pa.float64())
                self._reach(low, high)
                return
        self._slowly(cells.decoded(cells.canonical(raw, self.name)))

    def witnesses(self) -> Any:
        """A few values that stand for all that was seen."""
        values: list[Any] = [*self.ends, *(self.values or ())]
        return pa.array([None, *values] if self.missing else values, self.kind)

    def _slowly(self, column: Any) -> None:
        if column.null_count == len(column):
            self.missing |= len(column) > 0
            return
        self.missing |= column.null_count > 0
        self._is(column.type)
        if pa.types.is_large_string(column.type):
            self._remember(pc.unique(column.drop_null()).to_pylist())
            return
        if not pa.types.is_timestamp(column.type):
            cells.numbers(column, self.name)  # refuses what is infinite
        ends = pc.min_max(column)
        self._reach(ends["min"].as_py(), ends["max"].as_py())

    def _is(self, kind: Any) -> None:
        kind = pa.float64() if pa.types.is_int64(kind) else kind
        if not pa.types.is_null(self.kind) and self.kind != kind:
            raise InputError(f"column {self.name!r} holds {kind}, but {self.kind} before; make it all of one kind")
        self.kind = kind

    def _reach(self, low: Any, high: Any) -> None:
        self.ends = [min([low, *self.ends]), max([high, *self.ends])]

    def _remember(self, texts: list[str]) -> None:
        if self.values is not None:
            self.values.update(dict.fromkeys(texts))
            self.values = self.values if len(self.values) <= _MOST else None


class Answers:
    """What was seen of the target: its different values, as long as they may be classes.

    Args:
        name: of the target.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: dict[Any, None] | None = {}
        self.kind = ""

    def add(self, y: Array) -> None:
        """See further targets.

        Raises:
            InputError: of another kind than before.
        """
        kind = _kind(y)
        if self.kind and kind != self.kind:
            raise InputError(f"{self.name} holds {kind}, but {self.kind} before; make it all of one kind")
        self.kind = kind
        if self.values is not None and y.ndim == 1:
            self.values.update(dict.fromkeys(pd_unique(y)))
            self.values = self.values if len(self.values) <= _MOST else None

    def beside(self, y: Array) -> Array:
        """Targets with what else was seen behind them."""
        if y.ndim > 1:
            return y
        if self.values is None and y.dtype.kind in "OUS":
            raise InputError(f"{self.name} holds more than {_MOST} different texts; these are no classes to learn")
        known = set(y.tolist())
        others = [value for value in self.values or () if value not in known]
        return np.concatenate([y, np.array(others, y.dtype)]) if others else y


def pd_unique(y: Array) -> list[Any]:
    """Different values, in any order."""
    return list(set(y.tolist())) if y.dtype.kind == "O" else np.unique(y).tolist()


def _kind(y: Array) -> str:
    return {"O": "text", "U": "text", "S": "text", "b": "truth values"}.get(y.dtype.kind, "numbers")
