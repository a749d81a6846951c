"""What is in a folder of runs, and what of it has changed: journals, and saved runs that have none."""

import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kilter.core.journal import ENDING
from kilter.report.board.log import Log, Summary, summary

# How deep runs are looked for, logs that are held whole, and seconds between looks at all of the folder.
_DEPTH, _HELD, _RESCAN = 4, 32, 3.0


@dataclass
class _Entry:
    path: Path
    stamp: tuple[int, int]
    version: int
    summary: Summary | None = None


class Index:
    """The runs of a folder by their paths in it; nothing else can be asked for.

    Args:
        folder: that holds them, at most four levels deep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.version = folder, 0
        self._entries: dict[str, _Entry] = {}
        self._logs: OrderedDict[str, Log] = OrderedDict()
        self._scanned = 0.0
        self._lock = threading.RLock()
        self.look(everything=True)

    def look(self, *, everything: bool = False) -> int:
        """Look for changes, at those that run often and at all now and then; the number of the last change."""
        with self._lock:
            everything = everything or time.monotonic() - self._scanned > _RESCAN
            paths = (
                dict(self._found())
                if everything
                else {id: each.path for id, each in self._entries.items() if _goes_on(each)}
            )
            if everything:
                self._scanned = time.monotonic()
                for id in set(self._entries) - set(paths):
                    del self._entries[id]
                    self.version += 1
            for id, path in paths.items():
                self._note(id, path)
            return self.version

    def changed(self, since: int) -> list[str]:
        """Runs that have changed after the change of that number."""
        with self._lock:
            return [id for id, each in self._entries.items() if each.version > since]

    def runs(self, wanted: str = "", sort: str = "changed") -> list[Summary]:
        """Summaries of the runs that match, the newest or the best first."""
        with self._lock:
            ids = sorted(self._entries, key=lambda id: -self._entries[id].stamp[0])
            if not wanted and sort == "changed":
                return [self._entries[id].summary or Summary(id, "", "") for id in ids]
            found = [each for each in map(self.summary, ids) if each.matches(wanted)]
        if sort == "score":
            found.sort(key=lambda each: (each.score is None, -(each.score or 0.0)))
        return found

    def summary(self, id: str) -> Summary:
        """Summary of one run; what runs is looked at again, as it may have died meanwhile."""
        with self._lock:
            entry = self._entries[id]
            if entry.summary is None or entry.summary.state == "running":
                told = summary(id, entry.path) if entry.path.name.endswith(ENDING) else _saved(id, entry.path)
                entry.summary = replace(told, report=self.report(id) is not None)
            return entry.summary

    def knows(self, id: str) -> bool:
        """Whether there is such a run; one that is not known yet is looked for."""
        if id not in self._entries:
            self.look(everything=True)
        return id in self._entries

    def log(self, id: str) -> Log | None:
        """All that a run has noted so far; None for one without a journal."""
        with self._lock:
            path = self._entries[id].path
            if not path.name.endswith(ENDING):
                return None
            log = self._logs.pop(id, None) or Log(path)
            self._logs[id] = log
            while len(self._logs) > _HELD:
                self._logs.popitem(last=False)
            return log.refresh()

    def report(self, id: str) -> Path | None:
        """The page of a run, where it has one."""
        path = self._entries[id].path
        folder = Path(str(path).removesuffix(ENDING)) if path.name.endswith(ENDING) else path.parent
        page = folder / "report.html"
        return page if page.is_file() else None

    def _note(self, id: str, path: Path) -> None:
        try:
            told = path.stat()
        except OSError:
            return
        stamp, entry = (told.st_mtime_ns, told.st_size), self._entries.get(id)
        if entry is None or entry.stamp != stamp:
            self.version += 1
            self._entries[id] = _Entry(path, stamp, self.version)
        elif entry.summary is not None and _goes_on(entry) and self.summary(id).state != "running":
            self.version += 1
            entry.version = self.version

    def _found(self) -> Iterator[tuple[str, Path]]:
        """Journals, and saved runs beside which there is none."""
        for where, folders, names in os.walk(self.folder):
            place = Path(where)
            depth = len(place.relative_to(self.folder).parts)
            folders[:] = [each for each in folders if not each.startswith(".")] if depth < _DEPTH else []
            for name in names:
                if name.endswith(ENDING):
                    yield str((place / name.removesuffix(ENDING)).relative_to(self.folder)), place / name
            if "run.json" in names and depth and not Path(f"{place}{ENDING}").exists():
                yield str(place.relative_to(self.folder)), place / "run.json"


def _goes_on(entry: _Entry) -> bool:
    return entry.summary is None or entry.summary.state == "running"


def _saved(id: str, path: Path) -> Summary:
    """Summary of a run that was saved without a journal."""
    try:
        facts = json.loads(path.read_bytes())
        key, score = str(facts["metric"]["value"]["type"]).rpartition(".")[2].lower(), facts["score"]
        return Summary(
            id, "saved", "ended", str(facts.get("title", "")), path.stat().st_mtime, members=1, metric=key,
            score=score if isinstance(score, int | float) else None,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Summary(id, "unreadable", "corrupt")
