"""Dropout."""

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.nn.layer import Layer, Params, State


class Dropout(Layer):
    """Zeroes each number with probability ``rate`` while training and divides the rest by 1 - rate.

    The mean of every signal stays what it is at inference, where the layer does nothing (inverted dropout).
    Srivastava et al. 2014, section 10. ``rate`` is the probability to drop, as in PyTorch and Keras.
    """

    transparent = True

    rate: float = number(default=0.5, range="[0, 1)", search=(0.0, 0.7))

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        if key is None:
            return x, state
        kept = jax.random.bernoulli(key, 1.0 - self.rate, x.shape)
        return jnp.where(kept, x / (1.0 - self.rate), 0.0), state
