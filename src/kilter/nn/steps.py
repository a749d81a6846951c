"""Which steps of a sequence are real: those whose features do not all equal the padding."""

from typing import Any

import jax
import jax.numpy as jnp


def real_steps(x: jax.Array, padding: Any) -> jax.Array:
    """A mask ``(batch, time)`` of ``(batch, time, features)``, False where all features equal ``padding``."""
    return (x != padding).any(-1)


def keep_padding(y: jax.Array, x: jax.Array, padding: Any) -> jax.Array:
    """``y`` with the steps that are padding in ``x`` as they are there, so that the next layer knows them again."""
    return y if padding is None else jnp.where(real_steps(x, padding)[..., None], y, x)
