"""The convolution layer, for sequences and images."""

from dataclasses import KW_ONLY

import jax

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.nn.convolve import grouped, plain
from kilter.nn.depthwise import depthwise
from kilter.nn.layer import Params, Shape, State, Weighted
from kilter.nn.precision import narrowed
from kilter.nn.sweep import Sweep
from kilter.nn.window import Padding, Size, frame


class Conv(Weighted):
    """Convolution over time or over height and width, channels last; the rank of the input decides which.

    y[p, o] = b[o] + sum over q, c of x[stride * p + dilation * q - padding, c] W[q, c, o] (a cross-correlation, as
    everywhere).

    Args:
        units: number of output channels.
        window: length of the kernel along every spatial axis, or one length an axis.
        stride: step between positions.
        padding: ``"same"`` (as many positions as the input has, over stride; PyTorch's default is none), ``"valid"``
            (none), or numbers of positions added at both ends.
        dilation: distance between neighboring positions of the window, which then spans dilation * (window - 1) + 1
            positions of the input with as many weights: dilations of 1, 2, 4, ... in a row see exponentially far.
        groups: number of groups of channels that do not see each other; must divide inputs and ``units``.
        bias: whether b is learned; left open, unless a norm right behind takes the mean off again.
        initializer: how W, of shape ``(*window, in / groups, units)``, is drawn; left open, it is matched to the
            activation that follows.
        bias_initializer: how b, of shape ``(units,)``, is drawn.

    Shapes: ``(batch, length, in)`` or ``(batch, height, width, in)`` to the same rank with ``units`` channels.

    Raises:
        InputError: by `init`, where the rank does not fit, groups do not divide the channels, or the window spans more than
            the padded input.

    >>> import jax, jax.numpy as jnp
    >>> layer = Conv(8, 3, stride=2)
    >>> params, state = layer.init(jax.random.key(0), (28, 28, 1))
    >>> layer.apply(params, state, jnp.ones((4, 28, 28, 1)))[0].shape
    (4, 14, 14, 8)
    >>> wide = Conv(8, 3, dilation=4, padding="valid")
    >>> wide.apply(wide.init(jax.random.key(0), (20, 2))[0], (), jnp.ones((4, 20, 2)))[0].shape
    (4, 12, 8)
    """

    formula = "y[p] = sum_q x[stride p + dilation q - padding] W[q] + b"
    source = (
        "LeCun et al. 1989; LeCun et al. 1998, section 2; dilation: van den Oord et al. 2016, WaveNet, section 2.1; Yu and "
        "Koltun 2016, Multi-Scale Context Aggregation by Dilated Convolutions, section 2"
    )
    choose = "Images and sequences, where a pattern means the same wherever it stands."

    units: int = option(kinds=int, range="[1, inf)")
    window: Size = option(default=3, kinds=(int, tuple), range="[1, inf)")
    _: KW_ONLY
    stride: Size = option(default=1, kinds=(int, tuple), range="[1, inf)")
    padding: Padding = option(default="same", kinds=(int, tuple), choices=("same", "valid"), range="[0, inf)")
    dilation: Size = option(default=1, kinds=(int, tuple), range="[1, inf)")
    groups: int = option(default=1, kinds=int, range="[1, inf)")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) not in (2, 3):
            raise InputError(
                f"{self!r}: expects an input of shape (length, channels) or (height, width, channels), got {shape}"
            )
        if shape[-1] % self.groups or self.units % self.groups:
            raise InputError(
                f"{self!r}: groups={self.groups} must divide both the {shape[-1]} inputs and {self.units} units"
            )
        window, _ = frame(self, shape[:-1])
        return self._draw(key, (*window, shape[-1] // self.groups, self.units)), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        kernel = params["kernel"]
        _, sweep = frame(self, x.shape[1:-1])
        if x.ndim == 3:  # a sequence is an image of height one
            y = self._convolve(x[:, None], kernel[None], sweep.of_rows)[:, 0]
        else:
            y = self._convolve(x, kernel, sweep)
        return self._shifted(params, y), state

    def _convolve(self, x: jax.Array, kernel: jax.Array, sweep: Sweep) -> jax.Array:
        if self.groups == x.shape[-1] > 1:
            return narrowed(depthwise)(x, kernel, sweep)
        if jax.default_backend() != "cpu":
            return narrowed(plain)(x, kernel, sweep, self.groups)
        if any(max(both) >= size for both, size in zip(sweep.padding, sweep.span(kernel.shape[:2]), strict=True)):
            x, sweep = sweep.padded(x), sweep._replace(padding=((0, 0), (0, 0)))
        return narrowed(grouped)(x, kernel, sweep, self.groups)
