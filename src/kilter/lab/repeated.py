"""One block of layers many times over, as a scan: nets of 4 and of 64 layers share a program that compiles in seconds."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option, part
from kilter.nn.layer import Layer, Params, Shape, State


class Repeated(Layer):
    """y = block_times(... block_1(x)): blocks of one structure, each with weights of its own.

    Args:
        block: whose outputs are shaped like its inputs.
        most: blocks that there is room for.
        times: how many of them are run; a number, so that depths share a program.

    >>> from kilter import nn
    >>> layer = Repeated(nn.Chain(nn.Dense(4), nn.Tanh()), 30, 20)
    >>> params, state = layer.init(jax.random.key(0), (4,))
    >>> params[0]["kernel"].shape, layer.apply(params, state, jnp.ones((2, 4)))[0].shape
    ((30, 4, 4), (2, 4))
    """

    home: ClassVar[str] = "lab"
    formula = "block_times(... block_1(x))"
    source = "composition"
    choose = "Nets of many depths, each so deep that compiling it layer by layer takes longer than training."

    block: Layer = part(kinds=Layer)
    most: int = option(kinds=int, range="[1, inf)")
    times: float = number(range="[1, inf)")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        return jax.vmap(lambda own: self.block.init(own, shape))(self._keys(key))

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        keys = None if key is None else self._keys(key)

        def one(x: jax.Array, layer: Any) -> tuple[jax.Array, State]:
            params, state, own, place = layer
            present = place < self.times
            # Where members are stacked both branches run: what is left out gets 1, whose gradients are finite.
            given = jnp.where(present, x, 1.0)
            return jax.lax.cond(present, lambda: self.block.apply(params, state, given, key=own), lambda: (x, state))

        return jax.lax.scan(one, x, (params, state, keys, jnp.arange(self.most)))

    def _keys(self, key: jax.Array) -> jax.Array:
        return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(self.most))
