"""The compiled program: members stacked on a leading axis, epochs in a loop that ends when all members have ended.

The members are spread over the devices; each device has a loop of its own, and none waits for another within a call.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from kilter.core import kept
from kilter.core.compiling import DRAWING, QUICKLY, TRAINING
from kilter.core.kept import Program
from kilter.core.keys import named
from kilter.core.paths import walk
from kilter.core.spreading import MEMBER
from kilter.nn import calibrate
from kilter.nn.initializers import LSUV
from kilter.nn.layer import Layer
from kilter.train.epoch import Member, Rows, begin, epoch
from kilter.train.placing import AXIS, SHARED, places
from kilter.train.roster import Roster
from kilter.train.step import Learner, Parts


def over_members(function: Callable[..., Any], width: int) -> Callable[..., Any]:
    """Map a function over the leading axis of its first arguments; its last one, the orders by seed, is shared.

    A lone member drops the axis, so that it pays nothing for being a fleet. Up to ``width`` members go through together,
    every operation batched; more than that go piece after piece.
    """

    def mapped(*arguments: Any) -> Any:
        *members, seats, orders = arguments
        if len(seats) == 1:
            result = function(*jax.tree.map(lambda leaf: leaf[0], members), orders[0 if len(orders) == 1 else seats[0]])
            return jax.tree.map(lambda leaf: leaf[None], result)
        if width < len(seats):
            return jax.lax.map(lambda each: function(*each[0], orders[each[1]]), (members, seats), batch_size=width)
        if len(orders) == 1:
            return jax.vmap(lambda *each: function(*each, orders[0]))(*members)
        return jax.vmap(function)(*members, orders[seats])

    return mapped


def spread(function: Callable[..., Any], mesh: Mesh | None, shared: int) -> Callable[..., Any]:
    """Run a function on every device, on its own share of the members; its last ``shared`` arguments go to all whole.

    Along other axes of the mesh XLA spreads what the function asks for (`kilter.core.spreading`).
    """
    if mesh is None:
        return function

    def everywhere(*arguments: Any) -> Any:
        specs = (AXIS,) * (len(arguments) - shared) + (SHARED,) * shared
        return jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=AXIS, axis_names={MEMBER}, check_vma=False)(
            *arguments
        )

    return everywhere


def initialize(
    parts: Parts, seeds: jax.Array, x: Any, shape: tuple[int, ...], judged: bool, mesh: Mesh | None = None
) -> Member:
    """Draw the members of a fleet, each from its own seed; layers that ask for LSUV are scaled on the rows ``x``."""

    def draw(parts: Parts, seed: jax.Array, x: Any) -> Member:
        params, state = parts.net.init(named(jax.random.key(seed), "init"), shape)
        params = calibrate.asked(parts.net, params, state, x) if calibrated(parts.net) else params
        return begin(parts, Learner(params, state, parts.optimizer.init(params)), judged)

    return in_place(spread(jax.vmap(draw, in_axes=(0, 0, None)), mesh, shared=1)(parts, seeds, x), mesh)


def calibrated(net: Layer) -> bool:
    """Whether it is drawn by the rows that it is to train on."""
    return any(isinstance(value, LSUV) for _, value in walk(net))


def run_epochs(
    roster: Roster,
    members: Member,
    rows: Rows,
    orders: jax.Array,
    first: jax.Array,
    count: jax.Array,
    mesh: Mesh | None = None,
) -> tuple[Member, dict[str, jax.Array], jax.Array]:
    """Train all members for up to ``count`` epochs.

    Args:
        roster: of the members.
        members: stacked; donated.
        rows: shared by all members.
        orders: row numbers ``(longest count, seeds, *order)``, with the order of an epoch as `epoch` takes it.
        first: number of the first of these epochs.
        count: how many; at most the longest count. A number, so that it needs no compile.
        mesh: the devices to spread the members over, their number a multiple of the devices'; None: one device.

    Returns:
        The members, their lines of the history ``(members, longest count)`` and for each device the number of epochs that
        it ran.
    """

    def share(roster: Roster, members: Member, *shared: Any) -> Any:
        rows, orders, first, count = shared
        training = jax.vmap(lambda seed: named(jax.random.key(seed), "train"))(roster.seeds)

        def body(carry: Any) -> Any:
            index, members, history = carry
            members, line = _one_epoch(roster, members, training, rows, orders[index], first + index)
            history = jax.tree.map(lambda column, value: column.at[:, index].set(value), history, line)
            return index + 1, members, history

        def going(carry: Any) -> jax.Array:
            index, members, _ = carry
            return (index < count) & (members.outcome == 0).any()

        _, line = jax.eval_shape(_one_epoch, roster, members, training, rows, orders[0], first)
        history = jax.tree.map(lambda column: jnp.full((len(roster.seats), len(orders)), jnp.nan), line)
        done, members, history = jax.lax.while_loop(going, body, (jnp.int32(0), members, history))
        return members, history, done[None]

    members, history, done = spread(share, mesh, shared=4)(roster, members, rows, orders, first, count)
    return in_place(members, mesh), history, done


def in_place(members: Member, mesh: Mesh | None) -> Member:
    """Members that lie where the next call looks for them."""
    return members if mesh is None else jax.lax.with_sharding_constraint(members, places(members, mesh))


@jax.jit  # traced once, although it is asked for its shapes first
def _one_epoch(
    roster: Roster, members: Member, training: jax.Array, rows: Rows, orders: jax.Array, number: jax.Array
) -> tuple[Member, dict[str, jax.Array]]:
    """All members after the epoch of this number, and its line of their history."""

    def single(own: Roster, member: Member, key: jax.Array, order: jax.Array) -> Any:
        return epoch(own.parts, rows, member, key, order, number, own.epochs, own.batches, alone=count == 1)

    count = len(roster.seats)
    return over_members(single, count)(roster, members, training, roster.seats, orders)


@cache
def drawing(quickly: bool) -> Program:
    """`initialize` as a program; compiled quickly, large kernels are drawn ten times as slowly."""
    options = QUICKLY if quickly else DRAWING
    return Program(initialize, static=("shape", "judged", "mesh"), options=options)


@cache
def training(quickly: bool) -> Program:
    """`run_epochs` as a program: compiled quickly, for trainings that take less than compiling, or to run fast."""
    options = QUICKLY if quickly else TRAINING
    return Program(run_epochs, static=("mesh",), donated=("members",), options=options)


def held() -> int:
    """Number of structures whose compiled programs are held."""
    return sum(training(quickly).held() for quickly in (False, True))


def let_go(most: int) -> None:
    """Free all compiled programs where those of more than ``most`` structures are held; they can be made again."""
    if held() > most:
        kept.let_go()
