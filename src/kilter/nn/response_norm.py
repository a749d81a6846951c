"""Local response normalization: neighboring channels inhibit each other."""

from dataclasses import KW_ONLY

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.nn.layer import Layer, Params, Shape, State


class LocalResponseNorm(Layer):
    """y_c = x_c / (k + alpha / size * sum of x_j^2 over the ``size`` channels around c)^beta.

    Beyond the first and the last channel there is nothing; of an even ``size`` the odd one lies below c. Krizhevsky,
    Sutskever and Hinton 2012, section 3.3, where alpha is not divided by size, k is 2 and alpha 1e-4; the formula and the
    defaults here are PyTorch's. Keras has none.

    Args:
        size: number of channels in a neighborhood.
        alpha: weight of the mean square.
        beta: power.
        k: what is there without any neighbor.

    Shapes: ``(batch, ..., channels)`` to the same.
    """

    transparent = True
    formula = "x_c / (k + alpha / size sum_{|j - c| <= size / 2} x_j^2)^beta"
    source = "Krizhevsky et al. 2012, section 3.3"
    choose = "To rebuild AlexNet and its time; BatchNorm has taken its place."

    size: int = option(default=5, kinds=int, range="[1, inf)")
    _: KW_ONLY
    alpha: float = number(default=1e-4, range="[0, inf)", scale="log", search=(1e-5, 1.0))
    beta: float = number(default=0.75, range="[0, inf)", search=(0.0, 1.0))
    k: float = number(default=1.0, range="(0, inf)", search=(0.5, 2.0))

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if not shape:
            raise InputError(f"{self!r}: expects an input of shape (..., channels), got ()")
        return (), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        around = ((0, 0),) * (x.ndim - 1) + ((self.size // 2, (self.size - 1) // 2),)
        squares = jnp.pad(jnp.square(x), around)
        total = sum(squares[..., start : start + x.shape[-1]] for start in range(self.size))
        return x * (self.k + self.alpha / self.size * total) ** -self.beta, state
