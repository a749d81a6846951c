"""What is in a folder of runs, and what of it has changed: journals, and saved runs that have none."""

import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from kilter.core.journal import ENDING
from kilter.report.board import scan, summary
from kilter.report.board.log import Log
from kilter.report.board.summary import Summary

# Memory of logs that are held whole; summaries that are read ahead with each look, so that a filter finds them ready.
_HELD, _AHEAD = 1 << 28, 200
# A look at all of the folder takes at most so small a share of the time, but for one so short that nobody notices.
_SHARE, _SHORT = 1 / 30, 0.05
# For a run that is asked for and not known, one begins when so many times its length have gone by since the last.
_PATIENT = 2.0


@dataclass(slots=True)
class _Entry:
    path: str
    stamp: tuple[int, int, int]
    version: int
    summary: Summary | None = None

    @property
    def goes_on(self) -> bool:
        return self.summary is None or self.summary.state == "running"


class Index:
    """The runs of a folder by their paths in it; nothing else can be asked for.

    Args:
        folder: that holds them, at most four levels deep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.version = folder, 0
        self._entries: dict[str, _Entry] = {}
        self._logs: OrderedDict[str, Log] = OrderedDict()
        self._scanned, self._took = 0.0, 0.0
        self._lock = threading.RLock()
        self._scan()

    def look(self, *, now: bool = False) -> int:
        """Look for changes, at those that go on always and at all now and then; the number of the last change."""
        with self._lock:
            rest = 0.0 if now and self._took < _SHORT else max(1.0, self._took / _SHARE)
            if time.monotonic() - self._scanned >= rest:
                self._scan()
            else:
                self._glance()
            waiting = [id for id, each in self._entries.items() if each.summary is None]
            for id in waiting[:_AHEAD]:
                self.summary(id)
            return self.version

    def changed(self, since: int) -> list[str]:
        """Runs that have changed after the change of that number."""
        with self._lock:
            return [id for id, each in self._entries.items() if each.version > since]

    def runs(self, words: str = "", state: str = "", sort: str = "changed") -> list[str]:
        """Names of the runs that match, the last to change or the best first."""
        with self._lock:
            ids = sorted(self._entries, key=lambda id: -self._entries[id].stamp[0])
            if not words.strip() and not state and sort == "changed":
                return ids
            wanted = words.lower().split()
            told = [each for each in map(self.summary, ids) if each is not None and each.matches(wanted)]
        told = [each for each in told if state in ("", each.state)]
        if sort in ("highest", "lowest"):
            sign = -1.0 if sort == "highest" else 1.0
            told.sort(key=lambda each: (each.score is None, sign * (each.score or 0.0)))
        return [each.id for each in told]

    def summary(self, id: str) -> Summary | None:
        """Summary of one run; None where there is none. One that goes on is looked at again: it may have died meanwhile."""
        with self._lock:
            entry = self._entries.get(id)
            if entry is not None and entry.goes_on:
                entry.summary = self._summary(id, entry)
            return None if entry is None else entry.summary

    def log(self, id: str) -> Log | None:
        """All that a run has noted so far; None for one without a journal."""
        with self._lock:
            entry = self._entries.get(id)
            if entry is None or not entry.path.endswith(ENDING):
                return None
            log = self._logs.pop(id, None) or Log(entry.path)
            self._logs[id] = log
        try:
            while not log.refresh():
                log = Log(entry.path)
        except OSError:
            return None
        with self._lock:
            self._logs[id] = log
            held = sum(each.nbytes for each in self._logs.values())
            while held > _HELD and len(self._logs) > 1:
                held -= self._logs.popitem(last=False)[1].nbytes
        return log

    def knows(self, id: str) -> bool:
        """Whether there is such a run; one that is not known yet is looked for."""
        with self._lock:
            if id not in self._entries and time.monotonic() - self._scanned > _PATIENT * self._took:
                self._scan()
            return id in self._entries

    def report(self, id: str) -> Path | None:
        """The page of a run, where it has one within the folder."""
        entry = self._entries.get(id)
        if entry is None:
            return None
        journal = entry.path.endswith(ENDING)
        folder = Path(entry.path.removesuffix(ENDING)) if journal else Path(entry.path).parent
        page = folder / "report.html"
        return page if page.is_file() and page.resolve().is_relative_to(self.folder.resolve()) else None

    def _summary(self, id: str, entry: _Entry) -> Summary:
        journal = entry.path.endswith(ENDING)
        told = summary.of_journal(id, entry.path) if journal else summary.of_saved(id, entry.path, entry.stamp[0] / 1e9)
        told.report = self.report(id) is not None
        return told

    def _scan(self) -> None:
        """Look at all that is there."""
        began = time.monotonic()
        there = set[str]()
        for id, path, told in scan.found(str(self.folder)):
            there.add(id)
            self._note(id, path, told)
        for id in self._entries.keys() - there:
            self._forget(id)
        self._scanned = time.monotonic()
        self._took = self._scanned - began

    def _glance(self) -> None:
        """Look at those that go on."""
        for id, entry in list(self._entries.items()):
            if entry.summary is not None and entry.goes_on:
                try:
                    self._note(id, entry.path, os.stat(entry.path))
                except OSError:
                    self._forget(id)

    def _note(self, id: str, path: str, told: os.stat_result) -> None:
        stamp, entry = (told.st_mtime_ns, told.st_size, told.st_ino), self._entries.get(id)
        if entry is None or entry.stamp != stamp:
            self.version += 1
            self._entries[id] = _Entry(path, stamp, self.version)
        elif entry.summary is not None and entry.goes_on:
            before, now = entry.summary.state, self.summary(id)
            if now is not None and now.state != before:
                self.version += 1
                entry.version = self.version

    def _forget(self, id: str) -> None:
        del self._entries[id]
        self._logs.pop(id, None)
        self.version += 1
