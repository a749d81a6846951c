"""The ramp: a straight line held between two levels, which all the `Hard` activations are settings of."""

from typing import Any

import jax
import jax.numpy as jnp


def ramp(x: Any, low: float, high: float, slope: float = 1.0, offset: float = 0.0) -> jax.Array:
    """Slope * x + offset, held between ``low`` and ``high``; its gradient is 0 on the edges, as in PyTorch."""
    y = slope * jnp.asarray(x) + offset
    return jnp.where(y <= low, low, jnp.where(y >= high, high, y))


def ramp_slope(x: Any, low: float, high: float, slope: float = 1.0, offset: float = 0.0) -> jax.Array:
    """Derivative of `ramp`: ``slope`` strictly between the edges, else 0."""
    y = slope * jnp.asarray(x) + offset
    return jnp.where((y > low) & (y < high), slope, 0.0).astype(y.dtype)
