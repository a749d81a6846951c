"""Layers that only change the shape."""

import jax

from kilter.nn.layer import Layer, Params, State


class Flatten(Layer):
    """All axes of an example in one: ``(batch, *shape)`` to ``(batch, features)``."""

    transparent = True
    formula = "x.reshape(batch, -1)"
    source = "common practice"
    choose = "Between convolutions and dense layers, where positions should keep weights of their own."

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return x.reshape(x.shape[0], -1), state
