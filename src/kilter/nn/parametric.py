"""An activation whose strength is learned, from the identity to the activation itself and beyond."""

from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number, part
from kilter.nn.activation import Activation
from kilter.nn.exponentials import SELU
from kilter.nn.layer import Params, Shape, State


class Parametric(Activation):
    """f(x) = x + alpha (g(x) - x), with the strength alpha learned for each channel (the last axis).

    0 is the identity, 1 the activation g. Called directly, and in its derivative and gain, it has the strength that it
    starts with. Holzmüller et al. 2024 (RealMLP), section 3: g is SELU for classes and Mish for numbers. Neither PyTorch
    nor Keras has it; with ReLU it is `PReLU` of slope 1 - alpha.

    Args:
        activation: g, element-wise.
        start: where the strengths start.

    Shapes: ``(batch, ..., channels)`` to the same; parameters ``{"alpha": (channels,)}``.

    Raises:
        InputError: g is not element-wise, or, by `init`, the input has no channels.
    """

    paddable = True
    formula = "x + alpha_c (g(x) - x), alpha learned"
    source = "Holzmüller et al. 2024 (RealMLP), section 3"
    choose = "On tables, in networks of three hidden layers and more that may want to be half linear."

    activation: Activation = part(default=SELU(), kinds=Activation)
    start: float = number(default=1.0, range="(-inf, inf)", search=(0.0, 1.0))

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        if not self.activation.elementwise:
            raise InputError(f"Parametric({self.activation!r}): the activation must be element-wise")

    def __call__(self, x: Any) -> jax.Array:
        x = jnp.asarray(x)
        return _blend(x, self.activation(x), self.start)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if not shape:
            raise InputError(f"{self!r}: expects an input of shape (..., channels), got ()")
        return {"alpha": jnp.full(shape[-1], self.start, jnp.float32)}, ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return _blend(x, self.activation(x), params["alpha"]), state


def _blend(x: jax.Array, y: jax.Array, alpha: Any) -> jax.Array:
    """X + alpha (y - x), in the form that is exactly y for alpha = 1, however large x is."""
    return (1.0 - alpha) * x + alpha * y
