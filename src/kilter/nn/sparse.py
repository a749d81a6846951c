"""Sparse initialization: few connections a unit, each of them strong."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.nn.initializer import Initializer, Shape, fans
from kilter.nn.unscaled import fill_std


class Sparse(Initializer):
    """Each unit sees ``nonzeros`` random inputs through weights from N(0, std^2), and the others through zeros.

    The spread of a unit's input does not depend on how many inputs there are. PyTorch's ``sparse_`` takes the share of
    zeros instead.

    Args:
        nonzeros: inputs that a unit sees; all where there are fewer.
        std: standard deviation of the weights that are not zero; read back as ``scale``. The source has 1 for tanh and
            sigmoid units on 15 inputs.
    """

    formula = "N(0, std^2) for `nonzeros` inputs of each unit, 0 for the others"
    source = "Martens 2010, Deep learning via Hessian-free optimization, section 5"
    choose = "For second-order training of deep autoencoders, and so that units start different from each other."

    nonzeros: int = option(default=15, kinds=int, range="[1, inf)")
    scale: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.03, 1.0))

    def __init__(self, nonzeros: int = 15, std: float = 1.0) -> None:
        fill_std(self, std, nonzeros=nonzeros)

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        size, order = jax.random.split(key)
        matrix = (math.prod(shape[:-1]), shape[-1])
        seen = jnp.argsort(jax.random.uniform(order, matrix), axis=0)[: self.nonzeros]
        mask = jnp.zeros(matrix, jnp.float32).at[seen, jnp.arange(shape[-1])].set(1.0)
        return self.scale * (mask * jax.random.normal(size, matrix)).reshape(shape)

    def std(self, shape: Shape) -> Any:
        """Std * sqrt(share of weights that are not zero)."""
        return self.scale * min(self.nonzeros / fans(shape)[0], 1.0) ** 0.5
