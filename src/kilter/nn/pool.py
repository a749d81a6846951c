"""Pooling over windows of a sequence or an image."""

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.nn.layer import Layer, Params, Shape, State
from kilter.nn.window import Padding, Size, pads, sizes

# Windows of at most this many positions are taken apart into strided slices, whose gradient is two to three times as fast
# on a CPU as that of a reduction over windows or over reshaped axes; in larger ones the slices would be too many.
_FEW = 16


class _Pool(Layer, abstract=True):
    """Base of the pooling layers: windows over all axes between batch and channels."""

    transparent = True

    window: Size = option(default=2, kinds=(int, tuple), range="[1, inf)")
    stride: Size | None = option(default=None, kinds=(int, tuple), range="[1, inf)", optional=True)
    _: KW_ONLY
    padding: Padding = option(default="valid", kinds=(int, tuple), choices=("valid", "same"), range="[0, inf)")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) not in (2, 3):
            raise InputError(
                f"{self!r}: expects an input of shape (length, channels) or (height, width, channels), got {shape}"
            )
        self._frame(shape)
        return (), ()

    def _frame(self, shape: Shape) -> tuple[Shape, Shape, tuple[tuple[int, int], ...]]:
        """Window, stride and padding by spatial axis."""
        space = shape[:-1]
        window = sizes(self, "window", self.window, len(space))
        stride = window if self.stride is None else sizes(self, "stride", self.stride, len(space))
        padding = pads(self, self.padding, space, window, stride)
        if any(max(both) >= size for both, size in zip(padding, window, strict=True)):
            raise InputError(f"{self!r}: padding must be below the window {window}, or a window would hold no input")
        return window, stride, padding

    def _reduce(self, x: jax.Array, start: float, combine: Callable[[Any, Any], Any]) -> jax.Array:
        """Combine what the positions of each window see; ``start`` is what padding holds."""
        window, stride, padding = self._frame(x.shape[1:])
        if math.prod(window) > _FEW:
            whole = (1, *window, 1), (1, *stride, 1), ((0, 0), *padding, (0, 0))
            return jax.lax.reduce_window(x, start, combine, *whole)
        if any(map(any, padding)):
            x = jnp.pad(x, ((0, 0), *padding, (0, 0)), constant_values=start)
        counts = [(n - w) // s + 1 for n, w, s in zip(x.shape[1:-1], window, stride, strict=True)]

        def seen(offset: Shape) -> jax.Array:
            places = zip(offset, counts, stride, strict=True)
            return x[(slice(None), *(slice(o, o + (count - 1) * s + 1, s) for o, count, s in places))]

        return functools.reduce(combine, map(seen, itertools.product(*map(range, window))))


class MaxPool(_Pool):
    """Largest value of each window and channel.

    Args:
        window: length of a window along every spatial axis, or one length an axis.
        stride: step between windows; the window itself when left open.
        padding: ``"valid"`` (whole windows only), ``"same"``, or numbers of positions added at both ends.
    """

    formula = "max over the window of x"
    source = "Weng et al. 1992 (Cresceptron); Scherer, Müller and Behnke 2010"
    choose = "Between convolutions, where it counts that a pattern is there, not quite where."

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return self._reduce(x, -jnp.inf, jax.lax.max), state


class AvgPool(_Pool):
    """Mean of each window and channel; positions that padding adds do not count (as in Keras; PyTorch counts them).

    Args:
        window: length of a window along every spatial axis, or one length an axis.
        stride: step between windows; the window itself when left open.
        padding: ``"valid"`` (whole windows only), ``"same"``, or numbers of positions added at both ends.
    """

    formula = "mean over the window of x"
    source = "LeCun et al. 1989; LeCun et al. 1998, section 2"
    choose = "Where all of a window counts alike: smooth signals, and the shortcuts of residual nets."

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        total = self._reduce(x, 0.0, jax.lax.add)
        padded = any(map(any, self._frame(x.shape[1:])[2]))
        window = sizes(self, "window", self.window, x.ndim - 2)
        count = self._reduce(jnp.ones_like(x[:1, ..., :1]), 0.0, jax.lax.add) if padded else math.prod(window)
        return total / count, state
