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

from kilter.core.errors import DoubtWarning, FileError

VERSION = 1
ENDING = ".log.jsonl"


class Journal:
    """Appends to ``PATH.log.jsonl``. The first line says what is being done, by whom and since when; the last how it ended.

    A line is written in one piece, so that a reader sees whole lines, but for the last one of a process that was killed.
    Where the disk is full, a warning says so once, nothing more is written, and the work goes on.
    """

    def __init__(self, path: str | Path, kind: str, title: str, **facts: Any) -> None:
        self.file: Path | None = Path(f"{path}{ENDING}")
        head = {"kilter": VERSION, "kind": kind, "title": title, "started": time.time()}
        head |= {"pid": os.getpid(), "host": socket.gethostname()} | facts
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text("")
        except OSError as error:
            raise FileError(f"cannot write {self.file}: {error.strerror or error}") from error
        self.add(**head)

    def add(self, **line: Any) -> None:
        """Append one line."""
        if self.file is None:
            return
        text = json.dumps(_plain(line), allow_nan=False, separators=(",", ":"))
        try:
            with self.file.open("a") as stream:
                stream.write(f"{text}\n")
        except OSError as error:
            warnings.warn(f"the log {self.file} ends here: {error.strerror or error}", DoubtWarning, stacklevel=2)
            self.file = None

    @classmethod
    @contextmanager
    def kept(cls, path: str | Path | None, kind: str, title: str, **facts: Any) -> "Iterator[Self | None]":
        """A journal for the time of a block, or None where there is no path; it says how the block ended."""
        if path is None:
            yield None
            return
        journal = cls(path, kind, title, **facts)
        try:
            yield journal
        except BaseException as error:
            journal.add(ended=time.time(), error=str(error) or type(error).__name__)
            raise
        journal.add(ended=time.time())


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
