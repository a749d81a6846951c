"""Several runs: all scores, all curves over each other, and what differs between them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilter.metrics import describe
from kilter.report.blocks import Chart, Section, Table, Text
from kilter.report.charts import COLORS, lines
from kilter.report.evidence import wide
from kilter.train.outcome import Outcome
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.runs import differences

Array = np.ndarray[Any, Any]
# Runs whose curves are drawn over each other, and rows of the table.
_OVERLAID, _LISTED = 40, 200


def ranked(runs: Sequence[Run]) -> list[Run]:
    """The runs, best first; those that diverged come last."""
    sign = 1.0 if runs[0].metric.higher_is_better else -1.0
    return sorted(runs, key=lambda run: -np.nan_to_num(sign * run.score, nan=-np.inf))


def scores(runs: Sequence[Run], names: Mapping[int, str]) -> Section:
    """Did they learn: the best, the middle one, and a table of all; ``names`` are those of runs by their identity."""
    metric, best = runs[0].metric.key, runs[0]
    known = [run.score for run in runs if np.isfinite(run.score)]
    middle = f"; the middle one {describe(np.median(known))}" if len(known) > 1 else ""
    lost = sum(run.outcome is Outcome.DIVERGED for run in runs)
    which = "The only run" if len(runs) == 1 else f"The best of {len(runs)} runs"
    words = f"{which} has {metric} {describe(best.score)} on the rows that decide{middle}."
    words += f" {lost} of them diverged." if lost else ""
    own = differences([run.recipe for run in runs])
    fields = list(own[0])
    rows = [
        [names.get(id(run), str(place)), describe(run.score), run.outcome.name.lower(), str(run.seed)]
        + [_shown(each[field]) for field in fields]
        for place, (run, each) in enumerate(zip(runs[:_LISTED], own, strict=False), 1)
    ]
    left = "" if len(runs) <= _LISTED else f", the first {_LISTED}"
    table = Table(["run" if names else "rank", metric, "outcome", "seed", *fields], rows, f"All runs, best first{left}")
    return Section("Did they learn?", (Text(words, "lead"), table))


def overlaid(runs: Sequence[Run]) -> Section | None:
    """Curves of the best runs; runs of the same recipe share a color and a name, which hides and shows them."""
    shown = [run for run in runs[:_OVERLAID] if len(run.history["loss"])]
    charts = [chart for name in ("loss", f"val_{runs[0].metric.key}") if (chart := _overlay(shown, name)) is not None]
    return Section("How they learned", tuple(charts)) if charts else None


def _overlay(runs: Sequence[Run], name: str) -> Chart | None:
    drawn = [run for run in runs if name in run.history]
    if not drawn:
        return None
    told = name.replace("val_", "validation ")
    each = {
        str(place): (np.arange(1, len(run.history[name]) + 1), run.history[name]) for place, run in enumerate(drawn)
    }
    option = lines(each, "epoch", told, log=name == "loss" and wide(each))
    told_apart = labels([run.recipe for run in drawn])
    names = [label or f"seed {run.seed}" for run, label in zip(drawn, told_apart, strict=True)]
    colors = {label: COLORS[place % len(COLORS)] for place, label in enumerate(dict.fromkeys(names))}
    for series, label in zip(option["series"], names, strict=True):
        series |= {"name": label, "itemStyle": {"color": colors[label]}, "lineStyle": {"width": 1.5, "opacity": 0.8}}
    words = f"{told[0].upper()}{told[1:]} by epoch of the {len(drawn)} best runs; press a name to hide its runs."
    return Chart(option, words, height=380)


def labels(recipes: Sequence[Recipe]) -> list[str]:
    """What sets each recipe apart from the others; empty where nothing does."""
    return [_label(each) for each in differences(recipes)]


def _label(own: Mapping[str, Any]) -> str:
    told = ", ".join(f"{path.rpartition('.')[2]} {_shown(value)}" for path, value in own.items() if value is not None)
    return told if len(told) < 60 else f"{told[:58]}..."


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
