"""The first pass over a stream: what is counted, what is seen, and the rows that are kept."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from kilter.core.errors import InputError, within
from kilter.data.arrays import Array
from kilter.data.streams.budget import Budget
from kilter.data.streams.drafts import Draft
from kilter.data.streams.feed import piece_rows, rows_of
from kilter.data.streams.lots import lots
from kilter.data.streams.pool import Pool
from kilter.data.streams.sources import Source

# Numbers of a row that are reckoned with before any is known.
NUMBERS = 64


@dataclass
class FirstPass:
    """What the first pass has counted and kept.

    Attributes:
        pool: rows with the lowest lots.
        lengths: rows of each block.
        rows: of these, that have a target.
        weight: of these together.
    """

    pool: Pool
    lengths: list[int] = field(default_factory=list)
    rows: int = 0
    weight: float = 0.0

    @classmethod
    def over(cls, source: Source, draft: Draft, budget: Budget, seed: int) -> Self:
        """Read the rows of a source.

        Raises:
            InputError: no rows, or none with a target; and whatever the draft refuses.
        """
        found, number = cls(Pool(2 * budget.pool)), 0
        for block in range(source.blocks):
            start = number
            for piece in source.read(block, piece_rows(budget, NUMBERS)):
                count = rows_of(piece)
                if count:
                    with within(source.place(block)):
                        found._see(piece, draft, lots(seed, number, count))
                number += count
            found.lengths.append(number - start)
        if not number:
            raise InputError(f"source {source.title} is empty; at least one row is needed")
        if not found.rows or not found.weight:
            lacks = "a target" if not found.rows else "a weight above 0"
            raise InputError(f"no row of source {source.title} has {lacks}; nothing can be learned")
        return found

    def _see(self, piece: Any, draft: Draft, drawn: Array) -> None:
        own, kept, weights = draft.see(piece)
        self.rows += len(kept)
        self.weight += len(kept) if weights is None else float(weights[kept].sum(dtype=np.float64))
        if len(kept) < len(drawn):
            own, drawn = draft.take(own, kept), drawn[kept]
        self.pool.add(own, drawn, draft.take, draft.size)
