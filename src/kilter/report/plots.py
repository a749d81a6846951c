"""Pictures of all objects, drawn with matplotlib, without a display: what their ``plot()`` gives."""

from functools import singledispatch
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from kilter.core.errors import InputError
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import Cure
from kilter.ensembles import Ensemble
from kilter.report.charts import COLORS
from kilter.report.judged_figures import folds_figure, members_figure, spread_figure
from kilter.report.range_curve import range_curve, write
from kilter.report.several import labels, ranked
from kilter.report.study_figure import study_figure
from kilter.search.study import Study
from kilter.train.cross_validation import CrossValidation
from kilter.train.prediction import Prediction
from kilter.train.range_test import RangeTest
from kilter.train.run import Run
from kilter.train.runs import Runs
from kilter.vitals.trace import Trace

Array = np.ndarray[Any, Any]
_TRAIN, _HELD, _BEST = "#7f7f7f", "#0072b2", "#d55e00"
# Vitals with a map each: of layers, then of parameter arrays; whether colors are logarithmic.
_SIGNALS = (
    ("mean", "mean", False),
    ("std", "spread", True),
    ("dead", "dead units", False),
    ("saturated", "saturated inputs", False),
    ("backward", "back-propagated gradient, rms", True),
)
_WEIGHTS = (("update", "update / weight", True),)
_BOUNDED = ("dead units", "saturated inputs")
# Changes, runs, recipes, maps side by side and names below a map that a picture has room for.
_CHANGES, _RUNS, _NAMED, _ACROSS, _PLACES = 20, 40, 10, 3, 20
# What a column of a paper takes: small type, thin frames, colors that all can tell apart.
_STYLE: Any = {
    "font.size": 9, "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7, "lines.linewidth": 1.4,
    "legend.fontsize": 8.5, "axes.prop_cycle": cycler(color=COLORS), "figure.dpi": 120,
}  # fmt: skip


def plot(subject: Any, path: str | Path | None = None) -> Figure:
    """The picture of an object, also written to ``path``."""
    with matplotlib.rc_context(_STYLE):
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
    left.set(ylabel="loss", yscale=_scale(run.history["loss"]))
    name = f"val_{run.metric.key}" if f"val_{run.metric.key}" in run.history else "lr"
    told = "learning rate" if name == "lr" else name.replace("val_", "validation ")
    right.plot(_epochs(run.history[name]), run.history[name], color=_HELD)
    right.set(ylabel=told)
    for axes in (left, right):
        axes.axvline(run.epoch, color=_BEST, linewidth=1, linestyle=":", label=f"best epoch, {run.epoch}")
        _by_epoch(axes)
    left.legend(frameon=False)
    return figure


def _by_epoch(axes: Axes) -> None:
    axes.set(xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))


def _scale(*every: Array) -> str:
    """Logarithmic where nothing would be left out and it shows more."""
    seen = np.concatenate([np.ravel(each) for each in every])
    seen = seen[np.isfinite(seen)]
    return "log" if len(seen) and seen.min() > 0 and seen.max() > 10 * seen.min() else "linear"


@drawn.register
def _(runs: Runs) -> Figure:
    """Loss and validation loss of all runs over each other, a color a recipe, the best first."""
    if not runs:
        raise InputError("there are no runs to draw")
    best = [run for run in ranked(runs) if len(run.history["loss"])][:_RUNS]
    if not best:
        raise InputError("runs of no epochs have no curves to draw")
    names = [name for name in ("loss", "val_loss") if name in best[0].history]
    told = labels([run.recipe for run in best])
    colors = {label: COLORS[place % len(COLORS)] for place, label in enumerate(dict.fromkeys(told))}
    figure, every = _row(len(names))
    for axes, name in zip(every, names, strict=True):
        for run, label in zip(best, told, strict=True):
            axes.plot(_epochs(run.history[name]), run.history[name], color=colors[label], alpha=0.8, linewidth=1.2)
        axes.set(ylabel=name.replace("val_", "validation "), yscale=_scale(*(run.history[name] for run in best)))
        _by_epoch(axes)
    if 1 < len(colors) <= _NAMED:
        lines = [Line2D([], [], color=color) for color in colors.values()]
        figure.legend(lines, list(colors), frameon=False, loc="outside upper center", ncols=4)
    return figure


@drawn.register
def _(trace: Trace) -> Figure:
    """The signal through the net: layers across, records down."""
    maps = [
        (label, log, np.asarray(getattr(part, name), float), places)
        for part, shown, places in ((trace.signals, _SIGNALS, trace.layers), (trace.weights, _WEIGHTS, trace.arrays))
        for name, label, log in shown
        if getattr(part, name) is not None and places and np.isfinite(getattr(part, name)).any()
    ]
    if not maps:
        raise InputError("nothing of layers and weights was watched, so there is nothing to draw")
    down = -(-len(maps) // _ACROSS)
    figure = Figure(figsize=(3.4 * min(len(maps), _ACROSS), 3.6 * down), layout="constrained")
    every = figure.subplots(down, min(len(maps), _ACROSS), squeeze=False).ravel()
    for axes, (label, log, values, places) in zip(every, maps, strict=False):
        _map(axes, np.where(values > 0, values, np.nan) if log else values, label, log, places, trace.epochs)
    for axes in every[len(maps) :]:
        axes.remove()
    return figure


def _colors(values: Array, label: str, log: bool) -> dict[str, Any]:
    """Logarithmic, from 0 to 1, or both ways around zero."""
    if log:
        return {"norm": LogNorm()} if np.isfinite(values).any() else {}
    if label in _BOUNDED:
        return {"norm": Normalize(0.0, 1.0)}
    far = float(np.nanmax(np.abs(values)))
    return {"norm": Normalize(-far, far), "cmap": "RdBu_r"}


def _map(axes: Axes, values: Array, label: str, log: bool, places: tuple[str, ...], epochs: Array) -> None:
    picture = axes.imshow(values, aspect="auto", **_colors(values, label, log))
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(picture, ax=axes, location="top", label=label)
    bar.minorticks_off()
    if log and picture.norm.vmin is not None and picture.norm.vmax is not None:
        bar.set_ticks(
            marks := np.geomspace(picture.norm.vmin, picture.norm.vmax, 3).tolist(),
            labels=[f"{mark:.2g}" for mark in marks],
        )
    ticks = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), 8)).astype(int))
    axes.set(ylabel="epoch", yticks=ticks, yticklabels=[str(epochs[tick]) for tick in ticks])
    step = -(-len(places) // _PLACES)
    axes.set_xticks(
        range(0, len(places), step), places[::step], rotation=60, ha="right", rotation_mode="anchor", fontsize=8
    )


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
    shown = [one.history["loss"] for one in (course, reference) if one is not None]
    axes.set(ylabel="loss of training", yscale=_scale(*shown))
    _by_epoch(axes)
    axes.set_title(str(checkup.cause or checkup.verdict).replace("_", " "), fontsize=10)
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
    places = np.arange(len(tried))
    axes.barh(places, mean, color=colors, height=0.7)
    axes.errorbar(mean, places, xerr=np.abs(ends - mean), fmt="none", ecolor="black", linewidth=0.9, capsize=2)
    axes.axvline(0, color="black", linewidth=0.7)
    axes.set_yticks(places, [_short(row["change"]) for row in tried], fontsize=8)
    # The interval of two seeds can be wider than all that is to be seen.
    low, high = min(0.0, float(mean.min())), max(0.0, float(mean.max()))
    room = 0.35 * (high - low) or 1.0
    axes.set(xlim=(low - room, high + room), xlabel=f"gain in {cure.metric}, 95 % interval; gray: at random")
    return figure


def _short(words: str, most: int = 52) -> str:
    return words if len(words) <= most else f"{words[: most - 3]}..."


@drawn.register
def _(study: Study) -> Figure:
    return study_figure(study)


@drawn.register
def _(test: RangeTest) -> Figure:
    return range_curve(test)


@drawn.register
def _(found: CrossValidation) -> Figure:
    return folds_figure(found)


@drawn.register
def _(both: Ensemble) -> Figure:
    return members_figure(both)


@drawn.register
def _(told: Prediction) -> Figure:
    return spread_figure(told)
