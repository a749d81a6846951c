"""How a window goes over an image or a sequence."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

Pair = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


class Sweep(NamedTuple):
    """Steps of a window, by spatial axis.

    Attributes:
        stride: from place to place.
        padding: zeros before and behind the axis.
        dilation: from one position that the window sees to the next.
    """

    stride: Pair = (1, 1)
    padding: Pads = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)

    @property
    def of_rows(self) -> "Sweep":
        """The same over a sequence as an image of height one."""
        return Sweep((1, *self.stride), ((0, 0), *self.padding), (1, *self.dilation))

    def span(self, window: Pair) -> Pair:
        """Positions from the first to the last that a window sees."""
        return tuple(step * (size - 1) + 1 for size, step in zip(window, self.dilation, strict=True))

    def padded(self, x: jax.Array) -> jax.Array:
        """``x`` (batch, height, width, channels) with its zeros."""
        return jnp.pad(x, ((0, 0), *self.padding, (0, 0)))
