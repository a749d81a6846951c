"""Statistics of rows that come piece by piece, merged in float64: as good as of all rows at once."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kilter.data.arrays import Array

# Rows and their weights, piece by piece; called anew for every pass.
Pieces = Callable[[], Iterator[tuple[Array, Array | None]]]
# Rows that stand for all of them.
Sample = tuple[Array, Array | None]
_BLOCK = 1024


class Moments:
    """Weighted mean and squares of the distances from it, by the rule of Chan, Golub and LeVeque 1979.

    Args:
        whole: whether products of all pairs of features are wanted, rather than squares of each.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self.weight = 0.0
        self.mean: Any = 0.0
        self.squares: Any = 0.0

    def add(self, x: Array, weights: Array | None) -> None:
        """See rows ``(rows, features)``."""
        for first in range(0, len(x), _BLOCK):  # as many as the cache of a core holds
            own = None if weights is None else weights[first : first + _BLOCK].astype(np.float64)
            self._add(x[first : first + _BLOCK].astype(np.float64), own)

    def _add(self, x: Array, weights: Array | None) -> None:
        weight = float(len(x)) if weights is None else float(weights.sum())
        if not weight:
            return
        share = weight / (self.weight + weight)
        mean = x.mean(0) if weights is None else weights @ x / weight
        x = x - mean
        heavy = x if weights is None else x * weights[:, None]
        apart = mean - self.mean
        both = np.multiply.outer(apart, apart) if self.whole else apart * apart
        self.squares = self.squares + (heavy.T @ x if self.whole else (heavy * x).sum(0)) + both * (self.weight * share)
        self.mean = self.mean + apart * share
        self.weight += weight

    @property
    def variance(self) -> Any:
        """Squares over the weight: variances, or the matrix of covariances."""
        return self.squares / self.weight


def moments_of(pieces: Pieces, rows: Callable[[Array], Array], *, whole: bool = False) -> Moments:
    """The moments of all rows, each brought by ``rows`` into a form ``(rows, features)``."""
    found = Moments(whole=whole)
    for x, weights in pieces():
        flat = rows(x)
        own = None if weights is None else np.repeat(weights, len(flat) // len(x))
        found.add(flat, own)
    return found


def ends_of(pieces: Pieces) -> tuple[Array, Array]:
    """Minimum and maximum of every feature over all rows."""
    low: Any = np.inf
    high: Any = -np.inf
    for x, _ in pieces():
        low, high = np.minimum(low, x.min(0)), np.maximum(high, x.max(0))
    return low, high
