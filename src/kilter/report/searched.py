"""What a search found: the best, how fast it got there, what matters, and all trials at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kilter.metrics import describe
from kilter.report.blocks import Block, Chart, Section, Table, Text
from kilter.report.charts import bars, lines, number, parallel, points
from kilter.report.learned import lead, linear
from kilter.search.dimension import Dimension
from kilter.search.importance import LEAST
from kilter.search.study import Study
from kilter.train.outcome import Outcome

# Trials of the chart and of the table, hyper-parameters with a picture of their own, and axes of the chart.
_LINES, _ROWS, _SLICES, _AXES = 500, 20, 4, 8


def found(study: Study) -> Section:
    """The score of the best trial, against guessing and a linear model where rows are known, and the best trials."""
    key, best = study.metric.key, study.best
    words = f"The best of {len(study.records)} trials has {key} {describe(best.score)} on the rows that decide; "
    words += "as the best of many it is too good by luck."
    known = len(study.data.train) > 0
    against = [Text(lead(best.run, study.data, linear(best.run, study.data)))] if known else []
    board = study.leaderboard(_ROWS)
    order = ["score", *(name for name in board.columns if name not in ("score", "seconds")), "seconds"]
    rows = [
        [str(trial), *map(_cell, row)] for trial, row in zip(board.index, board[order].to_numpy(object), strict=True)
    ]
    table = Table(["trial", key, *order[1:]], rows, "Best trials")
    return Section("What was found?", (Text(words, "lead"), *against, table))


def _cell(value: Any) -> str:
    if isinstance(value, Outcome):
        return value.name.lower()
    return describe(value) if isinstance(value, float) else str(value)


def searched(study: Study) -> Iterator[Section]:
    """How it got there; the study has at least one trial with a score."""
    table = study.trials
    table = table[np.isfinite(table["score"])]
    yield Section("How fast?", tuple(_progress(study, table)))
    if len(study.ranked) >= LEAST:
        yield Section("What matters?", tuple(_important(study, table)))
    yield Section("All trials", (_parallel(study, table),))


def _progress(study: Study, table: Any) -> Iterator[Chart]:
    so_far = (table["score"].cummax() if study.metric.higher_is_better else table["score"].cummin()).to_numpy()
    trials = table.index.to_numpy()
    each = {"best so far": (trials, so_far), "trial": (trials, table["score"].to_numpy())}
    option = lines(each, "trial", f"validation {study.metric.key}")
    option["series"][0] |= {"step": "end", "lineStyle": {"width": 2.5}}
    option["series"][1] |= {"type": "scatter", "symbolSize": 5, "itemStyle": {"opacity": 0.6}}
    yield Chart(option, f"Score of each trial, and the best so far: {describe(study.best.score)} at the end.")
    regret = np.abs(so_far - so_far[-1])
    if (regret > 0).sum() > 1:
        option = lines({"regret": (trials, regret)}, "trial", "regret", log=True)
        option["series"][0] |= {"step": "end"}
        yield Chart(
            option,
            "Regret: how far the best so far was behind the best of all; it ends where that was found.",
            height=220,
        )


def _important(study: Study, table: Any) -> Iterator[Block]:
    importance = study.importance()
    names = list(importance.index)
    shares = [float(value) for value in np.asarray(importance).reshape(len(importance), -1)[:, 0]]
    told = f"Share of the differences in score that each hyper-parameter explains; {names[0]} most."
    yield Chart(bars(names, shares, "importance"), told, height=80 + 26 * len(names))
    for name in names[:_SLICES]:
        dimension = next(each for each in study.space.dimensions if each.name == name)
        yield Chart(_slice(dimension, table, study.metric.key), f"Score over {name}.", height=240, width=640)


def _slice(dimension: Dimension, table: Any, key: str) -> dict[str, Any]:
    """Scores over one hyper-parameter."""
    name, options = dimension.name, [str(option) for option in dimension.options]
    given = table if options else table[table[name].notna()]
    x = given[name].astype(str).map(options.index) if options else given[name]
    clouds = {"trials": (x.to_numpy(float), given["score"].to_numpy(float))}
    return points(clouds, name, key, log=dimension.scale == "log", options=options)


def _parallel(study: Study, table: Any) -> Chart:
    chosen = list(study.space.dimensions)
    if len(study.ranked) >= LEAST:
        order = list(study.importance().index)
        chosen.sort(key=lambda dimension: order.index(dimension.name) if dimension.name in order else len(order))
    chosen = chosen[:_AXES]
    columns = [_column(dimension) for dimension in chosen] + [
        {"name": study.metric.key, "type": "value", "scale": True}
    ]
    best = table.sort_values("score", ascending=not study.metric.higher_is_better).head(_LINES)
    # The best are drawn last, above the others.
    rows = [
        [*(_placed(dimension, row[dimension.name]) for dimension in chosen), number(row["score"])]
        for _, row in best[::-1].iterrows()
    ]
    told = (
        f"A line a trial ({len(rows)} of {len(table)}), colored by its score; drag along an axis to keep some of them."
    )
    return Chart(parallel(columns, rows, study.metric.higher_is_better), told, height=420)


def _column(dimension: Dimension) -> dict[str, Any]:
    name = dimension.name.rpartition(".")[2] if len(dimension.name) > 24 else dimension.name
    if dimension.options:
        return {"name": name, "type": "category", "data": [str(option) for option in dimension.options]}
    return {"name": name, "type": "log" if dimension.scale == "log" else "value", "scale": True}


def _placed(dimension: Dimension, value: Any) -> Any:
    if dimension.options:
        return str(value)
    return number(value) if value is not None else None
