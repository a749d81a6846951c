"""All of a journal that another process may still be writing, read as far as it goes."""

import os
import threading
from typing import Any

import numpy as np

from kilter.report.board.curve import Curve
from kilter.report.board.lines import head_of, parsed, whole

# Lines of words, and results of a search, that are kept.
_TOLD, _RESULTS = 200, 20_000


class Log:
    """What a journal tells; `refresh` reads what was added.

    Attributes:
        path: of the file.
        head: its first line; empty where it is no journal.
        members: seed, epochs and settings of each network, the later ones with those that joined on the way.
        curves: by name and member.
        results: trials by number, what was told last of each.
        ends: how members ended.
        told: words, the last ones.
        over: whether its end is told.
        damaged: lines that could not be read.
        lock: held while it is read or drawn.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.head: dict[str, Any] = {}
        self.members: list[dict[str, Any]] = []
        self.curves: dict[str, dict[int, Curve]] = {}
        self.results: dict[int, dict[str, Any]] = {}
        self.ends: dict[int, dict[str, Any]] = {}
        self.told: list[str] = []
        self.over, self.damaged = False, 0
        self.lock = threading.RLock()
        self._file, self._offset = 0, 0

    def refresh(self) -> bool:
        """Read the whole lines that were added; False where the file is another one by now."""
        with self.lock, open(self.path, "rb") as stream:
            now = os.fstat(stream.fileno())
            if self._offset and (now.st_ino != self._file or now.st_size < self._offset):
                return False
            self._file = now.st_ino
            if self._offset == 0:
                self._begin(stream)
            stream.seek(self._offset)
            for line in whole(stream) if self.head else ():
                self._offset += len(line)
                self._read(line)
            return True

    @property
    def nbytes(self) -> int:
        """Memory that it takes, about."""
        curves = sum(curve.nbytes for each in self.curves.values() for curve in each.values())
        return curves + 1000 * (len(self.results) + len(self.members))

    @property
    def sign(self) -> int:
        """1 where a higher score is better."""
        return 1 if self.head.get("higher_is_better", True) else -1

    def _begin(self, stream: Any) -> None:
        self.head = head_of(stream) or {}
        self._offset = stream.tell() if self.head else 0
        given = self.head.get("members")
        self.members = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []

    def _read(self, line: bytes) -> None:
        found = parsed(line)
        try:
            self._take(found or {})
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            found = None
        self.damaged += found is None

    def _take(self, found: dict[str, Any]) -> None:
        if "lines" in found:
            for name, columns in found["lines"].items():
                self._draw(str(name), found, columns)
        elif "result" in found:
            number = int(found["result"])
            if number in self.results or len(self.results) < _RESULTS:
                self.results[number] = self.results.get(number, {}) | found
        elif "member" in found:
            self.ends[int(found["member"])] = found
        elif "joined" in found:
            self.members += [dict(each) for each in found["joined"]]
        self.over = self.over or "ended" in found
        for name in ("told", "found", "error"):
            if name in found:
                self.told = [*self.told[1 - _TOLD :], str(found[name])]

    def _draw(self, name: str, found: dict[str, Any], columns: list[list[float | None]]) -> None:
        epochs, first = found.get("epochs"), int(found["first"])
        for place, (member, numbers) in enumerate(zip(found["members"], columns, strict=True)):
            at = np.arange(len(numbers)) + first if epochs is None else np.asarray(epochs[name][place], np.int64)
            curve = self.curves.setdefault(name, {}).setdefault(int(member), Curve())
            curve.add(at + 1, np.array(numbers, np.float64))
