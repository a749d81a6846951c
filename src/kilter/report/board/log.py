"""Reading a journal that another process may still be writing: the summary of it from its ends, or all of it by and by."""

import json
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Bytes at the end of a log that tell how it goes; seconds without a line after which one of another host counts as dead.
_TAIL, _SILENT = 1 << 14, 120.0
# Lines of words that are kept.
_TOLD = 200


@dataclass
class Summary:
    """What a list of runs shows of one.

    Attributes:
        id: its path within the folder.
        kind: ``"training"``, ``"search"``, ``"cure"`` or ``"saved"``; ``"unreadable"`` for what is no journal.
        state: ``"running"``, ``"ended"``, ``"failed"``, ``"dead"`` or ``"corrupt"``.
    """

    id: str
    kind: str
    state: str
    title: str = ""
    changed: float = 0.0
    members: int = 0
    epoch: int = 0
    epochs: int = 0
    metric: str = ""
    score: float | None = None
    words: str = ""
    report: bool = False

    def matches(self, wanted: str) -> bool:
        """Whether all words of a search are in it."""
        own = f"{self.id} {self.kind} {self.state} {self.title} {self.words}".lower()
        return all(word in own for word in wanted.lower().split())


def summary(id: str, path: Path) -> Summary:
    """Summary of a journal, from its first and its last lines."""
    try:
        with path.open("rb") as stream:
            first = stream.readline()
            size, changed = os.fstat(stream.fileno()).st_size, os.fstat(stream.fileno()).st_mtime
            stream.seek(max(len(first), size - _TAIL))
            tail = stream.read().split(b"\n")
    except OSError:
        return Summary(id, "unreadable", "corrupt")
    head = parsed(first)
    if not isinstance(head, dict) or "kilter" not in head:
        return Summary(id, "unreadable", "corrupt", changed=changed)
    whole = [line for line in map(parsed, tail) if isinstance(line, dict)]
    members = head.get("members") or []
    best = max if head.get("higher_is_better", True) else min
    scores = [line["score"] for line in whole if isinstance(line.get("score"), int | float)]
    done = max([_reached(line) for line in whole], default=0)
    told = [str(line[name]) for line in whole for name in ("told", "found", "error") if name in line]
    return Summary(
        id, str(head.get("kind", "")), state(head, whole, changed), str(head.get("title", "")), changed,
        members=len(members), epoch=done, epochs=max([int(each.get("epochs", 0)) for each in members], default=0),
        metric=str(head.get("metric", "")), score=best(scores) if scores else None, words=" ".join(told[-1:]),
    )  # fmt: skip


def _reached(line: dict[str, Any]) -> int:
    """The epoch that a line of a journal gets to."""
    columns = line.get("lines") or {}
    lengths = [len(each) for column in columns.values() for each in column[:1]]
    return int(line.get("first", 0)) + max(lengths, default=0) if columns else 0


def parsed(line: bytes) -> Any:
    """A line as JSON, or None where it is none."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def state(head: dict[str, Any], lines: list[dict[str, Any]], changed: float) -> str:
    """Whether what a journal tells of goes on."""
    if any("error" in line for line in lines):
        return "failed"
    if any("ended" in line for line in lines):
        return "ended"
    return "running" if _alive(head, changed) else "dead"


def _alive(head: dict[str, Any], changed: float) -> bool:
    """Whether the process is there: asked for on this host, guessed from its last line on others."""
    if head.get("host") != socket.gethostname():
        return time.time() - changed < _SILENT
    try:
        os.kill(int(head["pid"]), 0)
    except (ProcessLookupError, KeyError, ValueError, TypeError, OverflowError):
        return False
    except OSError:
        return True  # another user's
    return True


@dataclass
class Log:
    """All of a journal, read as far as it goes; `refresh` reads what was added.

    Attributes:
        path: of the file.
        head: its first line.
        lines: by name and member, numbers by epoch.
        results: score and settings of each trial, by number.
        told: words, the last ones.
        ended: the line that says how it ended.
    """

    path: Path
    head: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, dict[int, Array]] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    ends: dict[int, dict[str, Any]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    _offset: int = 0
    _length: dict[tuple[str, int], int] = field(default_factory=dict)

    def refresh(self) -> "Log":
        """Read the whole lines that were added; begin anew where the file was replaced."""
        with self.path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size < self._offset:
                self.__init__(self.path)  # type: ignore[misc]
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                found = parsed(line)
                if isinstance(found, dict):
                    self._take(found)
        return self

    def line(self, name: str, member: int) -> Array:
        """Numbers of one member by epoch, from the first on."""
        return self.lines[name][member][: self._length[name, member]]

    def _take(self, found: dict[str, Any]) -> None:
        if "kilter" in found:
            self.head = found
        elif "lines" in found:
            for name, columns in found["lines"].items():
                for member, numbers in zip(found["members"], columns, strict=False):
                    self._extend(str(name), int(member), int(found["first"]), numbers)
        elif "result" in found:
            self.results.append(found)
        elif "member" in found:
            self.ends[int(found["member"])] = found
        for name in ("told", "found", "error"):
            if name in found:
                self.told = [*self.told[-_TOLD:], str(found[name])]

    def _extend(self, name: str, member: int, first: int, numbers: list[Any]) -> None:
        """Put numbers at epochs from ``first`` on; space doubles as it is needed."""
        line = self.lines.setdefault(name, {}).get(member, np.full(16, np.nan, np.float32))
        end = first + len(numbers)
        if end > len(line):
            line = np.concatenate([line, np.full(max(end, 2 * len(line)) - len(line), np.nan, np.float32)])
        line[first:end] = [np.nan if number is None else number for number in numbers]
        self.lines[name][member] = line
        self._length[name, member] = max(end, self._length.get((name, member), 0))
