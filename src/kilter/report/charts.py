"""Charts of the report as options of Apache ECharts: lines, points, bars and maps."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilter.report.thinning import thinned

Array = np.ndarray[Any, Any]
# Told apart by those who see fewer colors, on light and dark ground: Okabe and Ito 2008, Color universal design.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
# Names and labels of the axes stay inside of the drawing.
_GRID = {"left": 6, "right": 24, "top": 40, "bottom": 6, "outerBoundsMode": "same", "outerBoundsContain": "all"}


def number(value: Any) -> float | None:
    """A number that JSON can hold."""
    value = float(value)
    return value if math.isfinite(value) else None


def axis(name: str, *, log: bool = False, **given: Any) -> dict[str, Any]:
    """An axis of numbers with its name in the middle."""
    kind = {"type": "log" if log else "value", "name": name, "nameLocation": "middle", "nameGap": 26}
    return kind | {"scale": True, "axisLabel": {"hideOverlap": True}} | given


def lines(
    each: Mapping[str, tuple[Array, Array]], x: str, y: str, *, log: bool = False, mark: float | None = None
) -> dict[str, Any]:
    """Lines by name, each of x and y; long ones are thinned so that peaks stay.

    Args:
        each: lines.
        x: name of the axis.
        y: name of the axis.
        log: whether y is logarithmic; what is not above zero is left out.
        mark: where a vertical line stands.
    """
    series = [
        {"type": "line", "name": name, "data": _points(xs, ys, log), "showSymbol": len(xs) < 3, "symbolSize": 5}
        for name, (xs, ys) in each.items()
    ]
    if mark is not None and series:
        line = {
            "symbol": "none",
            "data": [{"xAxis": mark}],
            "label": {"formatter": "best"},
            "lineStyle": {"type": "dotted"},
        }
        series[0]["markLine"] = line | {"silent": True}
    axes = {"xAxis": axis(x, min="dataMin", max="dataMax"), "yAxis": axis(y, log=log, nameGap=44)}
    return _drawn(axes | {"series": series, "legend": {"top": 4, "type": "scroll"}, "tooltip": {"trigger": "axis"}})


def _points(xs: Array, ys: Array, log: bool) -> list[list[float | None]]:
    ys = np.where(np.asarray(ys) > 0, ys, np.nan) if log else np.asarray(ys)
    return [[number(x), number(y)] for x, y in zip(*thinned(np.asarray(xs), ys), strict=True)]


def points(
    each: Mapping[str, tuple[Array, Array]], x: str, y: str, *, diagonal: bool = False, log: bool = False
) -> dict[str, Any]:
    """Clouds of points by name; with ``diagonal`` the line where both are the same."""
    series: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "name": name,
            "symbolSize": 6,
            "itemStyle": {"opacity": 0.7},
            "data": [[number(a), number(b)] for a, b in zip(xs, ys, strict=True)],
        }
        for name, (xs, ys) in each.items()
    ]
    if diagonal:
        every = np.concatenate([np.concatenate(pair) for pair in each.values()])
        ends = [number(np.nanmin(every)), number(np.nanmax(every))]
        line = {"type": "line", "name": "equal", "showSymbol": False, "lineStyle": {"type": "dotted"}}
        series.append(line | {"data": [[end, end] for end in ends]})
    axes = {"xAxis": axis(x, log=log), "yAxis": axis(y, nameGap=44)}
    return _drawn(
        axes | {"series": series, "tooltip": {}, "legend": {"top": 4} if len(series) > 1 else {"show": False}}
    )


def bars(
    names: Sequence[str], values: Sequence[float], x: str, ends: Sequence[tuple[float, float]] = ()
) -> dict[str, Any]:
    """Lying bars, the first on top; ``ends`` are those of their intervals."""
    series: list[dict[str, Any]] = [
        {"type": "bar", "name": x, "data": [number(value) for value in values], "barMaxWidth": 18}
    ]
    if ends:
        series.append(
            {"name": "interval", "kilter": "interval", "data": [[number(low), number(high)] for low, high in ends]}
        )
    category = {
        "type": "category",
        "data": list(names),
        "inverse": True,
        "axisLabel": {"width": 230, "overflow": "truncate"},
    }
    return _drawn({"xAxis": axis(x), "yAxis": category, "series": series, "tooltip": {"trigger": "axis"}})


def counts(table: Array, names: Sequence[str], x: str, y: str) -> dict[str, Any]:
    """A square map of counts; dark is many."""
    cells = [[column, row, int(count)] for (row, column), count in np.ndenumerate(table)]
    side = {"type": "category", "data": list(names), "nameLocation": "middle", "splitArea": {"show": True}}
    series = {"type": "heatmap", "name": "rows", "data": cells, "label": {"show": len(names) <= 12}}
    colors = {"show": False, "min": 0, "max": int(table.max()), "inRange": {"color": ["#f2f7fb", "#56b4e9", "#00426b"]}}
    axes = {"xAxis": side | {"name": x, "nameGap": 30}, "yAxis": side | {"name": y, "nameGap": 46, "inverse": True}}
    return _drawn(axes | {"series": [series], "visualMap": colors, "tooltip": {}})


def parallel(columns: Sequence[dict[str, Any]], rows: Sequence[Sequence[Any]], score: int) -> dict[str, Any]:
    """A line a row across upright axes; colored by the column ``score``."""
    scores = [row[score] for row in rows if row[score] is not None]
    axes = [{"dim": place} | column for place, column in enumerate(columns)]
    colors = {
        "dimension": score, "min": min(scores), "max": max(scores), "calculable": True, "orient": "horizontal",
        "left": "center", "bottom": 0, "inRange": {"color": ["#440154", "#31688e", "#35b779", "#fde725"]}, "precision": 4,
    }  # fmt: skip
    series = {"type": "parallel", "data": list(map(list, rows)), "lineStyle": {"width": 1.4, "opacity": 0.6}}
    place = {"left": 50, "right": 70, "top": 40, "bottom": 70}
    return _drawn({"parallelAxis": axes, "parallel": place, "series": [series], "visualMap": colors, "tooltip": {}})


def _drawn(option: dict[str, Any]) -> dict[str, Any]:
    """With what all charts share; animation would only hide what is there."""
    return {"color": list(COLORS), "grid": _GRID, "animation": False} | option
