"""Several objectives at once: which points no other beats, and an order of all that keeps the first ones spread out."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def ranks(values: Array) -> Array:
    """Number of the front of each row: 0 where no other row dominates it, 1 where none does once these are gone, ...

    Row x dominates y if x_m >= y_m for all objectives m, and x_m > y_m for one. Deb et al. 2002, section III-A.

    Args:
        values: ``(rows, objectives)``, higher is better.
    """
    above: Any = (values[:, None] >= values[None]).all(-1) & (values[:, None] > values[None]).any(-1)
    beaten = above.sum(0)
    found, front = np.zeros(len(values), int), 0
    left = np.ones(len(values), bool)
    while left.any():
        best = left & (beaten == 0)
        found[best] = front
        beaten = beaten - above[best].sum(0)
        left &= ~best
        front += 1
    return found


def crowding(values: Array) -> Array:
    """How far the neighbors of each row of one front are from each other; infinite for rows at an end.

        d_i = sum_m (f_m(i + 1) - f_m(i - 1)) / (max f_m - min f_m),   rows sorted by objective m

    Deb et al. 2002, section III-B. An objective that all rows share tells nothing and counts as 0, at its ends too.

    Args:
        values: ``(rows, objectives)``.
    """
    distance = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        if spread > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
            distance[order[[0, -1]]] = np.inf
    return distance


def order(values: Array) -> list[int]:
    """Row numbers, best first: lower fronts first, in a front the less crowded, among equals earlier rows (NSGA-II)."""
    front, distance = ranks(values), np.zeros(len(values))
    for number in range(front.max(initial=-1) + 1):
        distance[front == number] = crowding(values[front == number])
    return [int(row) for row in np.lexsort((-distance, front))]
