"""What a list of runs shows of one, read from the first and the last lines of its journal."""

import json
import os
import time
from dataclasses import dataclass
from typing import Any

from kilter.core.process import alive, here
from kilter.report.board.lines import head_of, last

# Bytes at the end of a journal that are read: few, then more where these hold no whole line that tells how far it got;
# seconds without a line after which a process of another machine has fallen silent.
_TAILS, _SILENT = (1 << 10, 1 << 13, 1 << 16), 120.0


@dataclass(slots=True)
class Summary:
    """One run in a list.

    Attributes:
        id: its path within the folder.
        kind: ``"training"``, ``"search"``, ``"cure"`` or ``"saved"``; ``"unreadable"`` for what is no journal.
        state: ``"running"``, ``"ended"``, ``"failed"``, ``"dead"`` (its process is gone), ``"silent"`` (of another machine,
            nothing written for two minutes) or ``"corrupt"``.
        title: of the data.
        began, changed: seconds since 1970.
        members: networks of a training.
        done, planned: epochs of a training, trials of a search; planned is 0 where that is not known.
        metric, score: the best so far.
        words: the last that were told.
        report: whether it has a page.
    """

    id: str
    kind: str
    state: str
    title: str = ""
    began: float = 0.0
    changed: float = 0.0
    members: int = 0
    done: int = 0
    planned: int = 0
    metric: str = ""
    score: float | None = None
    words: str = ""
    report: bool = False

    def matches(self, words: list[str]) -> bool:
        """Whether all of some words, in lower case, are in it."""
        own = f"{self.id} {self.kind} {self.state} {self.title} {self.words}".lower()
        return all(word in own for word in words)


def corrupt(id: str, changed: float = 0.0) -> Summary:
    """Of a file that is no journal."""
    return Summary(id, "unreadable", "corrupt", changed=changed)


def of_journal(id: str, path: str) -> Summary:
    """Summary of a journal."""
    try:
        with open(path, "rb") as stream:
            told = os.fstat(stream.fileno())
            head = head_of(stream)
            if head is None:
                return corrupt(id, told.st_mtime)
            tail = _tail(stream, told.st_size)
            return _summary(id, head, tail, told.st_mtime)
    except (OSError, LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return corrupt(id)


def _tail(stream: Any, size: int) -> list[dict[str, Any]]:
    start, found = stream.tell(), []
    for length in _TAILS:
        found = last(stream, start, size, length)
        if size - start <= length or any(name in line for line in found for name in ("reached", "done")):
            break
    return found


def _summary(id: str, head: dict[str, Any], tail: list[dict[str, Any]], changed: float) -> Summary:
    members, kind = head.get("members") or [], str(head.get("kind", ""))
    begun = max((place for place, line in enumerate(tail) if "joined" in line), default=0)
    reached = [int(line["reached"]) for line in tail[begun:] if "reached" in line]
    scored = [line for line in tail if "done" in line]
    told = [line for line in tail if "told" in line or "found" in line or "error" in line]
    done = max(reached, default=0) if kind == "training" else int(scored[-1]["done"]) if scored else 0
    planned = max((int(each.get("epochs", 0)) for each in members), default=int(head.get("trials", 0)))
    return Summary(
        id, kind, state_of(head, tail, changed), str(head.get("title", "")), float(head.get("started", 0.0)), changed,
        members=len(members), done=done, planned=planned,
        metric=str(head.get("metric", "")), score=_number(scored[-1].get("best")) if scored else None,
        words=_words(told[-1]) if told else "",
    )  # fmt: skip


def _words(line: dict[str, Any]) -> str:
    return str(next(line[name] for name in ("error", "told", "found") if name in line))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def state_of(head: dict[str, Any], lines: list[dict[str, Any]], changed: float) -> str:
    """Whether what a journal tells of goes on."""
    if any("error" in line for line in lines):
        return "failed"
    if any("ended" in line for line in lines):
        return "ended"
    if head.get("where") != here():
        return "running" if time.time() - changed < _SILENT else "silent"
    return "running" if alive(int(head["pid"]), head.get("born")) else "dead"


def of_saved(id: str, path: str, changed: float) -> Summary:
    """Summary of a run that was saved without a journal."""
    try:
        with open(path, "rb") as stream:
            facts = json.load(stream)
        key = str(facts["metric"]["value"]["type"]).rpartition(".")[2].lower()
        title = str(facts.get("title", ""))
        return Summary(id, "saved", "ended", title, 0.0, changed, members=1, metric=key, score=_number(facts["score"]))
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return corrupt(id, changed)
