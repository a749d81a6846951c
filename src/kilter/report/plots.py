"""Pictures of all objects, drawn with matplotlib, without a display: what their ``plot()`` gives."""

from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kilter.core.errors import InputError
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import Cure
from kilter.report.range_curve import range_curve, write
from kilter.report.study_figure import study_figure
from kilter.search.study import Study
from kilter.train.range_test import RangeTest
from kilter.train.run import Run
from kilter.train.runs import Runs
from kilter.vitals.trace import Trace

Array = np.ndarray[Any, Any]
_TRAIN, _HELD, _BEST = "#7f7f7f", "#0072b2", "#d55e00"
# Vitals with a map each: of layers, then of parameter arrays; whether colors are logarithmic.
_SIGNALS = (("std", "spread", True), ("zero", "share zero", False), ("backward", "gradient, rms", True))
_WEIGHTS = (("update", "update / weight", True),)
# Changes and runs that a picture has room for.
_CHANGES, _RUNS = 20, 40


def plot(subject: Any, path: str | Path | None = None) -> Figure:
    """The picture of an object, also written to ``path``."""
    figure = drawn(subject)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    if path is not None:
        write(figure, Path(path))
    return figure


@singledispatch
def drawn(subject: Any) -> Figure:
    """The picture of an object."""
    raise InputError(f"there is no picture of a {type(subject).__name__}")


def _row(count: int, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.5 * count, height), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _epochs(line: Array) -> Array:
    return np.arange(1, len(line) + 1)


@drawn.register
def _(run: Run) -> Figure:
    """Loss and deciding metric by epoch; the best epoch is marked."""
    if not len(run.history["loss"]):
        raise InputError("a run of no epochs has no curves to draw")
    figure, (left, right) = _row(2)
    left.plot(_epochs(run.history["loss"]), run.history["loss"], color=_TRAIN, label="training, while learning")
    if "val_loss" in run.history:
        left.plot(_epochs(run.history["val_loss"]), run.history["val_loss"], color=_HELD, label="validation")
    left.set(ylabel="loss", yscale="log" if np.nanmin(run.history["loss"]) > 0 else "linear")
    name = f"val_{run.metric.key}" if f"val_{run.metric.key}" in run.history else "lr"
    right.plot(_epochs(run.history[name]), run.history[name], color=_HELD, label=name.replace("val_", "validation "))
    for axes in (left, right):
        axes.axvline(run.epoch, color=_BEST, linewidth=1, linestyle=":", label=f"best epoch, {run.epoch}")
        axes.set(xlabel="epoch")
        axes.legend(frameon=False)
    return figure


@drawn.register
def _(runs: Runs) -> Figure:
    """Loss and validation loss of all runs over each other; dark is good."""
    if not runs:
        raise InputError("there are no runs to draw")
    sign = 1.0 if runs[0].metric.higher_is_better else -1.0
    ranked = sorted(runs, key=lambda run: -np.nan_to_num(sign * run.score, nan=-np.inf))[:_RUNS]
    names = [name for name in ("loss", "val_loss") if name in ranked[0].history]
    figure, every = _row(len(names))
    for axes, name in zip(every, names, strict=True):
        for place, run in reversed(list(enumerate(ranked))):
            shade = 0.15 + 0.85 * (1 - place / len(ranked))
            axes.plot(_epochs(run.history[name]), run.history[name], color=_HELD, alpha=shade, linewidth=1)
        axes.set(
            xlabel="epoch",
            ylabel=f"{name.replace('val_', 'validation ')}; dark: best {runs[0].metric.key}",
            yscale="log",
        )
    return figure


@drawn.register
def _(trace: Trace) -> Figure:
    """The signal through the net: layers across, records down."""
    maps = [
        (label, log, np.asarray(getattr(part, name), float), places)
        for part, shown, places in ((trace.signals, _SIGNALS, trace.layers), (trace.weights, _WEIGHTS, trace.arrays))
        for name, label, log in shown
        if getattr(part, name) is not None and places
    ]
    if not maps:
        raise InputError("nothing of layers and weights was watched, so there is nothing to draw")
    figure, every = _row(len(maps), 4.2)
    for axes, (label, log, values, places) in zip(every, maps, strict=True):
        _map(axes, np.where(values > 0, values, np.nan) if log else values, label, log, places, trace.epochs)
    return figure


def _map(axes: Axes, values: Array, label: str, log: bool, places: tuple[str, ...], epochs: Array) -> None:
    picture = axes.imshow(values, aspect="auto", norm="log" if log and np.isfinite(values).any() else "linear")
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(picture, ax=axes, location="top", label=label)
    ticks = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), 8)).astype(int))
    axes.set(ylabel="epoch", yticks=ticks, yticklabels=[str(epochs[tick]) for tick in ticks])
    axes.set_xticks(range(len(places)), places, rotation=60, ha="right", fontsize=8)


@drawn.register
def _(checkup: Checkup) -> Figure:
    """Loss of what was examined and of the reference, one line a seed."""
    course, reference = checkup.chart.course, checkup.chart.reference
    if course is None or not course.epochs:
        raise InputError("nothing was trained in this checkup, so there is nothing to draw")
    figure, (axes,) = _row(1, 3.8)
    for one, color, name in ((reference, _TRAIN, "an ordinary network"), (course, _BEST, "this network")):
        for place, line in enumerate(one.history["loss"] if one is not None else ()):
            axes.plot(_epochs(line), line, color=color, label=name if place == 0 else None)
    axes.set(xlabel="epoch", ylabel="loss of training", yscale="log")
    axes.set_title(str(checkup.cause or checkup.verdict), fontsize=10)
    axes.legend(frameon=False)
    return figure


@drawn.register
def _(cure: Cure) -> Figure:
    """Gain of each change with its interval, the largest on top."""
    tried = [row for row in cure.rows if row["kind"] not in ("control", "reference")]
    if not tried:
        raise InputError("nothing was tried in this cure, so there is nothing to draw")
    tried = sorted(tried, key=lambda row: -row["effect"])[:_CHANGES][::-1]
    figure = Figure(figsize=(8, 1 + 0.3 * len(tried)), layout="constrained")
    axes, mean = figure.subplots(), np.array([row["effect"] for row in tried])
    ends = np.clip([[row[end] for row in tried] for end in ("low", "high")], -1e6, 1e6)
    colors = [_TRAIN if row["kind"] == "random" else _HELD for row in tried]
    axes.barh([f"{row['change']}  {place}" for place, row in enumerate(tried)], mean, color=colors)
    axes.set_yticks(range(len(tried)), [row["change"][:48] for row in tried], fontsize=8)
    axes.errorbar(mean, range(len(tried)), xerr=np.abs(ends - mean), fmt="none", ecolor="black", linewidth=1)
    axes.set(xlabel=f"gain in {cure.metric}, 95 % interval; gray: at random")
    return figure


@drawn.register
def _(study: Study) -> Figure:
    return study_figure(study)


@drawn.register
def _(test: RangeTest) -> Figure:
    return range_curve(test)
