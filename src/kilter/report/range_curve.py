"""The figure of a learning-rate range test."""

import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kilter.core import files
from kilter.train.range_test import RangeTest

_RAW, _SMOOTH, _RATE = "#7f7f7f", "#0072b2", "#d55e00"


def range_curve(test: RangeTest, path: str | Path | None = None) -> Figure:
    """Loss over the learning rate, a line for each seed, with the range and the suggestion.

    Args:
        test: made by `kilter.lr_range_test`.
        path: where to write the picture too, as its ending says (``.png``, ``.svg``, ``.pdf``).

    Raises:
        FileError: the picture cannot be written.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for raw, smooth in zip(test.losses, test.smoothed, strict=True):
        axes.plot(test.rates, raw, color=_RAW, linewidth=0.6, alpha=0.5)
        axes.plot(test.rates, smooth, color=_SMOOTH, linewidth=1.8)
    # What stands right of the least loss would press the rest flat.
    shown = test.losses[np.isfinite(test.losses)]
    if len(shown):
        top = 1.5 * float(np.nanmax(test.losses[:, 0]))
        axes.set_ylim(min(0.0, float(shown.min())), top if top > 0 else None)
    if np.isfinite(test.suggestion):
        axes.axvspan(test.low, test.high, color=_SMOOTH, alpha=0.1, label=f"range, {test.low:.2g} to {test.high:.2g}")
        axes.axvline(test.suggestion, color=_RATE, linestyle=":", label=f"suggestion, {test.suggestion:.2g}")
        axes.legend(frameon=False, loc="lower left")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed (gray: as it was)")
    axes.spines[["top", "right"]].set_visible(False)
    if path is not None:
        write(figure, Path(path))
    return figure


def write(figure: Figure, path: Path) -> None:
    """Write a picture as the ending of its name says."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:] or "png", dpi=160)
    files.write(path, buffer.getvalue())
