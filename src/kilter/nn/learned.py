"""Rectifiers whose slope below zero is learned, or drawn while training."""

from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number
from kilter.nn.layer import Params, Shape, State
from kilter.nn.rectifiers import Leaky, leak


class PReLU(Leaky):
    """f(x) = x for x > 0, slope * x elsewhere, with a learned slope per channel (the last axis).

    Called directly, and in its derivative and gain, it has the slope that it starts with. PyTorch shares one slope among
    all channels by default; Keras learns one for every position too and starts at 0.

    Args:
        slope: where the slopes start.

    Shapes: ``(batch, ..., channels)`` to the same; parameters ``{"slope": (channels,)}``.

    Raises:
        InputError: the input has no channels.
    """

    paddable = True
    formula = "x if x > 0 else slope_c * x, slope learned"
    source = "He, Zhang, Ren and Sun 2015, Delving Deep into Rectifiers, section 2.1"
    choose = "Where a few parameters more are no matter and the best slope is not known."

    slope: float = number(default=0.25, range="(-inf, inf)", search=(0.0, 0.5))

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if not shape:
            raise InputError(f"{self!r}: expects an input of shape (..., channels), got ()")
        return {"slope": jnp.full(shape[-1], self.slope, jnp.float32)}, ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return leak(x, params["slope"]), state

    def below(self) -> Any:
        return self.slope


class RReLU(Leaky):
    """f(x) = x for x > 0, slope * x elsewhere; slope ~ U(low, high) per value while training, their mean at inference.

    Called directly, and in its derivative and gain, it has the mean slope.

    Args:
        low: smallest slope.
        high: largest slope; must not be below ``low``.

    Raises:
        InputError: ``low`` is above ``high``.
    """

    draws = True
    formula = "x if x > 0 else slope * x, slope ~ U(low, high)"
    source = "Xu, Wang, Chen and Li 2015, Empirical Evaluation of Rectified Activations in Convolutional Network"
    choose = "On small data, where a leaky ReLU overfits: its random slopes regularize."

    low: float = number(default=1 / 8, range="[0, inf)", search=(0.0, 0.25))
    high: float = number(default=1 / 3, range="[0, inf)", search=(0.25, 0.5))

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        if isinstance(self.low, float) and isinstance(self.high, float) and self.low > self.high:
            raise InputError(f"RReLU(low={self.low!r}, high={self.high!r}): low must be at most high")

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        if key is None:
            return self(x), state
        share = jax.random.uniform(key, x.shape, x.dtype)
        return leak(x, self.low + (self.high - self.low) * share), state

    def below(self) -> Any:
        return (self.low + self.high) / 2
