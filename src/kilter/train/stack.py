"""A stack: members of a fleet that go through the compiled program together, spread over the devices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.sharding import Mesh

from kilter.train.epoch import Member, Rows
from kilter.train.judging import glancing, judging
from kilter.train.layout import Layout
from kilter.train.outcome import Outcome
from kilter.train.placing import fetched, to_places, to_shares
from kilter.train.program import training
from kilter.train.roster import Roster
from kilter.train.step import Batch

Array = np.ndarray[Any, Any]


@dataclass
class Stack:
    """Members in the slots of one call of the program; slots left over hold copies that have ended before they begin.

    Attributes:
        indices: which members of the fleet stand in the first slots.
        roster: of all slots.
        members: of all slots, on the devices.
        mesh: the devices.
        quickly: how the program is compiled, as of a `Layout`.
        start: parameters of all slots before their first epoch, where they are watched.
    """

    indices: Array
    roster: Roster
    members: Member
    mesh: Mesh | None
    quickly: bool = False
    start: Any = None

    @classmethod
    def of(cls, indices: Any, roster: Roster, members: Any, layout: Layout) -> "Stack":
        """Fill the slots with the members of these indices.

        Args:
            indices: in the fleet.
            roster: of the fleet.
            members: called with the roster of all slots, gives the members in them.
            layout: of the slots.
        """
        chosen, size, mesh = np.asarray(indices), layout.size, layout.mesh
        filled = np.resize(chosen, size)
        own = roster.take(filled)
        drawn = members(own)
        running = (np.arange(size) < len(chosen)) & (own.epochs > 0)
        outcome = np.where(running, fetched(drawn.outcome), np.int32(Outcome.FINISHED.code))
        members = to_places(drawn._replace(outcome=outcome), mesh)
        return cls(chosen, to_shares(own, mesh), members, mesh, layout.quickly)

    @property
    def program(self) -> Any:
        """That trains the stack."""
        return training(self.quickly)

    @property
    def judge(self) -> Any:
        """The program that says what the stack makes of all rows."""
        return judging(self.quickly)

    def arguments(self, rows: Rows, orders: Any, first: int, count: int) -> tuple[Any, ...]:
        """What the program is called with."""
        return self.roster, self.members, rows, orders, np.int32(first), np.int32(count), self.mesh

    def advance(self, rows: Rows, orders: Any, first: int, count: int) -> tuple[dict[str, Array], int]:
        """Run up to ``count`` epochs; their history ``(members, epochs)`` by name, and how many the last to end ran."""
        self.members, history, done = self.program(*self.arguments(rows, orders, first, count))
        history, done = fetched((history, done))
        made = int(done.max())
        return {name: column[: len(self.indices), :made] for name, column in history.items()}, made

    def judging(self, rows: dict[str, Batch], classes: bool) -> tuple[Any, ...]:
        """What the program that judges the members on all rows is called with."""
        return self.roster.parts, self.members, rows, classes, self.mesh

    @property
    def glance(self) -> Any:
        """The program that says what the stack makes of some rows now."""
        return glancing(self.quickly)

    def glancing(self, rows: dict[str, Batch], chosen: dict[str, Array], classes: bool) -> tuple[Any, ...]:
        """What that program is called with."""
        return self.roster.parts, self.members, rows, chosen, classes, self.mesh

    @property
    def running(self) -> Array:
        """Indices of the members that have not ended."""
        return self.indices[fetched(self.members.outcome)[: len(self.indices)] == 0]
