"""Which runs of a library make the best ensemble: greedy forward selection with replacement."""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Score = Callable[[Array], float]
# Share of the library in each bag.
_BAG = 0.5


def select(predictions: Array, score: Score, *, picks: int, bags: int, seed: int) -> Array:
    """How often each run is picked, ``(runs,)``. Caruana et al. 2004, sections 2.1 to 2.3.

    The start is the n best runs, with the n whose mean scores highest; then the run whose addition makes the mean score
    highest is added again and again, and the best of all means on the way counts. So without bags the score is never
    below that of the best single run. With bags each goes through a random half of the library, and picks are added up.

    Args:
        predictions: of each run on the rows that decide, ``(runs, rows, k)``.
        score: of predictions ``(rows, k)``, higher is better.
        picks: most picks in a bag.
        bags: 1 for the whole library at once.
        seed: of the bags.
    """
    runs = len(predictions)
    singles = np.array([score(each) for each in predictions])
    order = np.argsort(-singles, kind="stable")
    if bags == 1:
        return _forward(predictions, score, order, picks)
    draw = np.random.default_rng(seed)
    size = max(1, round(runs * _BAG))
    chosen = [set(draw.choice(runs, size, replace=False).tolist()) for _ in range(bags)]
    return sum(
        (_forward(predictions, score, np.array([run for run in order if run in bag]), picks) for bag in chosen),
        start=np.zeros(runs, int),
    )


def _forward(predictions: Array, score: Score, order: Array, picks: int) -> Array:
    """Counts of the best ensemble on the way; ``order`` has the runs to choose from, best first."""
    sums = np.cumsum(predictions[order[:picks]], axis=0)
    starts = [score(total / (count + 1)) for count, total in enumerate(sums)]
    first = int(np.argmax(starts))
    picked, total = order[: first + 1].tolist(), sums[first]
    best, length = starts[first], first + 1
    while len(picked) < picks:
        trials = [score((total + predictions[run]) / (len(picked) + 1)) for run in order]
        picked.append(int(order[np.argmax(trials)]))
        total = total + predictions[picked[-1]]
        if max(trials) > best:
            best, length = max(trials), len(picked)
    return np.bincount(picked[:length], minlength=len(predictions))
