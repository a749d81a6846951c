"""A journal: one file to which a process appends what it does, a line of JSON each, for others to read meanwhile."""

import json
import math
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
from kilter.core.errors import DoubtWarning
from kilter.core.process import birth, here

VERSION = 1
ENDING = ".log.jsonl"


class Journal:
    """Appends to ``PATH.log.jsonl``. The first line says what is being done, by whom and since when; the last how it ended.

    A line is written in one piece, so that a reader sees whole lines, but for the last one of a process that was killed.
    Where the disk is full, or the file is gone or another's, a warning says so once, nothing more is written, and the work
    goes on.
    """

    def __init__(self, path: str | Path, kind: str, title: str, **facts: Any) -> None:
        self.file: Path | None = Path(f"{path}{ENDING}")
        self.best: float | None = None
        self.done, self._better = 0, max if facts.get("higher_is_better", True) else min
        head = {"kilter": VERSION, "kind": kind, "title": title, "started": time.time()}
        head |= {"pid": os.getpid(), "born": birth(os.getpid()), "host": socket.gethostname(), "where": here()}
        files.write(self.file, _line(head | facts))
        self._own = self.file.stat().st_ino

    def add(self, **line: Any) -> None:
        """Append one line."""
        if self.file is None:
            return
        try:
            with open(self.file, "ab", opener=_present) as stream:
                if os.fstat(stream.fileno()).st_ino != self._own:
                    raise OSError(0, "another process has begun it anew")
                stream.write(_line(line))
        except OSError as error:
            warnings.warn(f"the log {self.file} ends here: {error.strerror or error}", DoubtWarning, stacklevel=2)
            self.file = None

    def score(self, score: float, **line: Any) -> None:
        """Append one line with a score, the best one so far, and how many there have been."""
        self.done += 1
        if math.isfinite(score):
            self.best = score if self.best is None else self._better(self.best, score)
        self.add(**line, score=score, best=self.best, done=self.done)

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


def _line(value: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(plain(value), allow_nan=False, separators=(',', ':'))}\n".encode()


def _present(path: str, flags: int) -> int:
    """Open a file that is there; one that someone has removed is not made again."""
    return os.open(path, flags & ~os.O_CREAT)


def plain(value: Any) -> Any:
    """What JSON can hold: numbers that are not finite are null."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray):
        if value.ndim > 1:
            return [plain(each) for each in value]
        # Six digits are more than a picture shows; float32 would be written with seventeen.
        return [_short(each) for each in value.tolist()] if value.dtype.kind == "f" else value.tolist()
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value if isinstance(value, int | str | bool | None) else str(value)


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
