"""Long lines with fewer points: of each stretch the lowest and the highest stay, so that no peak is lost."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Points of a line that a screen can show.
MOST = 1000


def thinned(x: Array, y: Array, most: int = MOST) -> tuple[Array, Array]:
    """At most ``most`` points of a line ``(n,)``: the first, the last, and the lowest and the highest of equal stretches.

    What is not finite is kept where a stretch has nothing else.

    >>> x, y = thinned(np.arange(1000), np.r_[np.zeros(500), 9.0, np.zeros(499)], most=10)
    >>> len(x) <= 10, float(y.max())
    (True, 9.0)
    """
    if len(x) <= most:
        return x, y
    stretches = max((most - 2) // 2, 1)
    width = -(-len(y) // stretches)
    table = np.full((stretches, width), np.nan)
    table.ravel()[: len(y)] = y
    finite, starts = np.isfinite(table), np.arange(stretches) * width
    lowest = starts + np.where(finite, table, np.inf).argmin(1)
    highest = starts + np.where(finite, table, -np.inf).argmax(1)
    chosen = np.unique(np.r_[0, lowest, highest, len(y) - 1])
    chosen = chosen[chosen < len(y)]
    return x[chosen], y[chosen]


def extremes(x: Array, y: Array, width: int) -> tuple[Array, Array]:
    """Of all finite points whose x lie in one stretch of this width the lowest and the highest, in order.

    >>> extremes(np.arange(6), np.array([3.0, 1.0, 2.0, 5.0, np.nan, 5.0]), 3)
    (array([0, 1, 3, 5]), array([3., 1., 5., 5.]))
    """
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    stretch = x // width
    order = np.lexsort((y, stretch))
    last = np.flatnonzero(np.diff(stretch[order], append=-1))
    first = np.r_[0, last[:-1] + 1] if len(last) else last
    chosen = np.unique(np.r_[order[first], order[last]])
    return x[chosen], y[chosen]
