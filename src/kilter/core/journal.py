"""A journal: one file to which a process appends what it does, a line of JSON each, for others to read meanwhile."""

import json
import math
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from kilter.core import files
from kilter.core.doubts import warn
from kilter.core.process import birth, here

VERSION = 1
ENDING = ".log.jsonl"


class Journal:
    """Appends to ``PATH.log.jsonl``. The first line says what is being done, by whom and since when; the last how it ended.

    A line is written in one piece, so that a reader sees whole lines, but for the last one of a process that was killed.
    Where the disk is full, or the file is gone or another's, a warning says so once, nothing more is written, and the work
    goes on.

    Args:
        path: to which the ending is added.
        kind: of the work.
        title: of the data.
        since: `position` from which on a journal of the same work goes on that an earlier process began; None: it begins.
        facts: of the work, for the first line.
    """

    def __init__(self, path: str | Path, kind: str, title: str, *, since: int | None = None, **facts: Any) -> None:
        self.file: Path | None = Path(f"{path}{ENDING}")
        self._better = max if facts.get("higher_is_better", True) else min
        head = {"kilter": VERSION, "kind": kind, "title": title, "started": time.time()}
        head |= {"pid": os.getpid(), "born": birth(os.getpid()), "host": socket.gethostname(), "where": here()}
        started, lines = (None, b"") if since is None else _begun(self.file, kind, since)
        files.write(self.file, _line(head | facts | ({} if started is None else {"started": started})) + lines)
        self.best, self.done = _scored(lines)
        self._own = self.file.stat().st_ino

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
        try:
            with open(self.file, "ab", opener=_present) as stream:
                if os.fstat(stream.fileno()).st_ino != self._own:
                    raise OSError(0, "another process has begun it anew")
                stream.write(_line(line))
        except OSError as error:
            warn(f"the log {self.file} ends here: {error.strerror or error}")
            self.file = None

    def score(self, score: float, **line: Any) -> None:
        """Append one line with a score, the best one so far, and how many there have been."""
        self.done += 1
        if math.isfinite(score):
            self.best = score if self.best is None else self._better(self.best, score)
        self.add(**line, score=score, best=self.best, done=self.done)

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


def _begun(file: Path, kind: str, since: int) -> tuple[float | None, bytes]:
    """When a journal of such a work was begun, and its lines up to a position; none where it is another or shorter."""
    try:
        first, _, lines = file.read_bytes().partition(b"\n")
        head = json.loads(first)
        return (float(head["started"]), lines[:since]) if head["kind"] == kind and len(lines) >= since else (None, b"")
    except (OSError, ValueError, KeyError, TypeError):
        return None, b""


def _scored(lines: bytes) -> tuple[float | None, int]:
    """The best score and the number of scores that the last line with them tells."""
    for line in reversed(lines.splitlines()):
        if b'"done":' in line:
            told = json.loads(line)
            return told.get("best"), told["done"]
    return None, 0


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
