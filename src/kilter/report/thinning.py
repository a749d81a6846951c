"""Long lines with fewer points: of each stretch the lowest and the highest stay, so that no peak is lost."""

import itertools
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
    ends = np.linspace(0, len(x), stretches + 1).astype(int)
    kept = {0, len(x) - 1}
    for first, last in itertools.pairwise(ends):
        part = y[first:last]
        if np.isfinite(part).any():
            kept |= {first + int(np.nanargmin(_finite(part))), first + int(np.nanargmax(_finite(part)))}
        else:
            kept.add(int(first))
    chosen = np.array(sorted(kept))
    return x[chosen], y[chosen]


def _finite(part: Array) -> Array:
    return np.where(np.isfinite(part), part, np.nan)
