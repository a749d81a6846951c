"""The compiled program: members stacked on a leading axis, epochs in a loop that ends when all members have ended."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from kilter.core.keys import named
from kilter.core.paths import walk
from kilter.nn import calibrate
from kilter.nn.initializers import LSUV
from kilter.nn.layer import Layer
from kilter.train.epoch import Member, Rows, begin, epoch
from kilter.train.step import Learner, Parts

# Drawing weights happens once: compiled without optimization it is ready in a third of the time.
_QUICKLY = {"xla_backend_optimization_level": 0}
# Whole vectors where the processor has them: 6 to 8 % faster small networks than with XLA's own choice of half of them.
_WIDELY = {"xla_cpu_prefer_vector_width": 512}

Mapping = Literal["one", "vmap", "map"]


def over_members(function: Callable[..., Any], mapping: Mapping) -> Callable[..., Any]:
    """Map a function over the leading axis of its first arguments; its last one, the orders by seed, is shared.

    ``"one"`` drops the axis, so that a lone network pays nothing for being a fleet; ``"vmap"`` batches every operation;
    ``"map"`` takes member after member, which beats batched convolutions on a CPU (53 against 234 ms measured).
    """

    def one(*arguments: Any) -> Any:
        *members, _, orders = arguments
        result = function(*jax.tree.map(lambda leaf: leaf[0], members), orders[0])
        return jax.tree.map(lambda leaf: leaf[None], result)

    def batched(*arguments: Any) -> Any:
        *members, seat, orders = arguments
        if len(orders) == 1:
            return jax.vmap(lambda *each: function(*each, orders[0]))(*members)
        return jax.vmap(function)(*members, orders[seat])

    def mapped(*arguments: Any) -> Any:
        *members, seat, orders = arguments
        return jax.lax.map(lambda each: function(*each[0], orders[each[1]]), (tuple(members), seat))

    return {"one": one, "vmap": batched, "map": mapped}[mapping]


@partial(jax.jit, static_argnames=("shape", "judged"), compiler_options=_QUICKLY)
def initialize(parts: Parts, keys: jax.Array, x: jax.Array, shape: tuple[int, ...], judged: bool) -> Member:
    """Draw the members of a fleet, each from its own key; layers that ask for LSUV are scaled on the rows ``x``."""

    def draw(parts: Parts, key: jax.Array) -> Member:
        params, state = parts.net.init(named(key, "init"), shape)
        params = calibrate.asked(parts.net, params, state, x) if _calibrated(parts.net) else params
        return begin(parts, Learner(params, state, parts.optimizer.init(params)), judged)

    return jax.vmap(draw)(parts, keys)


def _calibrated(net: Layer) -> bool:
    return any(isinstance(value, LSUV) for _, value in walk(net))


@partial(jax.jit, static_argnames=("mapping",), donate_argnames=("members",), compiler_options=_WIDELY)
def run_epochs(
    parts: Parts,
    rows: Rows,
    members: Member,
    keys: jax.Array,
    seats: jax.Array,
    orders: jax.Array,
    first: jax.Array,
    count: jax.Array,
    mapping: Mapping,
) -> tuple[Member, dict[str, jax.Array], jax.Array]:
    """Train all members for up to ``count`` epochs.

    Args:
        parts: of the recipes, numbers stacked.
        rows: shared by all members.
        members: stacked; donated.
        keys: one a member.
        seats: which of the orders a member follows.
        orders: row numbers ``(longest count, seeds, steps, batch)``.
        first: number of the first of these epochs.
        count: how many; at most the longest count. A number, so that it needs no compile.
        mapping: how members are mapped, see `over_members`.

    Returns:
        The members, their lines of the history ``(longest count, members)`` and the number of epochs that were run.
    """
    training = jax.vmap(lambda key: named(key, "train"))(keys)

    def one_epoch(members: Member, index: jax.Array) -> tuple[Member, dict[str, jax.Array]]:
        def single(parts: Parts, member: Member, key: jax.Array, order: jax.Array) -> Any:
            return epoch(parts, rows, member, key, order, first + index)

        return over_members(single, mapping)(parts, members, training, seats, orders[index])

    def body(carry: Any) -> Any:
        index, members, history = carry
        members, line = one_epoch(members, index)
        history = jax.tree.map(lambda column, value: column.at[index].set(value), history, line)
        return index + 1, members, history

    def going(carry: Any) -> jax.Array:
        index, members, _ = carry
        return (index < count) & (members.outcome == 0).any()

    _, line = jax.eval_shape(one_epoch, members, jnp.int32(0))
    history = jax.tree.map(lambda column: jnp.full((len(orders), *column.shape), jnp.nan), line)
    done, members, history = jax.lax.while_loop(going, body, (jnp.int32(0), members, history))
    return members, history, done


def mapping_for(net: Any, members: int) -> Mapping:
    """The fastest way to map members of this kind on this kind of device, as measured."""
    if members == 1:
        return "one"
    windows = any(hasattr(value, "window") for _, value in walk(net))
    return "map" if windows and jax.default_backend() == "cpu" else "vmap"
