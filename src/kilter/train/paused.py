"""Members between two trainings: taken out of one fleet, put into another, and nothing begins anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core import trees
from kilter.train.epoch import Member

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Paused:
    """One member: weights, what the optimizer keeps, its best epoch and its history; arrays by name.

    Attributes:
        leaves: of its `Member`, by path.
        lines: of its history, one number an epoch; NaN for epochs after it had ended.
    """

    leaves: dict[str, Array]
    lines: dict[str, Array]

    @property
    def epochs(self) -> int:
        """Epochs behind it."""
        return len(self.lines["lr"])


def paused(members: Member, lines: dict[str, Array], epochs: int) -> list[Paused]:
    """The members of a fleet after so many epochs; ``lines`` ``(epochs, members)`` are shorter where all ended before."""
    leaves = trees.named(jax.device_get(members))
    whole = {
        name: np.pad(column, ((0, epochs - len(column)), (0, 0)), constant_values=np.nan)
        for name, column in lines.items()
    }

    def taken(index: int) -> Paused:
        own = {name: np.array(leaf[index]) for name, leaf in leaves.items()}
        return Paused(own, {name: column[:, index].copy() for name, column in whole.items()})

    return [taken(index) for index in range(len(members.outcome))]


def past(members: Sequence[Paused]) -> dict[str, Array]:
    """Their history ``(epochs, members)`` by name."""
    return {name: np.stack([member.lines[name] for member in members], axis=1) for name in members[0].lines}


def going_on(fresh: Member, members: Sequence[Paused]) -> Member:
    """Stacked members, in the structure that a fleet of their recipe has."""
    leaves = [jnp.asarray(np.stack([member.leaves[name] for member in members])) for name in trees.named(fresh)]
    return jax.tree.unflatten(jax.tree.structure(fresh), leaves)
