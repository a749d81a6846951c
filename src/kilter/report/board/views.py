"""What pages ask a journal for: charts and a table of the kind that it is, and lines to lay over those of others."""

import time
from typing import Any

import numpy as np

from kilter.report.board import of_cures, of_searches, of_trainings
from kilter.report.board.log import Log
from kilter.report.charts import number

# Rows of a table, networks of one run in a chart of several, and points of a line.
_ROWS, _DRAWN, _POINTS = 50, 40, 600
# What searches can be laid over each other by.
SO_FAR = "best so far"

_KINDS = {"search": of_searches, "cure": of_cures}


def view(log: Log) -> dict[str, Any]:
    """Facts, charts, table and words of a journal."""
    kind = _KINDS.get(str(log.head.get("kind")), of_trainings)
    with log.lock:
        return {
            "facts": _facts(log), "charts": list(map(vars, kind.charts(log))),
            "table": vars(kind.table(log, _ROWS)), "told": log.told[-50:], "recipe": str(log.head.get("recipe", "")),
        }  # fmt: skip


def _facts(log: Log) -> list[tuple[str, str]]:
    """What there is to say beside charts, by name."""
    head = log.head
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(head.get("started", 0)))
    facts = [
        ("data", str(head.get("title", ""))),
        ("score", f"{head.get('metric', '')}, {'higher' if log.sign > 0 else 'lower'} is better"),
        ("strategy", str(head.get("strategy", ""))),
        ("begun", f"{began} on {head.get('host')}, process {head.get('pid')}"),
        ("damaged", f"{log.damaged} lines could not be read" if log.damaged else ""),
    ]
    return [(name, words) for name, words in facts if words]


def names(log: Log) -> list[str]:
    """Lines that a journal has."""
    with log.lock:
        return [*log.curves, *([SO_FAR] if log.head.get("kind") == "search" and log.results else [])]


def overlaid(log: Log, id: str, name: str, low: int | None, high: int | None) -> tuple[list[dict[str, Any]], int]:
    """Lines of this name of a run, the best of many, and how many there are; closer between two epochs."""
    with log.lock:
        if name == SO_FAR:
            trials, scores = of_searches.so_far(log)
            return ([{"name": id, "points": _points(trials, scores)}], 1) if len(trials) else ([], 0)
        of, known = _KINDS.get(str(log.head.get("kind")), of_trainings), log.curves.get(name, {})
        chosen = [member for member in of_trainings.ranked(log) if member in known][:_DRAWN]
        found = []
        for member in chosen:
            own = f"{id}: {of.label(log, member)}" if len(known) > 1 else id
            found.append({"name": own, "points": _points(*known[member].seen(_POINTS, low, high))})
        return found, len(known)


def _points(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> list[list[float | None]]:
    return [[int(a), number(b)] for a, b in zip(x, y, strict=True)]
