"""Layers that only change the shape."""

import jax

from kilter.nn.layer import Layer, Params, State


class Flatten(Layer):
    """All axes of an example in one: ``(batch, *shape)`` to ``(batch, features)``."""

    transparent = True

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return x.reshape(x.shape[0], -1), state
