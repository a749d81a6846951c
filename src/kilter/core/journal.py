"""A journal: one file to which a process appends what it does, a line of JSON each, for others to read meanwhile."""

import json
import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from kilter.core import files
from kilter.core.errors import DoubtWarning, FileError

VERSION = 1
ENDING = ".log.jsonl"


class Journal:
    """Appends to ``PATH.log.jsonl``. The first line says what is being done, by whom and since when; the last how it ended.

    A line is written in one piece, so that a reader sees whole lines, but for the last one of a process that was killed.
    Where the disk is full, a warning says so once, nothing more is written, and the work goes on.

    Args:
        path: to which the ending is added.
        kind: of the work.
        title: of the data.
        since: `position` from which on a journal of the same work goes on that an earlier process began; None: it begins.
        facts: of the work, for the first line.
    """

    def __init__(self, path: str | Path, kind: str, title: str, *, since: int | None = None, **facts: Any) -> None:
        self.file: Path | None = Path(f"{path}{ENDING}")
        head = {"kilter": VERSION, "kind": kind, "title": title, "started": time.time()}
        head |= {"pid": os.getpid(), "host": socket.gethostname()} | facts
        before = None if since is None else _begun(self.file, kind, since)
        if before is not None:
            started, lines = before
            files.write(self.file, _line(head | {"started": started}) + lines)
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text("")
        except OSError as error:
            raise FileError(f"cannot write {self.file}: {error.strerror or error}") from error
        self.add(**head)

    @property
    def position(self) -> int | None:
        """Bytes behind the first line, where another process can go on; None where nothing can be told."""
        try:
            with Path(self.file or "").open("rb") as stream:
                return -len(stream.readline()) + stream.seek(0, os.SEEK_END)
        except OSError:
            return None

    def add(self, **line: Any) -> None:
        """Append one line."""
        if self.file is None:
            return
        text = _line(line)
        try:
            with self.file.open("ab") as stream:
                stream.write(text)
        except OSError as error:
            warnings.warn(f"the log {self.file} ends here: {error.strerror or error}", DoubtWarning, stacklevel=2)
            self.file = None

    @classmethod
    @contextmanager
    def kept(
        cls, path: str | Path | None, kind: str, title: str, *, since: int | None = None, **facts: Any
    ) -> "Iterator[Self | None]":
        """A journal for the time of a block, or None where there is no path; it says how the block ended."""
        if path is None:
            yield None
            return
        journal = cls(path, kind, title, since=since, **facts)
        try:
            yield journal
        except BaseException as error:
            journal.add(ended=time.time(), error=str(error) or type(error).__name__)
            raise
        journal.add(ended=time.time())


def _begun(file: Path, kind: str, since: int) -> tuple[float, bytes] | None:
    """When a journal of such a work was begun, and its lines up to a position; None where it is another or shorter."""
    try:
        first, _, lines = file.read_bytes().partition(b"\n")
        head = json.loads(first)
        return (float(head["started"]), lines[:since]) if head["kind"] == kind and len(lines) >= since else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _line(line: Mapping[str, Any]) -> bytes:
    return json.dumps(_plain(line), allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _plain(value: Any) -> Any:
    """What JSON can hold: numbers that are not finite are null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray):
        # Six digits are more than a picture shows; float32 would be written with seventeen.
        return [_plain(each) for each in value] if value.ndim > 1 else [_short(each) for each in value.tolist()]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value if isinstance(value, int | str | bool | None) else str(value)


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
