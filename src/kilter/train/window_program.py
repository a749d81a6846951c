"""The compiled programs of an epoch that goes through windows: training on one, and closing the epoch."""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from kilter.core.compiling import QUICKLY, TRAINING
from kilter.core.keys import named
from kilter.train.epoch import Member, Rows, close, train_window
from kilter.train.placing import learner_places
from kilter.train.program import in_place, over_members, spread
from kilter.train.roster import Roster
from kilter.train.step import Batch, Learner


def run_window(
    roster: Roster,
    learners: Learner,
    window: Batch,
    orders: jax.Array,
    first: jax.Array,
    rows: jax.Array,
    padded: bool,
    mesh: Mesh | None = None,
) -> tuple[Learner, jax.Array]:
    """Train all members on one window.

    Args:
        roster: of the members.
        learners: of the members; left as they are, since they are the members after the last whole epoch.
        window: rows, shared by all members.
        orders: row numbers ``(seeds, most updates, batch)``.
        first: number of the first update.
        rows: how many rows count.
        padded: whether the last batch of the epoch is filled up.
        mesh: the devices to spread the members and their batches over; None: one device.

    Returns:
        The learners, and for each member the sum of the losses of the rows.
    """

    def share(roster: Roster, learners: Learner, *shared: Any) -> Any:
        window, orders, first, rows = shared
        training = jax.vmap(lambda seed: named(jax.random.key(seed), "train"))(roster.seeds)

        def single(own: Roster, learner: Learner, key: jax.Array, order: jax.Array) -> Any:
            return train_window(own.parts, window, learner, key, order, first, rows, padded)

        return over_members(single, len(roster.seats))(roster, learners, training, roster.seats, orders)

    learners, losses = spread(share, mesh, shared=4)(roster, learners, window, orders, first, rows)
    if mesh is not None:  # they lie where the next call looks for them
        learners = jax.lax.with_sharding_constraint(learners, learner_places(learners, mesh))
    return learners, losses


def close_epoch(
    roster: Roster,
    members: Member,
    learners: Learner,
    losses: jax.Array,
    rows: Rows,
    number: jax.Array,
    last: jax.Array,
    mesh: Mesh | None = None,
) -> tuple[Member, dict[str, jax.Array]]:
    """Judge all members after the last window of an epoch.

    Args:
        roster: of the members.
        members: before the epoch.
        learners: after it.
        losses: on the training rows, mean.
        rows: of which those of validation are looked at.
        number: of the epoch, from 0.
        last: number of its last update.
        mesh: the devices that the members are spread over; None: one device.

    Returns:
        The members after the epoch, and its line of their history.
    """

    def share(roster: Roster, members: Member, learners: Learner, losses: jax.Array, *shared: Any) -> Any:
        rows, number, last = shared

        def single(own: Roster, member: Member, learner: Learner, loss: jax.Array, _: Any) -> Any:
            return close(own.parts, rows, member, learner, loss, last, number, own.epochs)

        count = len(losses)
        seats = jnp.zeros(count, jnp.int32)
        return over_members(single, count)(roster, members, learners, losses, seats, jnp.zeros(1))

    members, line = spread(share, mesh, shared=3)(roster, members, learners, losses, rows, number, last)
    return in_place(members, mesh), line


class Programs(NamedTuple):
    """`run_window` and `close_epoch`, compiled."""

    window: Any
    close: Any


@cache
def programs(quickly: bool) -> Programs:
    """The two programs: compiled quickly, for trainings that take less than compiling, or to run fast."""
    options = QUICKLY if quickly else TRAINING
    window = jax.jit(run_window, static_argnames=("padded", "mesh"), compiler_options=options)
    return Programs(window, jax.jit(close_epoch, static_argnames=("mesh",), compiler_options=options))
