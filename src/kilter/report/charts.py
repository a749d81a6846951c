"""Charts of the report as options of Apache ECharts: lines, points, bars and maps."""

import math
from collections.abc import Mapping, Sequence, Sized
from typing import Any

import numpy as np

from kilter.core.thinning import thinned

Array = np.ndarray[Any, Any]
# Told apart by those who see fewer colors, on light and dark ground: Okabe and Ito 2008, Color universal design.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
# From bad to good.
_MERIT = ("#9aa5b1", "#56b4e9", "#d55e00")
# What is only there to compare with.
_GRAY = {"color": "#8a929b", "type": "dashed", "width": 1.5}
# Names and labels of the axes stay inside of the drawing.
GRID = {"left": 6, "right": 24, "top": 40, "bottom": 6, "outerBoundsMode": "same", "outerBoundsContain": "all"}


# Classes up to which a map of counts has its numbers written in, and lines between its cells.
_LABELED, _SPARSE = 14, 60


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
        line = {"symbol": "none", "data": [{"xAxis": mark}], "silent": True, "lineStyle": _GRAY}
        series[0]["markLine"] = line | {"label": {"formatter": "best", "color": "currentColor"}}
    across = axis(x, min="dataMin", max="dataMax", minInterval=1)
    axes = {"xAxis": across, "yAxis": axis(y, log=log, nameGap=44)}
    return _drawn(axes | {"series": series, "tooltip": {"trigger": "axis"}}, each)


def _points(xs: Array, ys: Array, log: bool) -> list[list[float | None]]:
    ys = np.where(np.asarray(ys) > 0, ys, np.nan) if log else np.asarray(ys)
    return [[number(x), number(y)] for x, y in zip(*thinned(np.asarray(xs), ys), strict=True)]


def points(
    each: Mapping[str, tuple[Array, Array]],
    x: str,
    y: str,
    *,
    diagonal: bool = False,
    log: bool = False,
    options: Sequence[str] = (),
) -> dict[str, Any]:
    """Clouds of points by name; with ``diagonal`` the line where both are equal; of ``options`` x is the place."""
    series: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "name": name,
            "symbolSize": 6,
            "itemStyle": {"opacity": 0.85},
            "data": [[number(a), number(b)] for a, b in zip(xs, ys, strict=True)],
        }
        for name, (xs, ys) in each.items()
    ]
    if diagonal:
        every = np.concatenate([np.concatenate(pair) for pair in each.values()])
        ends = [number(np.nanmin(every)), number(np.nanmax(every))]
        series.append(_straight("equal", [[end, end] for end in ends]))
    across = axis(x, log=log) | ({"type": "category", "data": list(options)} if options else {})
    drawn = {"xAxis": across, "yAxis": axis(y, nameGap=44), "series": series, "tooltip": {}}
    return _drawn(drawn | ({} if diagonal else {"grid": GRID | {"top": 12}}), series)


def _straight(name: str, ends: list[list[float | None]]) -> dict[str, Any]:
    line = {
        "type": "line",
        "name": name,
        "showSymbol": False,
        "lineStyle": _GRAY,
        "itemStyle": {"color": _GRAY["color"]},
    }
    return line | {"data": ends, "silent": True, "tooltip": {"show": False}}


def reliability(sure: Array, right: Array, share: Array) -> dict[str, Any]:
    """Share that is right over confidence, larger points for more rows, and the line where both are the same."""
    dots = [
        {"value": [number(a), number(b)], "symbolSize": 6 + 22 * float(part) ** 0.5}
        for a, b, part in zip(sure, right, share, strict=True)
    ]
    name = "this network"
    drawn = {"type": "line", "name": name, "data": dots, "symbol": "circle", "itemStyle": {"opacity": 0.75}, "z": 3}
    series = [drawn, _straight("as sure as right", [[0.0, 0.0], [1.0, 1.0]])]
    ends = {"min": 0, "max": 1, "scale": False}
    axes = {"xAxis": axis("confidence", **ends), "yAxis": axis("share right", nameGap=44, **ends)}
    return _drawn(axes | {"series": series, "tooltip": {}}, series)


def bars(
    names: Sequence[str],
    values: Sequence[float],
    x: str,
    ends: Sequence[tuple[float, float]] = (),
    gray: Sequence[bool] = (),
) -> dict[str, Any]:
    """Lying bars, the first on top; ``ends`` are those of their intervals, ``gray`` are those to compare with."""
    series: list[dict[str, Any]] = [
        {"type": "bar", "name": x, "data": [{"value": number(value)} for value in values], "barMaxWidth": 18}
    ]
    for bar, pale in zip(series[0]["data"], gray, strict=False):
        bar |= {"itemStyle": {"color": _GRAY["color"]}} if pale else {}
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
    drawn = {"xAxis": axis(x, scale=False), "yAxis": category, "series": series, "tooltip": {"trigger": "axis"}}
    return _drawn(drawn | {"grid": GRID | {"top": 10}}, ())


def counts(table: Array, names: Sequence[str], x: str, y: str) -> dict[str, Any]:
    """A square map of counts, strong for many and blank for none; the diagonal in a color of its own."""
    side = {
        "type": "category",
        "data": [_short(name) for name in names],
        "nameLocation": "middle",
        "axisTick": {"show": False},
    }
    side |= {"splitArea": {"show": False}, "splitLine": {"show": len(names) <= _SPARSE}}
    side |= {"axisLabel": {"hideOverlap": True}}
    across = {"name": x, "nameGap": 30, "axisLabel": side["axisLabel"] | {"rotate": 45 if _long(names) else 0}}
    right = np.eye(len(names), dtype=bool)
    label = {"show": len(names) <= _LABELED, "color": "currentColor"}
    series, colors = [], []
    for place, (name, where, color) in enumerate((("right", right, COLORS[0]), ("wrong", ~right, COLORS[1]))):
        cells = [[column, row, int(table[row, column])] for row, column in np.argwhere(where & (table > 0)).tolist()]
        series.append({"type": "heatmap", "name": name, "data": cells, "label": label})
        strength = {"color": [color], "colorAlpha": [0.25, 0.7]}
        most = int(table[where].max(initial=1))
        colors.append({"show": False, "seriesIndex": place, "min": 0, "max": most, "inRange": strength})
    axes = {"xAxis": side | across, "yAxis": side | {"name": y, "nameGap": 46, "inverse": True}}
    return _drawn(axes | {"series": series, "visualMap": colors, "tooltip": {}, "grid": GRID | {"top": 10}}, ())


def _short(name: str, most: int = 16) -> str:
    """Both ends of a long name, as names are told apart by either."""
    return name if len(name) <= most else f"{name[: most // 2 - 1]}...{name[-most // 2 + 1 :]}"


def _long(names: Sequence[str]) -> bool:
    """Whether names do not fit side by side below a map on a phone."""
    return sum(map(len, names)) > 30


def parallel(columns: Sequence[dict[str, Any]], rows: Sequence[Sequence[Any]], higher: bool) -> dict[str, Any]:
    """A line a row across upright axes, colored by the last column; ``higher`` values of it are better, and stand out."""
    scores = [row[-1] for row in rows if row[-1] is not None]
    axes = [{"dim": place} | column for place, column in enumerate(columns)]
    merit = list(_MERIT if higher else _MERIT[::-1])
    colors = {
        "dimension": len(columns) - 1, "min": min(scores), "max": max(scores), "calculable": True, "precision": 4,
        "orient": "horizontal", "left": "center", "bottom": 0, "inRange": {"color": merit},
    }  # fmt: skip
    series = {"type": "parallel", "data": list(map(list, rows)), "lineStyle": {"width": 1.4, "opacity": 0.65}}
    place = {"left": 50, "right": 70, "top": 40, "bottom": 70}
    return _drawn({"parallelAxis": axes, "parallel": place, "series": [series], "visualMap": colors, "tooltip": {}}, ())


def _drawn(option: dict[str, Any], named: Sized) -> dict[str, Any]:
    """With what all charts share, and a legend where several are ``named``; animation would only hide what is there."""
    several = len(named) > 1
    legend = {"top": 4, "type": "scroll"} if several else {"show": False}
    grid = GRID | {"top": 40 if several else 24}
    return {"color": list(COLORS), "grid": grid, "legend": legend, "animation": False} | option
