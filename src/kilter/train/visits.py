"""Visits: someone looks at a fleet after 1, 2, 4, ... of its epochs, and may end it."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from kilter.data.dataset import Dataset
from kilter.train.order import some

if TYPE_CHECKING:
    from kilter.train.fleet import Fleet

# Training rows that a visit asks: a share of them is then known within 0.03 (a standard error), which takes a third of
# what training on these rows does.
_ASKED = 256


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


def asked(data: Dataset) -> np.ndarray:
    """Numbers of the training rows that every visit asks."""
    return np.sort(some(len(data.train), _ASKED)).astype(np.int32)
