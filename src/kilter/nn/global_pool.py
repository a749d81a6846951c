"""Pooling over all positions of a sequence or an image."""

from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number
from kilter.nn.layer import Layer, Params, Shape, State
from kilter.nn.steps import real_steps


class _GlobalPool(Layer, abstract=True):
    """Base: all axes between batch and channels in one number a channel."""

    transparent = True

    padding: float | None = number(default=None, optional=True)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) < 2:
            raise InputError(f"{self!r}: expects an input of shape (..., positions, channels), got {shape}")
        return (), ()

    def _positions(self, x: jax.Array) -> tuple[jax.Array, Any]:
        """All positions in one axis, and where they count: everywhere, or a mask ``(batch, positions, 1)``."""
        x = x.reshape(len(x), -1, x.shape[-1])
        return x, True if self.padding is None else real_steps(x, self.padding)[..., None]


class GlobalAvgPool(_GlobalPool):
    """Mean of each channel over all positions.

    PyTorch: ``AdaptiveAvgPool2d(1)`` and flattened; Keras: ``GlobalAveragePooling1D`` and ``2D``.

    Args:
        padding: positions whose channels all equal this number do not count; left open, all count. Without any that
            counts the mean is 0.

    Shapes: ``(batch, ..., channels)`` with at least one axis between to ``(batch, channels)``.

    Raises:
        InputError: by `init`, where there are no positions.
    """

    formula = "mean over positions of x"
    source = "Lin, Chen and Yan 2014, Network In Network, section 3.2"
    choose = "Behind the last convolution or transformer block, in place of Flatten: fewer weights, any size of input."

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        x, counts = self._positions(x)
        if counts is True:
            return x.mean(1), state
        return jnp.where(counts, x, 0.0).sum(1) / jnp.maximum(counts.sum(1), 1), state


class GlobalMaxPool(_GlobalPool):
    """Largest value of each channel over all positions.

    PyTorch: ``AdaptiveMaxPool2d(1)`` and flattened; Keras: ``GlobalMaxPooling1D`` and ``2D``.

    Args:
        padding: positions whose channels all equal this number do not count; left open, all count. Without any that
            counts the output is 0.

    Shapes: ``(batch, ..., channels)`` with at least one axis between to ``(batch, channels)``.

    Raises:
        InputError: by `init`, where there are no positions.
    """

    formula = "max over positions of x"
    source = "Collobert et al. 2011, Natural Language Processing (Almost) from Scratch, section 3.3.2"
    choose = "Where it counts that something occurs, not how often: texts, events in sequences."

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        x, counts = self._positions(x)
        if counts is True:
            return x.max(1), state
        most = jnp.where(counts, x, -jnp.inf).max(1)
        return jnp.where(counts.any(1), most, 0.0), state
