"""A training as its page shows it: curves of one network, or line by line those of the best, and all in a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kilter.metrics import describe
from kilter.report.board.log import Log
from kilter.report.board.parts import Part, Table, chart, wordy
from kilter.report.charts import lines

Array = np.ndarray[Any, Any]
# Networks of a chart, points of a line, and times the middle number beyond which the largest asks for a logarithmic axis.
_DRAWN, _POINTS, _WIDE = 7, 600, 50.0


def label(log: Log, member: int) -> str:
    """What tells a network from the others."""
    told = log.members[member] if member < len(log.members) else {}
    words = wordy(told.get("settings")) or ("as given" if any(each.get("settings") for each in log.members) else "")
    several = len({each.get("seed") for each in log.members}) > 1 or not words
    return ", ".join(filter(None, [words, f"seed {told.get('seed', 0)}" if several else ""]))


def charts(log: Log) -> list[Part]:
    """Loss and validation loss of one network; line by line the best of several."""
    names = [name for name in log.curves if name != "lr"]
    if len(log.members) == 1:
        losses = [name for name in names if name in ("loss", "val_loss")]
        groups = [losses, *([name] for name in names if name not in losses), *_rate(log)]
        made = [_together(log, group, 0) for group in groups if group and group[0] in log.curves]
    else:
        made = [_over(log, name) for name in sorted(names, key=lambda name: not name.startswith("val_"))]
    return [each for each in made if each is not None]


def _rate(log: Log) -> list[list[str]]:
    """The learning rate, where it changes."""
    rates = log.curves["lr"][0].y if 0 in log.curves.get("lr", {}) else np.zeros(0)
    return [["lr"]] if len(rates) and rates.min() < rates.max() else []


def _together(log: Log, names: list[str], member: int) -> Part:
    each = {name: log.curves[name][member].seen(_POINTS) for name in names if member in log.curves[name]}
    words = " and ".join(f"{name} {describe(log.curves[name][member].last)}" for name in each)
    option = lines(each, "epoch", names[0], log=_wide(each))
    return chart(option, f"By epoch; by now {words}.", 260 if names == ["lr"] else 320)


def _over(log: Log, name: str) -> Part:
    """One line of the best networks over each other."""
    best = ranked(log)[:_DRAWN]
    each = {label(log, member): log.curves[name][member].seen(_POINTS) for member in best if member in log.curves[name]}
    shown = f"the {len(each)} best of {len(log.members)} networks" if len(log.members) > len(each) else "all networks"
    return chart(lines(each, "epoch", name, log=_wide(each)), f"{name} by epoch of {shown}.", 320)


def _wide(each: Mapping[str, tuple[Array, Array]]) -> bool:
    """Whether numbers, all above zero, differ so much that only their logarithms fit into one picture."""
    numbers = np.concatenate([y[np.isfinite(y)] for _, y in each.values()] or [np.zeros(0)])
    return len(numbers) > 0 and numbers.min() > 0 and numbers.max() > _WIDE * np.median(numbers)


def ranked(log: Log) -> list[int]:
    """Networks that have curves, those with the best score first, then by the loss that they have by now."""
    loss = log.curves.get("val_loss") or log.curves.get("loss") or {}

    def place(member: int) -> tuple[bool, float]:
        score = log.ends.get(member, {}).get("score")
        if isinstance(score, int | float):
            return False, -log.sign * score
        now = loss[member].last
        return True, now if np.isfinite(now) else np.inf

    return sorted(loss, key=place)


def table(log: Log, rows: int) -> Table:
    """Networks, the best first; those in training after those that have ended."""
    scores = {member: end["score"] for member, end in log.ends.items() if isinstance(end.get("score"), int | float)}
    order = sorted(range(len(log.members)), key=lambda place: -log.sign * scores.get(place, -log.sign * np.inf))
    made = [[_name(log, place), *_end(log, place, scores)] for place in order[:rows]]
    return Table(["network", "settings", "epochs", "score", "outcome"], made, len(order))


def _name(log: Log, place: int) -> str:
    return f"{place}, seed {log.members[place].get('seed')}"


def _end(log: Log, place: int, scores: dict[int, float]) -> list[str]:
    told, end = log.members[place], log.ends.get(place, {})
    curve = (log.curves.get("loss") or {}).get(place)
    reached = end.get("reached") or (int(curve.x[-1]) if curve is not None and len(curve.x) else 0)
    score = describe(scores[place]) if place in scores else ""
    words = str(end.get("outcome", "")).replace("_", " ")
    return [wordy(told.get("settings")), f"{reached} of {told.get('epochs')}", score, words]
