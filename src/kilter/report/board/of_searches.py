"""A search as its page shows it: how good by now, every hyper-parameter, all trials at once, and the best in a table."""

from typing import Any

import numpy as np

from kilter.core.thinning import thinned
from kilter.metrics import describe
from kilter.report.board.log import Log
from kilter.report.board.parts import Part, Table, chart, shown
from kilter.report.charts import lines, number, parallel, points

# Trials of a chart, hyper-parameters with a picture of their own, and axes of the chart of all.
_TRIALS, _SLICES, _AXES, _CURVES, _POINTS = 500, 6, 8, 7, 300

Result = dict[str, Any]


def charts(log: Log) -> list[Part]:
    """Best so far, trials that are in training, all trials, and slices."""
    scored = _scored(log)
    made = [_so_far(log, scored)] if scored else []
    made += _in_training(log)
    if len(scored) > 1:
        made.append(_parallel(log, scored))
        made += [_slice(log, axis, scored) for axis in _axes(log)[:_SLICES] if not axis.get("options")]
    return made


def so_far(log: Log) -> tuple[Any, Any]:
    """Numbers of trials, and the best score that there was by then."""
    trials, scores = _columns([(each["result"], each["score"]) for each in _scored(log)])
    return trials, np.maximum.accumulate(scores) if log.sign > 0 else np.minimum.accumulate(scores)


def label(log: Log, member: int) -> str:
    """The trial whose network this is, and its seed where there are several."""
    seeds = max(1, int(log.head.get("seeds", 1)))
    return f"trial {member // seeds}" + (f", seed {member % seeds}" if seeds > 1 else "")


def table(log: Log, rows: int) -> Table:
    """The best trials, and after them those that failed."""
    best = _best(log, _scored(log))
    failed = [each for each in log.results.values() if not _has_score(each)]
    names = [str(axis["name"]) for axis in _axes(log)]
    short = [name.rpartition(".")[2] for name in names]
    heads = [own if short.count(own) == 1 else name for own, name in zip(short, names, strict=True)]
    made = [_row(each, names) for each in [*best, *failed][:rows]]
    return Table(["trial", "score", *heads, "epochs", "seconds", "outcome"], made, len(log.results))


def _row(each: Result, names: list[str]) -> list[str]:
    score = describe(each["score"]) if _has_score(each) else ""
    settings = each.get("settings") or {}
    seconds = f"{each['seconds']:.1f}" if isinstance(each.get("seconds"), float) else ""
    outcome = str(each.get("outcome", ""))
    ended = [
        str(each.get("epochs", "")),
        seconds,
        outcome if outcome.startswith("failed") else outcome.partition(":")[0],
    ]
    return [str(each["result"]), score, *(shown(settings[name]) if name in settings else "" for name in names), *ended]


def _has_score(each: Result) -> bool:
    return isinstance(each.get("score"), int | float)


def _scored(log: Log) -> list[Result]:
    """Trials with a score, by number."""
    return [log.results[key] for key in sorted(log.results) if _has_score(log.results[key])]


def _best(log: Log, scored: list[Result]) -> list[Result]:
    return sorted(scored, key=lambda each: -log.sign * each["score"])


def _axes(log: Log) -> list[dict[str, Any]]:
    given = log.head.get("axes")
    return [each for each in given if isinstance(each, dict) and "name" in each] if isinstance(given, list) else []


def _so_far(log: Log, scored: list[Result]) -> Part:
    trials, scores = _columns([(each["result"], each["score"]) for each in scored])
    best = so_far(log)[1]
    every = thinned(trials, scores)
    option = lines({"best so far": (trials, best), "trial": every}, "trial", str(log.head.get("metric", "score")))
    option["series"][0] |= {"step": "end", "lineStyle": {"width": 2.5}}
    option["series"][1] |= {"type": "scatter", "symbolSize": 5, "itemStyle": {"opacity": 0.6}}
    planned = log.head.get("trials")
    ended = f"{len(log.results)} of {planned} trials have ended" if planned else f"{len(log.results)} trials have ended"
    return chart(option, f"{ended}; the best has {log.head.get('metric')} {describe(best[-1])}.")


def _in_training(log: Log) -> list[Part]:
    """Curves of trials that have not ended yet."""
    if log.over or not log.curves:
        return []
    name = "val_loss" if "val_loss" in log.curves else next(iter(log.curves))
    seeds = max(1, int(log.head.get("seeds", 1)))
    going = [member for member in log.curves[name] if member // seeds not in log.results]
    going.sort(key=lambda member: np.nan_to_num(log.curves[name][member].last, nan=np.inf))
    if not going:
        return []
    each = {label(log, member): log.curves[name][member].seen(_POINTS) for member in going[:_CURVES]}
    return [chart(lines(each, "epoch", name), f"In training by now: the {len(each)} best of {len(going)} curves.")]


def _parallel(log: Log, scored: list[Result]) -> Part:
    axes, best = _axes(log)[:_AXES], _best(log, scored)[:_TRIALS]
    metric = {"name": str(log.head.get("metric", "score")), "type": "value", "scale": True}
    rows = [[*(_cell(axis, each) for axis in axes), number(each["score"])] for each in best]
    told = f"A line a trial ({len(rows)} of {len(log.results)}), colored by its score; drag along an axis to keep some."
    return Part(parallel([*map(_column, axes), metric], rows, log.sign > 0), told, 400)


def _column(axis: dict[str, Any]) -> dict[str, Any]:
    name = str(axis["name"]).rpartition(".")[2]
    if axis.get("options"):
        return {"name": name, "type": "category", "data": [str(option) for option in axis["options"]]}
    return {"name": name, "type": "log" if axis.get("scale") == "log" else "value", "scale": True}


def _cell(axis: dict[str, Any], each: Result) -> Any:
    value = (each.get("settings") or {}).get(axis["name"])
    return str(value) if axis.get("options") else value if isinstance(value, int | float) else None


def _slice(log: Log, axis: dict[str, Any], scored: list[Result]) -> Part:
    """Score over one hyper-parameter."""
    name = str(axis["name"])
    pairs = [(_cell(axis, each), each["score"]) for each in scored]
    clouds = {"trials": thinned(*_columns([pair for pair in pairs if pair[0] is not None]))}
    option = points(clouds, name, str(log.head.get("metric", "score")), log=axis.get("scale") == "log")
    return chart(option, f"Score over {name}.", 240)


def _columns(pairs: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    columns = np.array(pairs, float).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]
