"""Maxout: a dense layer whose activation is learned, the largest of several linear pieces."""

from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.nn import moments
from kilter.nn.initializers import Matched
from kilter.nn.layer import Layer, Params, Shape, State, Weighted


class Maxout(Weighted):
    """y_u = max over p of (x W_p + b_p)_u: each unit is the largest of its linear pieces, a learned convex function.

    Args:
        units: number of outputs.
        pieces: number of linear pieces of each unit; with one it is a `Dense` layer.
        bias: whether b is learned.
        initializer: how W, of shape ``(in, units * pieces)`` with the pieces of a unit side by side, is drawn; left open,
            it keeps the second moment through the maximum.
        bias_initializer: how b, of shape ``(units * pieces,)``, is drawn.

    Shapes: ``(batch, ..., in)`` to ``(batch, ..., units)``.

    Raises:
        InputError: the input has no features.

    >>> import jax, jax.numpy as jnp
    >>> layer = Maxout(3)
    >>> params, state = layer.init(jax.random.key(0), (5,))
    >>> layer.apply(params, state, jnp.ones((2, 5)))[0].shape
    (2, 3)
    """

    formula: ClassVar[str] = "max_p (x W_p + b_p)"
    source: ClassVar[str] = "Goodfellow, Warde-Farley, Mirza, Courville and Bengio 2013, Maxout Networks"
    choose: ClassVar[str] = (
        "With dropout, where the activation's shape is to be learned; costs `pieces` times the weights."
    )

    units: int = option(kinds=int, range="[1, inf)")
    pieces: int = option(default=2, kinds=int, range="[1, inf)")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if not shape:
            raise InputError(f"{self!r}: expects an input of shape (features,), got (); give x a second axis")
        own = self.followed_by(None)
        return own._draw(key, (shape[-1], self.units * self.pieces)), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        y = self._shifted(params, jnp.dot(x, params["kernel"]))
        return y.reshape(*y.shape[:-1], self.units, self.pieces).max(-1), state

    def followed_by(self, activation: Layer | None) -> Self:
        return self if self.initializer is not None else self.replace(initializer=Matched(self))

    def without_bias(self) -> Self:
        """Itself: its offsets stand inside the maximum, where no norm takes them off again."""
        return self

    def gain(self) -> Any:
        """1 / sqrt(E[max(z_1, ..., z_pieces)^2]) for independent standard normal z; 1 for one piece and for two."""
        nodes, _ = moments.quadrature()
        density = self.pieces * jax.scipy.special.ndtr(nodes) ** (self.pieces - 1)
        return moments.gain(lambda z: z * jnp.sqrt(density))
