"""Members between two trainings: taken out of one fleet, put into another, and nothing begins anew."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from kilter.core import trees
from kilter.train.epoch import Member
from kilter.vitals.trace import Trace

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Paused:
    """One member: weights, what the optimizer keeps, its best epoch and its history; arrays by name.

    Attributes:
        leaves: of its `Member`, by path.
        lines: of its history, one number an epoch; NaN for epochs after it had ended.
        vitals: what was measured of it so far; None where it was not watched.
    """

    leaves: dict[str, Array]
    lines: dict[str, Array]
    vitals: Trace | None = None

    @classmethod
    def of(cls, member: Member, lines: dict[str, Array], vitals: Trace | None = None) -> "Paused":
        """Keep a member on the host, with the lines and vitals of all epochs so far."""
        return cls({name: np.array(leaf) for name, leaf in trees.named(member).items()}, lines, vitals)

    @property
    def epochs(self) -> int:
        """Epochs behind it."""
        return len(self.lines["lr"])

    def member(self, like: Member) -> Member:
        """The member, in the structure that members of its recipe have."""
        return jax.tree.unflatten(jax.tree.structure(like), [self.leaves[name] for name in trees.named(like)])
