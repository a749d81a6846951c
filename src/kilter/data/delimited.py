"""Delimited text files (CSV, TSV, plain or gzipped) as columns of text, refused in a sentence where they are ragged."""

import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from kilter.core import files
from kilter.core.errors import FileError

_DELIMITERS = (",", ";", "\t", "|")
_HEAD = 1 << 20


def read_delimited(path: Path) -> tuple[list[str], list[Any]]:
    """Names and columns, all of them text, empty where a field is.

    The delimiter is a tab in ``.tsv`` files; elsewhere the comma, or where the header has none the one of semicolon, tab
    and bar that cuts it into most names.

    Raises:
        FileError: empty, not UTF-8, a broken archive, or rows of unequal length.
    """
    content = _content(path)
    names, delimiter = _header(path, content)
    table = _parsed(path, content, len(names), delimiter)
    return names, [column.slice(1) for column in table.columns]


def _content(path: Path) -> bytes:
    content = files.read(path)
    if path.suffix.lower() == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            raise FileError(f"cannot read {path}: it is cut short or no gzip archive; write it again") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise FileError(f"cannot read {path}: it is empty; a header and rows are needed")
    _must_be_text(path, content)
    return content


def _must_be_text(path: Path, content: bytes) -> None:
    if b"\0" in content:
        raise FileError(f"cannot read {path}: it holds bytes that are no text; save it as CSV in UTF-8")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise FileError(
            f"cannot read {path}: byte {error.start} ({content[error.start : error.start + 1].hex()}) is not UTF-8; "
            "save it as CSV in UTF-8"
        ) from None


def _header(path: Path, content: bytes) -> tuple[list[str], str]:
    head = content[:_HEAD].decode(errors="ignore").lstrip("\r\n")
    tabs = ".tsv" in (suffix.lower() for suffix in path.suffixes[-2:])
    try:
        marks = ("\t",) if tabs else _DELIMITERS
        rows = {mark: next(csv.reader(io.StringIO(head, newline=""), delimiter=mark)) for mark in marks}
    except csv.Error:
        raise FileError(f"cannot read {path}: its first line is no header; name the columns there") from None
    first, *others = rows
    mark = first if len(rows[first]) > 1 or not others else max(rows, key=lambda mark: len(rows[mark]))
    return rows[mark], mark


def _parsed(path: Path, content: bytes, width: int, delimiter: str) -> Any:
    """The whole file, its header as the first row, so that nothing but the width is guessed."""
    ragged: list[Any] = []
    names = [str(index) for index in range(width)]

    def remember(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        return arrow_csv.read_csv(
            pa.BufferReader(content),
            # one thread, because only then does Arrow count the rows; blocks must hold the longest row
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=1 << 24),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember
            ),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.large_string())),
        )
    except pa.ArrowException:
        raise FileError(f"cannot read {path}: {_why(ragged)}") from None


def _why(ragged: list[Any]) -> str:
    if not ragged:
        return "it is not well-formed CSV; look for a quote that is not closed"
    row = ragged[0]
    return (
        f"row {row.number} has {row.actual_columns} fields where the header has {row.expected_columns}; "
        "quote fields that hold the delimiter, and fill up short rows"
    )
