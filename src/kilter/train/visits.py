"""Visits: someone looks at a fleet after 1, 2, 4, ... of its epochs, and may end it."""

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from kilter.data.dataset import Dataset
from kilter.train.order import permutation

if TYPE_CHECKING:
    from kilter.train.fleet import Fleet

# Share of the work on training rows that all visits may cost, where asking a row takes a third of training on it, and the
# rows that a visit asks at least and at most: shares are then known within 0.03 and 0.015 (a standard error).
_SHARE, _ASKED = 0.01, 1 / 3
_LEAST, _MOST = 256, 1024
# Seed of the permutation whose first rows are asked.
_ROWS = 0


class Visitor(Protocol):
    """Someone who visits."""

    def __call__(self, fleet: "Fleet") -> bool:
        """Look at a fleet between two of its epochs; whether it is to end here.

        Called again at the same place where a training goes on from a checkpoint.
        """
        ...


def due(epoch: int) -> bool:
    """Whether there is a visit after so many epochs."""
    return epoch > 0 and not epoch & (epoch - 1)


def following(epoch: int) -> int:
    """The first epoch after this one that is followed by a visit."""
    return 1 << epoch.bit_length()


def asked(data: Dataset, epochs: int) -> np.ndarray:
    """Numbers of the training rows that a visit asks, for a training of so many epochs; the same at every visit."""
    rows = len(data.train)
    afforded = int(_SHARE / _ASKED * epochs * data.rows / math.ceil(math.log2(max(epochs, 2))))
    return np.sort(permutation(_ROWS, 0, rows)[: min(max(afforded, _LEAST), _MOST)]).astype(np.int32)
