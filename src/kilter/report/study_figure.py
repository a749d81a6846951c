"""The figure of a study: scores over trials with the best so far, and the hyper-parameters that matter most."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kilter.report.range_curve import write
from kilter.search.importance import LEAST
from kilter.search.study import Study

_TRIAL, _BEST = "#7f7f7f", "#0072b2"
# Hyper-parameters that a picture has room for.
_SHOWN = 3


def study_figure(study: Study, path: str | Path | None = None) -> Figure:
    """Score of each trial with the best so far, and score over each of the three most important hyper-parameters.

    Args:
        study: made by `kilter.search`, with at least one trial that has a score.
        path: where to write the picture too, as its ending says (``.png``, ``.svg``, ``.pdf``).

    Raises:
        InputError: no trial has a score.
        FileError: the picture cannot be written.
    """
    best, table = study.best.score, study.trials
    table = table[np.isfinite(table["score"])]
    names = list(study.importance().index[:_SHOWN]) if len(study.ranked) >= LEAST else []
    figure = Figure(figsize=(4 * (1 + len(names)), 3.4), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(names), squeeze=False, sharey=True)[0]
    higher = study.metric.higher_is_better
    so_far = table["score"].cummax() if higher else table["score"].cummin()
    first.plot(table.index, table["score"], "o", color=_TRIAL, markersize=4, label="trial", alpha=0.7)
    first.step(table.index, so_far, where="post", color=_BEST, label=f"best so far, {best:.4g}")
    first.set(xlabel="trial", ylabel=f"validation {study.metric.key}")
    first.legend(frameon=False)
    for axes, name in zip(others, names, strict=True):
        _over(axes, table, name, study)
    for axes in (first, *others):
        axes.spines[["top", "right"]].set_visible(False)
    if path is not None:
        write(figure, Path(path))
    return figure


def _over(axes: Any, table: Any, name: str, study: Study) -> None:
    """Score over one hyper-parameter, on its own scale where that is a range."""
    dimension = next(each for each in study.space.dimensions if each.name == name)
    present = table[table[name].notna()] if None not in dimension.options else table
    if dimension.options:
        options = [str(option) for option in dimension.options]
        places = np.array([options.index(str(value)) for value in present[name]], float)
        # Trials of the same choice stand beside each other, so that none hides another.
        axes.plot(
            places + np.linspace(-0.2, 0.2, len(places)), present["score"], "o", color=_TRIAL, markersize=4, alpha=0.7
        )
        axes.set_xticks(range(len(options)), [option[:16] for option in options])
    else:
        axes.plot(present[name].astype(float), present["score"], "o", color=_TRIAL, markersize=4, alpha=0.7)
    axes.set(xlabel=name)
    if dimension.scale == "log":
        axes.set_xscale("log")
