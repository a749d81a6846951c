"""A line of numbers of any length in a few bins."""

import math

# Most bins.
_MOST = 128


class Line:
    """Means of so many numbers in a row; when there are too many bins, neighbors become one.

    >>> line = Line()
    >>> for number in range(1000):
    ...     line.add(number)
    >>> len(line.bins), line.bins[:2], line.count
    (125, [3.5, 11.5], 1000)
    """

    def __init__(self) -> None:
        self.bins: list[float] = []
        self.count = 0
        self._width = 1
        self._open: list[float] = []

    def add(self, number: float) -> None:
        """Put a number at the end."""
        self.count += 1
        self._open.append(number)
        if len(self._open) == self._width:
            self.bins.append(math.fsum(self._open) / self._width if all(map(math.isfinite, self._open)) else math.nan)
            self._open = []
        if len(self.bins) == _MOST:
            self.bins = [(a + b) / 2 for a, b in zip(self.bins[::2], self.bins[1::2], strict=True)]
            self._width *= 2
