"""Tables as users hand them over (files, frames, columns by name), as raw columns by name."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from kilter.core import files
from kilter.core.errors import FileError, InputError
from kilter.data import arrow
from kilter.data.arrays import Array
from kilter.data.cells import canonical
from kilter.data.delimited import read_delimited

_PARQUET = (".parquet", ".pq")
_DELIMITED = (".csv", ".tsv", ".txt", ".gz")
_SOURCES = "a path to a CSV or Parquet file, a pandas or polars DataFrame, or columns by name"


@dataclass(frozen=True)
class Table:
    """Raw columns by name; they are made Arrow arrays when asked for, so that columns nobody needs may hold anything.

    Attributes:
        title: stem of the file, or ``"table"``.
        rows: number of rows, at least one.
        raw: columns as the source has them; unnamed ones are left out.
        place: what to call the table in errors.
    """

    title: str
    rows: int
    raw: dict[str, Any]
    place: str

    def column(self, name: str) -> Any:
        """A column in canonical form, see `kilter.data.cells.canonical`."""
        return canonical(self.raw[name], name)

    def columns(self, names: Iterable[str], rows: Array | None = None) -> dict[str, Any]:
        """Some columns in canonical form; all rows, or those with the given numbers.

        Raises:
            InputError: a column that is not there, or that holds no cells.
        """
        names = list(names)
        self.require(names)
        found = {name: self.column(name) for name in names}
        return found if rows is None else {name: arrow.taken(column, rows) for name, column in found.items()}

    def require(self, names: Iterable[str]) -> None:
        """Refuse the table if it lacks one of the columns.

        Raises:
            InputError: names the columns that are missing, and what may have been meant.
        """
        missing = [name for name in names if name not in self.raw]
        if missing:
            near = get_close_matches(missing[0], self.raw, 3)
            hint = f"did you mean {listed(near, ' or ')}?" if near else f"it has {listed(list(self.raw))}"
            columns = "column" if len(missing) == 1 else "columns"
            raise InputError(f"{self.place} lacks the {columns} {listed(missing)}; {hint}")


def listed(names: list[str], last: str = ", ") -> str:
    """Names in quotes, the first few of many."""
    shown = [repr(name) for name in names[:6]]
    return f"{', '.join(shown)} and {len(names) - 6} more" if len(names) > 6 else last.join(shown)


def read(source: Any, place: str) -> Table:
    """Read a table.

    Args:
        source: a path, a pandas or polars DataFrame, an Arrow table, or columns by name.
        place: what to call it in errors.

    Raises:
        FileError: the file cannot be read.
        InputError: not a table, no rows, or column names that occur twice or are no names.
    """
    is_path = isinstance(source, str | Path)
    names, columns = _of_file(Path(source)) if is_path else _of_frame(source, place)
    place = f"{place} {source}" if is_path else place
    raw = _named(names, columns, place)
    rows = {_length(column, name) for name, column in raw.items()}
    if len(rows) > 1:
        raise InputError(f"{place} has columns of unequal length, from {min(rows)} to {max(rows)}; every row needs all")
    if rows in (set(), {0}):
        raise InputError(f"{place} has no {'rows' if rows else 'columns'}; at least one is needed")
    return Table(_stem(Path(source)) if is_path else "table", rows.pop(), raw, place)


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _of_file(path: Path) -> tuple[list[Any], list[Any]]:
    if path.is_dir():
        raise FileError(f"cannot read {path}: it is a folder; name a CSV or Parquet file in it")
    kind = path.suffix.lower()
    if kind not in _PARQUET + _DELIMITED:
        known = ", ".join((*_DELIMITED[:3], *_PARQUET))
        raise FileError(f"cannot read {path}: the ending {kind!r} is unknown; it must be one of {known}, or .csv.gz")
    return _of_parquet(path) if kind in _PARQUET else read_delimited(path)


def _of_parquet(path: Path) -> tuple[list[Any], list[Any]]:
    content = files.read(path)
    try:
        table = parquet.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowException, OSError, ValueError):
        raise FileError(f"cannot read {path}: it is empty, cut short or no Parquet file; write it again") from None
    return _without_index(table.column_names, table.columns)


def _without_index(names: list[str], columns: list[Any]) -> tuple[list[Any], list[Any]]:
    """Columns but those in which pandas keeps the numbers of its rows."""
    kept = [index for index, name in enumerate(names) if not name.startswith("__index_level_")]
    return [names[index] for index in kept], [columns[index] for index in kept]


def _of_frame(source: Any, place: str) -> tuple[list[Any], list[Any]]:
    if isinstance(source, Mapping):
        return list(source.keys()), list(source.values())
    if hasattr(source, "iloc") and getattr(source, "ndim", 0) == 2:
        return list(source.columns), [source.iloc[:, index] for index in range(source.shape[1])]
    if hasattr(source, "get_columns"):
        return list(source.columns), list(source.get_columns())
    if hasattr(source, "collect_schema"):
        raise InputError(f"{place} is a frame that is not computed yet; call its collect() first")
    if isinstance(source, pa.Table | pa.RecordBatch):
        return list(source.schema.names), list(source.columns)
    raise InputError(f"{place} is a {type(source).__name__}, but a table is needed: {_SOURCES}")


def _named(names: list[Any], columns: list[Any], place: str) -> dict[str, Any]:
    odd = [name for name in names if not isinstance(name, str | int)]
    if odd:
        raise InputError(f"{place} has a column named {odd[0]!r}; names must be text; rename it")
    stripped = [str(name).strip() for name in names]
    twice = [name for name, count in Counter(filter(None, stripped)).items() if count > 1]
    if twice:
        raise InputError(f"{place} has more than one column named {listed(twice)}; rename or drop the others")
    return {name: column for name, column in zip(stripped, columns, strict=True) if name}


def _length(column: Any, name: str) -> int:
    if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
        raise InputError(f"column {name!r} is a single {type(column).__name__}; give a list with a value for each row")
    return len(column)
