"""What a search found: the best, how fast it got there, what matters, and all trials at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kilter.metrics import describe
from kilter.report.blocks import Block, Chart, Section, Table, Text
from kilter.report.charts import bars, lines, number, parallel, points
from kilter.search.dimension import Dimension
from kilter.search.importance import LEAST
from kilter.search.study import Study

# Trials of the chart and of the table, hyper-parameters with a picture of their own, and axes of the chart.
_LINES, _ROWS, _SLICES, _AXES = 500, 20, 4, 8


def searched(study: Study) -> Iterator[Section]:
    """The sections; the study has at least one trial with a score."""
    table, best = study.trials, study.best
    table = table[np.isfinite(table["score"])]
    key = study.metric.key
    found = f"The best of {len(study.records)} trials has {key} {describe(best.score)}"
    words = f"{found}; as the best of many it is too good by luck."
    rows = [[str(cell) if not isinstance(cell, float) else describe(cell) for cell in row] for row in _listed(study)]
    yield Section(
        "What was found?", (Text(words, "lead"), Table(["", *study.leaderboard(_ROWS).columns], rows, "Best trials"))
    )
    yield Section("How fast?", (_regret(study, table),))
    if len(study.ranked) >= LEAST:
        yield Section("What matters?", tuple(_important(study, table)))
    yield Section("All trials", (_parallel(study, table),))


def _listed(study: Study) -> Iterator[tuple[Any, ...]]:
    return study.leaderboard(_ROWS).itertuples()


def _regret(study: Study, table: Any) -> Chart:
    so_far = table["score"].cummax() if study.metric.higher_is_better else table["score"].cummin()
    trials = table.index.to_numpy()
    each = {"best so far": (trials, so_far.to_numpy()), "trial": (trials, table["score"].to_numpy())}
    option = lines(each, "trial", f"validation {study.metric.key}")
    option["series"][0] |= {"step": "end", "lineStyle": {"width": 2.5}}
    option["series"][1] |= {"type": "scatter", "symbolSize": 5, "itemStyle": {"opacity": 0.6}}
    return Chart(option, f"Score of each trial, and the best so far: {describe(study.best.score)} at the end.")


def _important(study: Study, table: Any) -> Iterator[Block]:
    importance = study.importance()
    names, shares = (
        list(importance.index),
        [float(value) for value in np.asarray(importance).reshape(len(importance), -1)[:, 0]],
    )
    told = f"Share of the differences in score that each hyper-parameter explains; {names[0]} most."
    yield Chart(bars(names, shares, "importance"), told, height=80 + 26 * len(names))
    for name in names[:_SLICES]:
        dimension = next(each for each in study.space.dimensions if each.name == name)
        if not dimension.options:
            given = table[table[name].notna()]
            clouds = {"trials": (given[name].to_numpy(float), given["score"].to_numpy(float))}
            option = points(clouds, name, study.metric.key, log=dimension.scale == "log")
            yield Chart(option, f"Score over {name}.", height=260)


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
    rows = [
        [*(_cell(dimension, row[dimension.name]) for dimension in chosen), number(row["score"])]
        for _, row in best.iterrows()
    ]
    told = (
        f"A line a trial ({len(rows)} of {len(table)}), colored by its score; drag along an axis to keep some of them."
    )
    return Chart(parallel(columns, rows, len(chosen)), told, height=420)


def _column(dimension: Dimension) -> dict[str, Any]:
    name = dimension.name.rpartition(".")[2] if len(dimension.name) > 24 else dimension.name
    if dimension.options:
        return {"name": name, "type": "category", "data": [str(option) for option in dimension.options]}
    return {"name": name, "type": "log" if dimension.scale == "log" else "value", "scale": True}


def _cell(dimension: Dimension, value: Any) -> Any:
    if dimension.options:
        return str(value)
    return number(value) if value is not None else None
