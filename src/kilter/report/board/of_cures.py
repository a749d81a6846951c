"""A cure as its page shows it: what each change gains, with its interval, and what is made of it."""

import math
from typing import Any

from kilter.metrics import describe
from kilter.report.board.log import Log
from kilter.report.board.parts import Part, Table, wordy
from kilter.report.charts import bars, number

# Changes in the chart.
_BARS = 16

Result = dict[str, Any]


def charts(log: Log) -> list[Part]:
    """Gains with their intervals."""
    best = [each for each in _ordered(log) if each.get("kind") != "control"][:_BARS]
    if not best:
        return []
    gains, ends = [each["effect"] for each in best], [(each.get("low"), each.get("high")) for each in best]
    option = bars(
        [_name(each) for each in best],
        gains,
        f"gain in {log.head.get('metric', 'score')}",
        gray=[each.get("kind") in ("random", "reference") for each in best],
    )
    stretches = [
        {"coords": [[number(low), place], [number(high), place]]}
        for place, (low, high) in enumerate(ends)
        if _finite(low) and _finite(high)
    ]
    reach = [end for each in stretches for end in (each["coords"][0][0], each["coords"][1][0])]
    option["xAxis"] |= {"min": min([0.0, *gains, *reach]), "max": max([0.0, *gains, *reach])}
    option["xAxis"]["axisLabel"] = {"hideOverlap": True, "showMinLabel": False, "showMaxLabel": False}
    style = {"width": 2, "opacity": 1}
    option["series"].append(
        {
            "type": "lines",
            "name": "95 % interval",
            "coordinateSystem": "cartesian2d",
            "data": stretches,
            "z": 3,
            "lineStyle": style,
        }
    )
    told = (
        f"Gain of each change over the recipe as it is, on the same seeds, with its 95 % interval: {_name(best[0])} "
        f"{best[0]['effect']:+.3g}."
    )
    return [Part(option | {"legend": {"show": False}}, told, 90 + 30 * len(best))]


def label(log: Log, member: int) -> str:
    """What a curve is called; a cure has none of its own."""
    return f"network {member}"


def table(log: Log, rows: int) -> Table:
    """All changes, those that gain most first."""
    made = [_row(each) for each in _ordered(log)[:rows]]
    return Table(
        ["change", "kind", "score", "gain", "95 % interval", "seeds", "verdict", "settings"], made, len(log.results)
    )


def _ordered(log: Log) -> list[Result]:
    known = [each for each in log.results.values() if _finite(each.get("effect"))]
    return sorted(known, key=lambda each: -each["effect"])


def _row(each: Result) -> list[str]:
    control = each.get("kind") == "control"
    bounded = _finite(each.get("low")) and _finite(each.get("high"))
    interval = f"{each['low']:+.3g} to {each['high']:+.3g}" if bounded and not control else ""
    gain = "" if control else f"{each['effect']:+.3g}"
    score = describe(each["score"]) if _finite(each.get("score")) else ""
    verdict = "" if control else str(each.get("verdict", "not proved yet"))
    return [
        _name(each),
        str(each.get("kind", "")),
        score,
        gain,
        interval,
        str(each.get("pairs", "")),
        verdict,
        wordy(each.get("settings")),
    ]


def _name(each: Result) -> str:
    return str(each.get("change") or wordy(each.get("settings")) or each.get("kind", ""))


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
