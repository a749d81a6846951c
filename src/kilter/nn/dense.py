"""The fully connected layer."""

import jax

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.nn.layer import Params, Shape, State, Weighted
from kilter.nn.product import product


class Dense(Weighted):
    """y = x W + b over the last axis.

    Args:
        units: number of outputs, at least 1.
        bias: whether b is learned; left open, unless a norm right behind takes the mean off again.
        initializer: how W, of shape ``(in, units)``, is drawn; left open, it is matched to the activation that follows.
        bias_initializer: how b, of shape ``(units,)``, is drawn.

    Shapes: ``(batch, ..., in)`` to ``(batch, ..., units)``.

    >>> import jax, jax.numpy as jnp
    >>> layer = Dense(3)
    >>> params, state = layer.init(jax.random.key(0), (5,))
    >>> layer.apply(params, state, jnp.ones((2, 5)))[0].shape
    (2, 3)
    """

    paddable = True
    formula = "x W + b"
    source = "Rosenblatt 1958; Rumelhart, Hinton and Williams 1986"
    choose = "Rows of features, and the last layer of nearly every network."

    units: int = option(kinds=int, range="[1, inf)")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if not shape:
            raise InputError(f"{self!r}: expects an input of shape (features,), got (); give x a second axis")
        return self._draw(key, (shape[-1], self.units)), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return self._shifted(params, product(x, params["kernel"])), state
