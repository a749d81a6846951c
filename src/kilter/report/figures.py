"""Figures of a run, drawn with matplotlib, without a display."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kilter.data.dataset import Part
from kilter.train.run import Run

_TRAIN, _HELD, _BEST = "#9aa0a6", "#1a73e8", "#d93025"


def learning_curves(run: Run) -> Figure:
    """Loss and deciding metric by epoch; the best epoch is marked."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = np.arange(1, len(run.history["loss"]) + 1)
    _curve(left, epochs, run.history["loss"], "training, while learning", _TRAIN)
    if "val_loss" in run.history:
        _curve(left, epochs, run.history["val_loss"], "validation", _HELD)
    left.set(ylabel="loss", yscale="log")
    score = run.history.get(f"val_{run.metric.key}")
    if score is None:
        _curve(right, epochs, run.history["lr"], "learning rate", _TRAIN)
    else:
        _curve(right, epochs, score, f"validation {run.metric.key}", _HELD)
    for axes in (left, right):
        axes.axvline(run.epoch, color=_BEST, linewidth=1, linestyle=":", label=f"best epoch, {run.epoch}")
        axes.set(xlabel="epoch")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    return figure


def _curve(axes: Axes, x: Any, y: Any, label: str, color: str) -> None:
    axes.plot(x, y, color=color, label=label, linewidth=1.8, marker="o" if len(x) < 3 else None)


def confusion(run: Run, part: Part) -> Figure:
    """Rows of each class by predicted class."""
    classes = len(run.classes)
    predicted = run.predict_proba(part).argmax(-1)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (part.y, predicted), 1)
    size = min(8.0, 2.2 + 0.38 * classes)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues", norm="symlog")
    names = [str(name) for name in run.classes]
    axes.set(xlabel="predicted", ylabel="true", xticks=range(classes), yticks=range(classes))
    axes.set_xticklabels(names, rotation=0 if max(map(len, names)) < 3 else 60, ha="center")
    axes.set_yticklabels(names)
    if classes <= 20:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                dark = count > counts.max() ** 0.5
                axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    return figure


def residuals(run: Run, part: Part) -> Figure:
    """Predicted against true values; perfect predictions lie on the line."""
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    truth, predicted = np.ravel(part.y), np.ravel(run.predict(part))
    axes.scatter(truth, predicted, s=14, alpha=0.6, color=_HELD, linewidths=0)
    ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    axes.plot(ends, ends, color=_BEST, linewidth=1)
    axes.set(xlabel="true", ylabel="predicted")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def most_wrong(run: Run, part: Part, side: int, count: int = 10) -> Figure | None:
    """Square pictures whose true class got the least probability, or None where all are right."""
    x, y, chances = part.x, part.y, run.predict_proba(part)
    wrong = np.flatnonzero(chances.argmax(-1) != y)
    if not len(wrong):
        return None
    worst = wrong[np.argsort(chances[wrong, y[wrong]])][:count]
    figure = Figure(figsize=(9, 1.5), layout="constrained")
    for axes, row in zip(np.ravel(figure.subplots(1, count)), worst, strict=False):
        axes.imshow(x[row].reshape(side, side), cmap="gray_r")
        axes.set_title(f"{run.classes[y[row]]} read as {run.classes[chances[row].argmax()]}", fontsize=9)
    for place, axes in enumerate(figure.axes):
        axes.axis("off")
        axes.set_visible(place < len(worst))
    return figure
