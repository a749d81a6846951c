"""Code that runs on NumPy arrays at once and on JAX arrays inside compiled programs."""

from typing import Any

import numpy as np
from jax import numpy as jnp


def namespace(array: Any) -> Any:
    """The module whose functions fit the array: NumPy for its own arrays, else ``jax.numpy``."""
    return np if isinstance(array, np.ndarray | np.generic) else jnp
