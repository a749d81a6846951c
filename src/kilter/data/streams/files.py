"""Parquet files and Arrow datasets as sources of a stream; a block is a row group."""

import glob
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import dataset, parquet

from kilter.core.errors import FileError
from kilter.data.reading import listed

_ENDINGS = (".parquet", ".pq")
_BUFFER = 1 << 16


@dataclass(frozen=True)
class ParquetFiles:
    """Parquet files, one after the other.

    Attributes:
        paths: of the files.
        groups: file and number of each row group.
    """

    paths: tuple[Path, ...]
    groups: tuple[tuple[Path, int], ...]

    @property
    def title(self) -> str:
        return self.paths[0].stem if len(self.paths) == 1 else self.paths[0].parent.name or "files"

    @property
    def blocks(self) -> int:
        return len(self.groups)

    def read(self, block: int, rows: int) -> Iterator[Any]:
        path, group = self.groups[block]
        with _sentences(path):
            file = parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
            yield from file.iter_batches(rows, row_groups=[group], use_threads=False)

    def place(self, block: int) -> str:
        path, group = self.groups[block]
        return f"{path}, row group {group}:"


@dataclass(frozen=True)
class Fragments:
    """The fragments of an Arrow dataset; one that is filtered or projected has but one order."""

    whole: Any
    fragments: tuple[Any, ...]
    title: str = "dataset"

    @property
    def blocks(self) -> int:
        return max(1, len(self.fragments))

    def read(self, block: int, rows: int) -> Iterator[Any]:
        options: dict[str, Any] = {"batch_size": rows, "batch_readahead": 1, "fragment_readahead": 1}
        with _sentences(self.place(block)):
            source = self.fragments[block] if self.fragments else self.whole
            schema = {"schema": self.whole.schema} if self.fragments else {}
            yield from source.to_batches(**schema, **options)

    def place(self, block: int) -> str:
        return str(getattr(self.fragments[block], "path", "") or "dataset") if self.fragments else "dataset"


def files_of(source: Any) -> ParquetFiles:
    """The Parquet files of a path, a list of paths, a folder or a pattern, sorted within a folder or pattern.

    Raises:
        FileError: none there, one that is no Parquet file, or files whose columns differ.
    """
    given = [source] if isinstance(source, str | Path) else list(source)
    paths = tuple(path for each in given for path in _found(each))
    groups: list[tuple[Path, int]] = []
    first: Any = None
    for path in paths:
        with _sentences(path):
            file = parquet.ParquetFile(path)
            schema = file.schema_arrow
            groups += [(path, group) for group in range(file.metadata.num_row_groups)]
        first = schema if first is None else first
        _check_alike(path, schema, paths[0], first)
    if not groups:
        raise FileError(f"cannot stream {paths[0]}: it has no rows; at least one is needed")
    return ParquetFiles(paths, tuple(groups))


def fragments_of(source: Any) -> Fragments:
    """The fragments of an Arrow dataset, those of Parquet files by row group."""
    try:
        found = list(source.get_fragments())
    except ValueError:  # filtered or projected
        return Fragments(source, ())
    split = [part for each in found for part in (_groups(each))]
    return Fragments(source, tuple(split))


def is_dataset(source: Any) -> bool:
    """Whether it is an Arrow dataset."""
    return isinstance(source, dataset.Dataset)


def _groups(fragment: Any) -> Iterable[Any]:
    return fragment.split_by_row_group() if hasattr(fragment, "split_by_row_group") else [fragment]


def _found(given: Any) -> list[Path]:
    path = Path(given)
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.suffix.lower() in _ENDINGS)
    elif any(mark in str(given) for mark in "*?["):
        found = sorted(map(Path, glob.glob(str(given), recursive=True)))
    elif path.exists():
        found = [path]
    else:
        raise FileError(f"cannot read {path}: there is no such file or folder")
    if not found:
        raise FileError(f"cannot stream {given}: there are no Parquet files")
    odd = [each for each in found if each.suffix.lower() not in _ENDINGS]
    if odd:
        raise FileError(
            f"cannot stream {odd[0]}: the ending must be one of {', '.join(_ENDINGS)}; give other formats as a "
            "pyarrow.dataset.dataset(path, format=...)"
        )
    return found


def _check_alike(path: Path, schema: Any, first_path: Path, first: Any) -> None:
    lacking = [name for name in first.names if name not in schema.names]
    if lacking:
        raise FileError(f"cannot stream {path}: it lacks the columns {listed(lacking)} that {first_path} has")
    for name in first.names:
        own, other = schema.field(name).type, first.field(name).type
        if _family(own) != _family(other) and "void" not in (_family(own), _family(other)):
            raise FileError(
                f"cannot stream {path}: column {name!r} holds {own}, but {other} in {first_path}; make them alike"
            )


def _family(kind: Any) -> str:
    if pa.types.is_null(kind):
        return "void"
    if pa.types.is_dictionary(kind):
        return _family(kind.value_type)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "time"
    return "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else str(kind)


@contextmanager
def _sentences(path: Any) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        why = str(error).split("\n")[0].rstrip(".")
        raise FileError(
            f"cannot read {path}: it is cut short, corrupt or no Parquet file ({why}); write it again"
        ) from None
