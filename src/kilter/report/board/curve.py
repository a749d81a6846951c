"""Numbers by epoch in bounded space: beyond the bound, of each stretch the lowest and the highest are kept."""

from typing import Any

import numpy as np

from kilter.core.thinning import extremes, thinned

Array = np.ndarray[Any, Any]
# Points that are kept; enough to look closer at a hundredth of a line.
KEPT = 1 << 16


class Curve:
    """One line of one network, to which epochs are added in order."""

    def __init__(self) -> None:
        self.x, self.y = np.zeros(0, np.int64), np.zeros(0, np.float32)
        self._width = 1

    def add(self, epochs: Array, numbers: Array) -> None:
        """Add numbers at rising epochs; they replace what was known of the first of these and of all later ones."""
        if not len(epochs) or len(epochs) != len(numbers):
            return
        known = np.searchsorted(self.x, epochs[0]) if len(self.x) and self.x[-1] >= epochs[0] else len(self.x)
        self.x = np.concatenate([self.x[:known], epochs])
        self.y = np.concatenate([self.y[:known], numbers.astype(np.float32)])
        if len(self.x) > KEPT:
            self._coarsen()

    def seen(self, most: int, low: int | None = None, high: int | None = None) -> tuple[Array, Array]:
        """At most ``most`` points of all, and between two epochs as many more."""
        x, y = thinned(self.x, self.y, most)
        if low is None or high is None:
            return x, y
        first, last = np.searchsorted(self.x, [low, high + 1])
        closer = thinned(self.x[first:last], self.y[first:last], most)
        chosen, place = np.unique(np.concatenate([x, closer[0]]), return_index=True)
        return chosen, np.concatenate([y, closer[1]])[place]

    @property
    def last(self) -> float:
        """The last number; NaN where there is none."""
        return float(self.y[-1]) if len(self.y) else float("nan")

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.x.nbytes + self.y.nbytes

    def _coarsen(self) -> None:
        """Thin what has come since the last time as what was there before, and all of it more where that is not enough."""
        self.x, self.y = extremes(self.x, self.y, self._width)
        while len(self.x) > KEPT // 2:
            self._width *= 2
            self.x, self.y = extremes(self.x, self.y, self._width)
