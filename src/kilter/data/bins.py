"""Edges of bins at quantiles of the features."""

from typing import Any

import numpy as np

from kilter.core.errors import InputError
from kilter.data import arrays


def quantile_bins(x: Any, count: int) -> tuple[tuple[float, ...], ...]:
    """Edges of up to ``count`` bins for each feature, at the quantiles 0, 1 / count, ..., 1; equal edges are one.

    Give it training rows alone, scaled as the network sees them. Gorishniy, Rubachev and Babenko 2022, section 3.2.1.

    Args:
        x: training rows ``(rows, features)``.
        count: bins of each feature; fewer where values repeat, and one of width 1 where a feature is constant.

    Returns:
        Ascending edges for each feature, as `kilter.nn.Bins` takes them.

    Raises:
        InputError: x is no array of rows, or ``count`` is below 1.

    >>> from kilter import nn
    >>> edges = quantile_bins([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]], 2)
    >>> edges
    ((0.0, 1.0, 2.0), (5.0, 6.0))
    >>> nn.PiecewiseLinearEmbedding(*map(nn.Bins, edges)).expanded()
    2
    """
    rows = arrays.features(x)
    if rows.ndim != 2:
        raise InputError(f"x has shape {rows.shape}; quantile bins are for rows of features")
    if not isinstance(count, int | np.integer) or count < 1:
        raise InputError(f"count must be a whole number of at least 1, got {count!r}")
    found = np.quantile(rows.astype(np.float64), np.linspace(0, 1, count + 1), axis=0).astype(np.float32)
    return tuple(_ascending(edges) for edges in found.T)


def _ascending(edges: arrays.Array) -> tuple[float, ...]:
    different = np.unique(edges)
    if len(different) == 1:
        different = np.array([different[0], different[0] + max(1.0, np.spacing(np.abs(different[0])))])
    return tuple(float(edge) for edge in different)
