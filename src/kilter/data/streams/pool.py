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
        taken: bytes of all pieces.
    """

    room: int
    bound: float = 1.0
    pieces: list[tuple[Any, Array]] = field(default_factory=list)
    taken: int = 0

    def add(self, piece: Any, lots: Array, take: Callable[[Any, Array], Any], size: Callable[[Any], int]) -> None:
        """Add those rows of a piece whose lots are low enough.

        Args:
            piece: of rows.
            lots: of its rows.
            take: gives the rows of a piece with these numbers.
            size: gives the bytes of a piece.
        """
        self._keep(piece, lots, take, size)
        while self.taken > self.room:
            self.bound /= 2
            before, self.pieces, self.taken = self.pieces, [], 0
            for each, own in before:
                self._keep(each, own, take, size)

    def _keep(self, piece: Any, lots: Array, take: Callable[[Any, Array], Any], size: Callable[[Any], int]) -> None:
        chosen = np.flatnonzero(lots < self.bound)
        if len(chosen):
            kept = take(piece, chosen)
            self.pieces.append((kept, lots[chosen]))
            self.taken += size(kept)
