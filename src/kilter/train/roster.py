"""What tells the members of a fleet apart."""

from typing import Any, NamedTuple

import jax

from kilter.train.step import Parts


class Roster(NamedTuple):
    """Members of one structure, one entry a member in every array.

    Attributes:
        parts: of the recipes, numbers stacked.
        seeds: of the members.
        seats: which of the orders a member follows.
        epochs: how many each has in all.
        batches: rows of a batch, or None where all have one size.
    """

    parts: Parts
    seeds: Any
    seats: Any
    epochs: Any
    batches: Any = None

    def take(self, slots: Any) -> "Roster":
        """The members with these indices."""
        return jax.tree.map(lambda leaf: leaf[slots], self)
