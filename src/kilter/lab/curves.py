"""Histories of many runs as one array."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter.train.run import Run

Array = np.ndarray[Any, Any]


def curves(runs: Sequence[Run], name: str, epochs: int) -> Array:
    """A column of the histories, ``(runs, epochs)``; NaN for the epochs that a diverged run did not see."""
    found = np.full((len(runs), epochs), np.nan)
    for row, run in zip(found, runs, strict=True):
        row[: len(run.history[name])] = run.history[name]
    return found
