"""Histograms of the layers of a network one below the other, as ridges."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# Height of a ridge, where the next one stands 1 below.
_HEIGHT = 0.6


def ridges(axes: Any, values: Sequence[Any], edges: Any, told: Sequence[str]) -> None:
    """Draw one histogram an array, each as high as its highest bin, the first on top.

    Heights are roots of shares, so that a narrow peak leaves the rest to be seen.

    Args:
        axes: of matplotlib.
        values: arrays of any shape.
        edges: of the bins; what is beyond is left out.
        told: words above each.
    """
    from matplotlib import colormaps  # takes long to import

    colors = colormaps["viridis"](np.linspace(0.0, 0.8, len(values)))
    for place, (each, words) in enumerate(zip(values, told, strict=True), 1):
        counts = np.histogram(each, edges)[0]
        heights = _HEIGHT * np.sqrt(counts / max(counts.max(), 1))
        axes.stairs(place - heights, edges, baseline=place, fill=True, color=colors[place - 1])
        axes.axhline(place, color="0.8", linewidth=0.6, zorder=0)
        axes.text(0.98, place - 0.8, words, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=9)
    axes.set(ylim=(len(values) + 0.1, 0.1), xlim=(edges[0], edges[-1]), yticks=range(1, len(values) + 1))
