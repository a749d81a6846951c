"""The transposed convolution: a convolution's gradient in its input, which spreads a signal over more positions."""

import math
from dataclasses import KW_ONLY

import jax

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.nn.convolve import plain_transposed, transposed
from kilter.nn.initializers import Matched
from kilter.nn.layer import Params, Shape, State, Weighted
from kilter.nn.precision import narrowed
from kilter.nn.sweep import Sweep
from kilter.nn.window import Padding, Size, pads, sizes, steps


class ConvTranspose(Weighted):
    """Transposed convolution over time or over height and width, channels last; the rank of the input decides which.

    y[stride * p + dilation * q - padding, o] = b[o] + sum over p, q, c of x[p, c] W[q, c, o]: what flows back through a
    `Conv` of the same window, stride, padding and dilation. PyTorch's ``ConvTranspose1d`` and ``2d``, whose kernel is
    ``(in, out, *window)``, with ``output_padding`` as ``"same"`` needs it; Keras' ``"valid"`` is longer where the stride is
    longer than the window, and its layers take no dilation beside a stride.

    On a CPU inside a loop, gradients are those of `kilter.nn.convolve`: XLA's own took 17 to 43 times as long for 64
    images of 7 x 7 x 64 to 14 x 14 x 32 and like ones (two cores; ``benchmarks/kernels.py``).

    Args:
        units: number of output channels.
        window: length of the kernel along every spatial axis, or one length an axis.
        stride: step between the places to which neighboring inputs are spread.
        padding: ``"same"`` (length times stride positions, the odd one cut off behind, as in Keras), ``"valid"``
            ((length - 1) * stride + span), or numbers below the span, cut off at both ends; the window spans dilation *
            (window - 1) + 1 positions.
        dilation: distance between the neighboring positions to which the window spreads an input. Where it shares a
            divisor with the stride, some outputs get nothing but b.
        bias: whether b is learned; left open, unless a norm right behind takes the mean off again.
        initializer: how W, of shape ``(*window, in, units)``, is drawn; left open, it is matched to the activation that
            follows, and larger by the root of the stride, as each output sees but every stride-th position of the window;
            of the stride over its greatest common divisor with the dilation.
        bias_initializer: how b, of shape ``(units,)``, is drawn.

    Shapes: ``(batch, length, in)`` or ``(batch, height, width, in)`` to the same rank with ``units`` channels.

    Raises:
        InputError: by `init`, where the rank does not fit or padding leaves no position.

    >>> import jax, jax.numpy as jnp
    >>> layer = ConvTranspose(8, 4, stride=2)
    >>> params, state = layer.init(jax.random.key(0), (7, 7, 3))
    >>> layer.apply(params, state, jnp.ones((4, 7, 7, 3)))[0].shape
    (4, 14, 14, 8)
    """

    formula = "y[stride p + dilation q - padding] = sum_(p, q) x[p] W[q] + b"
    source = "Zeiler, Krishnan, Taylor and Fergus 2010; Dumoulin and Visin 2016, section 4"
    choose = "To make images or sequences larger: decoders, generators; windows that the stride divides leave no grid."

    units: int = option(kinds=int, range="[1, inf)")
    window: Size = option(default=3, kinds=(int, tuple), range="[1, inf)")
    _: KW_ONLY
    stride: Size = option(default=1, kinds=(int, tuple), range="[1, inf)")
    padding: Padding = option(default="same", kinds=(int, tuple), choices=("same", "valid"), range="[0, inf)")
    dilation: Size = option(default=1, kinds=(int, tuple), range="[1, inf)")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) not in (2, 3):
            raise InputError(
                f"{self!r}: expects an input of shape (length, channels) or (height, width, channels), got {shape}"
            )
        window, (stride, _, dilation), _ = self._frame(shape[:-1])
        params = self._draw(key, (*window, shape[-1], self.units))
        if isinstance(self.initializer, Matched | None):
            seen = math.prod(min(w, s // math.gcd(s, d)) for w, s, d in zip(window, stride, dilation, strict=True))
            params["kernel"] = params["kernel"] * math.sqrt(seen)
        return params, ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        _, sweep, space = self._frame(x.shape[1:-1])
        kernel = params["kernel"]
        if len(space) == 1:  # a sequence is an image of height one
            y = _spread(x[:, None], kernel[None], sweep.of_rows, (1, *space))[:, 0]
        else:
            y = _spread(x, kernel, sweep, space)
        return self._shifted(params, y), state

    def _frame(self, given: Shape) -> tuple[Shape, Sweep, Shape]:
        """Window and sweep of the convolution that is undone, and the lengths of the output."""
        window, sweep = steps(self, len(given))
        stride, span = sweep.stride, sweep.span(window)
        if self.padding == "same":
            space = tuple(n * s for n, s in zip(given, stride, strict=True))
            return window, sweep._replace(padding=pads(self, "same", space, span, stride)), space
        each = sizes(self, "padding", 0 if isinstance(self.padding, str) else self.padding, len(given))
        space = tuple((n - 1) * s + w - 2 * p for n, s, w, p in zip(given, stride, span, each, strict=True))
        if min(space) < 1 or any(p >= w for p, w in zip(each, span, strict=True)):
            raise InputError(f"{self!r}: padding must be below the window's span {span} and leave positions of {given}")
        return window, sweep._replace(padding=tuple((p, p) for p in each)), space


@narrowed
def _spread(x: jax.Array, kernel: jax.Array, sweep: Sweep, space: Shape) -> jax.Array:
    """With gradients of our own only where XLA's are slow."""
    on_cpu = jax.default_backend() == "cpu"
    return (transposed if on_cpu else plain_transposed)(x, kernel, sweep, space)
