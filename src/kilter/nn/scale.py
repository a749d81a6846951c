"""A learned factor for each feature."""

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.nn.layer import Layer, Params, Shape, State


class Scale(Layer):
    """y = scale * x + shift, a factor and perhaps an offset learned for each feature (the last axis).

    First in a net it learns which features matter (RealMLP's scaling layer, there at six times the learning rate: see
    `optim.PerPart`); last in the body of a `Residual` with ``start=1e-4`` it is LayerScale, which opens deep nets slowly.
    PyTorch and Keras have neither.

    Args:
        start: where the factors start.
        shift: whether an offset is learned too (starts at 0).

    Shapes: ``(batch, ..., features)`` to the same. Parameters ``{"scale": (features,), "shift": (features,)}``.

    Raises:
        InputError: by `init`, where the input has no features.
    """

    paddable = True
    transparent = True
    formula = "scale x + shift"
    source = "Holzmüller et al. 2024 (RealMLP); Touvron et al. 2021 (CaiT, LayerScale), equation 5"
    choose = "First on tables with features of little use; start=1e-4 last in the bodies of deep residual nets."

    start: float = number(default=1.0, range="(-inf, inf)", search=(0.0, 1.0))
    shift: bool = option(default=False, kinds=bool)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if not shape:
            raise InputError(f"{self!r}: expects an input of shape (..., features), got ()")
        params = {"scale": jnp.full(shape[-1], self.start, jnp.float32)}
        return params | ({"shift": jnp.zeros(shape[-1])} if self.shift else {}), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        y = x * params["scale"]
        return (y + params["shift"] if self.shift else y), state
