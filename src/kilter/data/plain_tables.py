"""Plain tables: one of numbers alone read as an array, and columns written as CSV or Parquet."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kilter.core.errors import FileError
from kilter.data.arrays import Array, features


def matrix(path: Path) -> Array:
    """All columns of a table of numbers, float32 ``(rows, columns)``.

    Raises:
        FileError: the file cannot be read.
        InputError: a column holds anything but finite numbers.
    """
    from kilter.data.reading import read  # pyarrow takes a third of a second to import

    table = read(path, "table")
    return features(np.column_stack([np.asarray(table.column(name)) for name in table.raw]), str(path))


def table_bytes(columns: Mapping[str, Any], path: Path) -> bytes:
    """Columns by name as the contents of a file of the kind that its ending says.

    Raises:
        FileError: neither CSV nor Parquet.
    """
    import pandas as pd  # takes most of a second to import

    frame, stream = pd.DataFrame(dict(columns)), io.BytesIO()
    if path.suffix.lower() == ".csv":
        frame.to_csv(stream, index=False)
    elif path.suffix.lower() in (".parquet", ".pq"):
        frame.to_parquet(stream, index=False)
    else:
        raise FileError(f"cannot write {path}: the ending must be .csv, .parquet or .pq")
    return stream.getvalue()
