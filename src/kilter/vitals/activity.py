"""Which units of the activations are ever active, over all rows."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.errors import InputError
from kilter.nn.activations import Activation
from kilter.nn.layer import Layer, Params, State

Array = np.ndarray[Any, Any]


class Activity(NamedTuple):
    """What the units (channels) of one activation do over all rows; each attribute ``(units,)``.

    Attributes:
        active_rows: number of rows on which a unit is not `nn.Activation.dead` at one position at least.
        dead: whether that is never. Some hundred rows cannot tell: a unit that is active on one row of a thousand is alive.
        saturated: share of the unit's inputs at which the activation is saturated (`nn.Activation.saturated`).
    """

    active_rows: Array
    dead: Array
    saturated: Array


def activity(net: Layer, params: Params, state: State, x: Any, block: int = 1024) -> dict[str, Activity]:
    """The activity of every element-wise activation of a network at inference, by its path in the network.

    Args:
        net: the network.
        params: its parameters.
        state: its state.
        x: rows ``(rows, *shape)``; all of them go through, a block at a time.
        block: rows that are in memory at once with all that the layers make of them.

    Raises:
        InputError: there are no rows, or none in a block.

    >>> import jax.numpy as jnp
    >>> from kilter import nn
    >>> net, params = nn.Chain(nn.Dense(2), nn.ReLU()), ({"kernel": jnp.eye(2), "bias": jnp.array([0.0, -9.0])}, ())
    >>> activity(net, params, ((), ()), jnp.array([[1.0, 1.0], [-1.0, 1.0]]))["layers[1]"].dead
    array([False,  True])
    """
    if not len(x) or block < 1:
        raise InputError(f"activity needs a row or more and a block of at least 1, got {len(x)} and {block}")
    counts = jax.device_get(_counted(net, params, state, x, min(block, len(x))))
    return {
        place: Activity(active, active == 0, (saturated / inputs).astype(np.float32))
        for place, (active, saturated, inputs) in counts.items()
    }


@partial(jax.jit, static_argnames=("block",))
def _counted(net: Layer, params: Params, state: State, x: jax.Array, block: int) -> dict[str, Any]:
    """By place: rows on which each unit is active, its saturated inputs, and the number of its inputs."""
    blocks = -(-len(x) // block)
    padded = jnp.pad(x, ((0, blocks * block - len(x)), *((0, 0),) * (x.ndim - 1)))
    real = jnp.arange(blocks * block) < len(x)

    def one(given: tuple[jax.Array, jax.Array]) -> dict[str, Any]:
        return _of_block(net, params, state, *given)

    found = jax.lax.map(one, (padded.reshape(blocks, block, *x.shape[1:]), real.reshape(blocks, block)))
    return jax.tree.map(lambda counts: counts.sum(0), found)


def _of_block(net: Layer, params: Params, state: State, x: jax.Array, real: jax.Array) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def look(layer: Layer, params: Params, state: State, x: Any, key: Any, place: str) -> Any:
        if isinstance(layer, Activation) and layer.elementwise:
            found[place] = _counts(layer, x, real)
        return params, state, layer.apply(params, state, x)[0]

    net.visit(look, params, state, x)
    return found


def _counts(layer: Activation, x: jax.Array, real: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    units = x.reshape(len(x), -1, x.shape[-1] if x.ndim > 1 else 1)
    own = real[:, None, None]
    active = (~layer.dead(x).reshape(units.shape) & own).any(1).sum(0)
    saturated = (layer.saturated(x).reshape(units.shape) & own).sum((0, 1))
    return active, saturated, real.sum() * units.shape[1]
