"""A pool: the rows with the lowest lots, as many as there is room for; they are held out, or stand for all others."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kilter.data.arrays import Array


@dataclass
class Pool:
    """Rows whose lots lie below ``bound``, which falls where there would be too many.

    Attributes:
        room: bytes that they may take.
        bound: lots below it are kept.
        pieces: the rows, piece by piece, each with the lots of its rows.
    """

    room: int
    bound: float = 1.0
    pieces: list[tuple[Any, Array]] = field(default_factory=list)

    def add(self, piece: Any, lots: Array, take: Callable[[Any, Array], Any], size: Callable[[Any], int]) -> None:
        """Add those rows of a piece whose lots are low enough.

        Args:
            piece: of rows.
            lots: of its rows.
            take: gives the rows of a piece with these numbers.
            size: gives the bytes of a piece.
        """
        self._keep(piece, lots, take)
        while sum(size(each) for each, _ in self.pieces) > self.room:
            self.bound /= 2
            before, self.pieces = self.pieces, []
            for each, own in before:
                self._keep(each, own, take)

    def _keep(self, piece: Any, lots: Array, take: Callable[[Any, Array], Any]) -> None:
        chosen = np.flatnonzero(lots < self.bound)
        if len(chosen):
            self.pieces.append((take(piece, chosen), lots[chosen]))
