"""The depthwise convolution: each channel by itself, as a sum of shifted inputs, which stays fast inside loops on a CPU.

XLA's grouped convolution took 40 to 80 times as long inside a ``scan`` on a CPU (forward and gradients, two cores, 32 x 28
x 28 x 32 and like shapes, window 3; ``benchmarks/kernels.py``).
"""

import functools
import itertools
import math
from dataclasses import KW_ONLY

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.nn.convolve import plain
from kilter.nn.layer import Params, Shape, State, Weighted
from kilter.nn.sweep import Sweep
from kilter.nn.window import Padding, Size, frame

# Larger windows would make programs of too many operations.
_FEW = 64


class DepthwiseConv(Weighted):
    """Convolution of each channel by itself, over time or over height and width, channels last.

    y[p, c m + j] = b[c m + j] + sum over q of x[stride * p + dilation * q - padding, c] W[q, 0, c m + j], with m =
    ``multiplier`` and j from 0 to m - 1: a `Conv` of as many groups as channels. PyTorch: ``groups=channels``; Keras:
    ``DepthwiseConv2D``, kernel ``(*window, channels, multiplier)``. ``nn.Chain(nn.DepthwiseConv(3, bias=False),
    nn.Conv(64, 1))`` is Keras's ``SeparableConv2D(64, 3)``.

    Args:
        window: length of the kernel along every spatial axis, or one length an axis.
        multiplier: number of outputs of each channel.
        stride: step between positions.
        padding: ``"same"``, ``"valid"`` or numbers, as in `Conv`.
        dilation: distance between neighboring positions of the window, as in `Conv`.
        bias: whether b is learned; left open, unless a norm right behind takes the mean off again.
        initializer: how W, of shape ``(*window, 1, channels * multiplier)``, is drawn; left open, it is matched to the
            activation that follows.
        bias_initializer: how b, of shape ``(channels * multiplier,)``, is drawn.

    Shapes: ``(batch, length, channels)`` or ``(batch, height, width, channels)`` to the same rank with ``channels *
    multiplier`` channels.

    Raises:
        InputError: by `init`, where the rank does not fit or the window is longer than the padded input.

    >>> import jax, jax.numpy as jnp
    >>> layer = DepthwiseConv(3, stride=2)
    >>> params, state = layer.init(jax.random.key(0), (28, 28, 8))
    >>> layer.apply(params, state, jnp.ones((4, 28, 28, 8)))[0].shape
    (4, 14, 14, 8)
    """

    formula = "y[p, c] = sum_q x[stride p + dilation q - padding, c] W[q, c] + b_c"
    source = "Sifre 2014; Chollet 2017 (Xception); Howard et al. 2017 (MobileNet)"
    choose = "With a Conv of window 1 behind it, in place of a Conv: a fraction of the weights and products."

    window: Size = option(default=3, kinds=(int, tuple), range="[1, inf)")
    multiplier: int = option(default=1, kinds=int, range="[1, inf)")
    _: KW_ONLY
    stride: Size = option(default=1, kinds=(int, tuple), range="[1, inf)")
    padding: Padding = option(default="same", kinds=(int, tuple), choices=("same", "valid"), range="[0, inf)")
    dilation: Size = option(default=1, kinds=(int, tuple), range="[1, inf)")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) not in (2, 3):
            raise InputError(
                f"{self!r}: expects an input of shape (length, channels) or (height, width, channels), got {shape}"
            )
        window, _ = frame(self, shape[:-1])
        return self._draw(key, (*window, 1, shape[-1] * self.multiplier)), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        kernel = params["kernel"]
        _, sweep = frame(self, x.shape[1:-1])
        flat = x.ndim == 3  # a sequence is an image of height one
        y = depthwise(x[:, None], kernel[None], sweep.of_rows)[:, 0] if flat else depthwise(x, kernel, sweep)
        return self._shifted(params, y), state


def depthwise(x: jax.Array, kernel: jax.Array, sweep: Sweep) -> jax.Array:
    """Convolution of each channel of ``x`` (batch, height, width, c) with its own of ``kernel`` (height, width, 1, c m)."""
    window, channels = kernel.shape[:2], x.shape[-1]
    if jax.default_backend() != "cpu" or math.prod(window) > _FEW:
        return plain(x, kernel, sweep, channels)
    stride, _, dilation = sweep
    x = jnp.repeat(sweep.padded(x), kernel.shape[-1] // channels, axis=-1)
    height, width = (n - span + 1 for n, span in zip(x.shape[1:3], sweep.span(window), strict=True))

    def seen(row: int, column: int) -> jax.Array:
        top, left = dilation[0] * row, dilation[1] * column
        return x[:, top : top + height : stride[0], left : left + width : stride[1]] * kernel[row, column, 0]

    return functools.reduce(jax.lax.add, itertools.starmap(seen, itertools.product(*map(range, window))))
