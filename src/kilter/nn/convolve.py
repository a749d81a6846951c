"""Convolution with gradients of its own, because XLA's default weight gradient is slow inside loops on a CPU.

Measured on two cores inside a ``scan``: a two-layer net took 2600 ms a step with the default gradient and 45 ms outside a
loop. Here the forward pass and the gradient of the input are stated as plain convolutions, which stay fast in loops, and
the gradient of the weights as matrix products over pieces of the batch small enough to stay in cache.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp

from kilter.core.spreading import by_device, ways

Pair = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]

_LAYOUT = ("NHWC", "HWIO", "NHWC")
# Bytes of shifted input that one piece of the batch may hold; half and twice as many are as good.
_PIECE_BYTES = 1 << 21
# At most this many channels are few.
_NARROW = 8
_DENSE = (1, 1)


def plain(
    x: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, dilation: Pair = _DENSE, groups: int = 1
) -> jax.Array:
    """Convolution of ``x`` (batch, height, width, in) with ``kernel`` (height, width, in / groups, out)."""
    return jax.lax.conv_general_dilated(
        x, kernel, stride, padding, None, dilation, dimension_numbers=_LAYOUT, feature_group_count=groups
    )


def _direct(x: jax.Array, kernel: jax.Array, padding: Pads, dilation: Pair) -> jax.Array:
    """`plain` with a stride of 1; of few channels, in or out, as matrix products over pieces of the batch.

    XLA's convolution makes little of a processor's vectors there: at 32 x 32 it takes 2.1 ms from 3 to 16 channels and 4.0
    ms from 16 to 3, products 1.2 and 1.4; from one channel to 32 at 28 x 28, 2.7 and 0.9.
    """
    if kernel.shape[0] == 1 or min(kernel.shape[2:]) > _NARROW:
        return plain(x, kernel, (1, 1), padding, dilation)
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    piece = partial(_by_window if kernel.shape[2] == 1 else _by_rows, kernel=kernel, dilation=dilation)
    size = _piece_size(x, x.shape[2], kernel.shape[1], _PIECE_BYTES)
    if size == len(x):
        return piece(x)
    y = jax.lax.map(piece, x.reshape(-1, size, *x.shape[1:]))
    return y.reshape(len(x), *y.shape[2:])


def _by_rows(x: jax.Array, *, kernel: jax.Array, dilation: Pair) -> jax.Array:
    """A convolution by rows of the window, which share one product."""
    high, wide, inputs, units = kernel.shape
    down, across = dilation
    height, width = x.shape[1] - down * (high - 1), x.shape[2] - across * (wide - 1)
    weights = kernel.transpose(1, 2, 0, 3).reshape(wide * inputs, high * units)
    shifted = _shifted(x, wide, width, 1, across)
    found = (_flat(shifted) @ weights).reshape(*shifted.shape[:3], high, units)
    rows = (found[:, down * i : down * i + height, :, i] for i in range(1, high))
    return sum(rows, found[:, :height, :, 0])


def _by_window(x: jax.Array, *, kernel: jax.Array, dilation: Pair) -> jax.Array:
    """A convolution by one product of all that the window sees, place by place."""
    high, wide, _, units = kernel.shape
    down, across = dilation
    height, width = x.shape[1] - down * (high - 1), x.shape[2] - across * (wide - 1)
    places = [(down * i, across * j) for i in range(high) for j in range(wide)]
    seen = jnp.concatenate([x[:, i : i + height, j : j + width] for i, j in places], -1)
    return (_flat(seen) @ kernel.reshape(-1, units)).reshape(*seen.shape[:3], units)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def convolve(x: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, dilation: Pair = _DENSE) -> jax.Array:
    """The same as `plain` with one group; its gradients are fast inside loops on a CPU."""
    return _convolved(x, kernel, stride, padding, dilation)


def _convolved(x: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, dilation: Pair) -> jax.Array:
    """Apart from the rule for gradients, so that these can be differentiated forward."""
    if stride == (1, 1):
        return _direct(x, kernel, padding, dilation)
    return plain(x, kernel, stride, padding, dilation)


def _forward(
    x: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, dilation: Pair
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolved(x, kernel, stride, padding, dilation), (x, kernel)


def _backward(
    stride: Pair, padding: Pads, dilation: Pair, saved: tuple[jax.Array, jax.Array], dy: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    by_x = _input_gradient(dy, kernel, stride, padding, dilation, x.shape[1:3])
    return by_x, _kernel_gradient(x, dy, kernel, stride, padding, dilation)


convolve.defvjp(_forward, _backward)


def grouped(
    x: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, dilation: Pair = _DENSE, groups: int = 1
) -> jax.Array:
    """The same as `plain`, by `convolve` of one group of channels after the other.

    XLA's grouped convolution took 5 to 28 times as long inside a ``scan`` on a CPU: forward and gradients, one core, 2
    to 32 groups, 32 images of 14 x 14 with 64 and 128 channels, window 3 (``benchmarks/kernels.py``).
    """
    if groups == 1:
        return convolve(x, kernel, stride, padding, dilation)

    def apart(channels: jax.Array) -> jax.Array:
        return jnp.moveaxis(channels.reshape(*channels.shape[:-1], groups, -1), -2, 0)

    y = jax.lax.map(lambda own: convolve(*own, stride, padding, dilation), (apart(x), apart(kernel)))
    return jnp.moveaxis(y, 0, -2).reshape(*y.shape[1:-1], -1)


def plain_transposed(
    x: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, space: Pair, dilation: Pair = _DENSE
) -> jax.Array:
    """The gradient of `plain` in its input: ``x`` (batch, height, width, in) spread over ``space`` by ``kernel``.

    ``kernel`` is (height, width, in, out); ``stride``, ``padding`` and ``dilation`` are those of the convolution that it
    undoes.
    """
    around = _around(x.shape[1:3], kernel.shape, stride, padding, dilation, space)
    turned = kernel[::-1, ::-1]
    return jax.lax.conv_general_dilated(x, turned, (1, 1), around, stride, dilation, dimension_numbers=_LAYOUT)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4, 5))
def transposed(
    x: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, space: Pair, dilation: Pair = _DENSE
) -> jax.Array:
    """The same as `plain_transposed`; its gradients, those of `convolve` with parts changed, are fast inside loops."""
    return _input_gradient(x, kernel.swapaxes(2, 3), stride, padding, dilation, space)


def _forward_transposed(
    x: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, space: Pair, dilation: Pair
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _input_gradient(x, kernel.swapaxes(2, 3), stride, padding, dilation, space), (x, kernel)


def _backward_transposed(
    stride: Pair, padding: Pads, space: Pair, dilation: Pair, saved: tuple[jax.Array, jax.Array], dy: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    turned = kernel.swapaxes(2, 3)
    by_kernel = _kernel_gradient(dy, x, turned, stride, padding, dilation).swapaxes(2, 3)
    return plain(dy, turned, stride, padding, dilation), by_kernel


transposed.defvjp(_forward_transposed, _backward_transposed)


def _input_gradient(
    dy: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, dilation: Pair, space: Pair
) -> jax.Array:
    """Convolutions of the output gradient with the kernel turned in space and its channels swapped, interleaved.

    Inputs whose places have the same remainder by the stride see the same positions of the window: a small convolution for
    each remainder, where one of an output gradient with zeros between would mostly multiply these.
    """
    counts = [-(-n // step) for n, step in zip(space, stride, strict=True)]
    part = partial(_remainder, dy, kernel, stride, padding, dilation, counts)
    found = [jnp.stack([part((i, j)) for j in range(stride[1])], 3) for i in range(stride[0])]
    whole = jnp.stack(found, 2).reshape(len(dy), counts[0] * stride[0], counts[1] * stride[1], -1)
    return whole[:, : space[0], : space[1]]


def _remainder(
    dy: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, dilation: Pair, counts: list[int], remainder: Pair
) -> jax.Array:
    """Gradient of the inputs at ``remainder + stride * (0, 1, ...)``, ``counts`` of them along each axis.

    Output p sees the input at stride p + dilation q - padding with position q of the window. So these inputs are seen by
    every (stride / g)-th position from the first on, g the greatest common divisor of stride and dilation, and two such
    positions by outputs that are dilation / g apart.
    """
    around, apart, nothing = [], [], jnp.zeros((len(dy), *counts, kernel.shape[2]), dy.dtype)
    for axis in (0, 1):
        step, gap, place = stride[axis], dilation[axis], remainder[axis] + padding[axis][0]
        first = next((q for q in range(kernel.shape[axis]) if (place - gap * q) % step == 0), None)
        if first is None:
            return nothing
        common = math.gcd(step, gap)
        kernel = jax.lax.slice_in_dim(kernel, first, None, step // common, axis)
        apart.append(gap // common)
        last = (place - gap * first) // step  # output that sees the first of the inputs with the first of the positions
        start, stop = last - apart[axis] * (kernel.shape[axis] - 1), last + counts[axis]
        low, high = max(start, 0), min(stop, dy.shape[1 + axis])
        if low >= high:
            return nothing
        dy = jax.lax.slice_in_dim(dy, low, high, axis=1 + axis)
        around.append((low - start, stop - high))
    return _direct(dy, kernel[::-1, ::-1].swapaxes(2, 3), tuple(around), tuple(apart))


def _around(
    outputs: Pair, window: Pair, stride: Pair, padding: Pads, dilation: Pair, space: Pair
) -> list[tuple[int, int]]:
    """Positions to put around an output gradient, spaced by the stride, for a window on it to reach all inputs."""
    around = []
    for axis in (0, 1):
        span = dilation[axis] * (window[axis] - 1)
        before = span - padding[axis][0]
        reached = (outputs[axis] - 1) * stride[axis] + 1
        around.append((before, space[axis] + span - reached - before))
    return around


def _kernel_gradient(
    x: jax.Array, dy: jax.Array, kernel: jax.Array, stride: Pair, padding: Pads, dilation: Pair
) -> jax.Array:
    """Sum over the batch of (shifted input)^T (output gradient); where devices share it, each sums over its own rows."""
    summed = partial(_summed, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    return summed(x, dy) if ways() == 1 else jax.vmap(summed)(by_device(x), by_device(dy)).sum(0)


def _summed(
    x: jax.Array, dy: jax.Array, *, kernel: jax.Array, stride: Pair, padding: Pads, dilation: Pair
) -> jax.Array:
    """The same, over pieces of the batch."""
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    one = x.shape[3] == 1
    size = _piece_size(x, dy.shape[2], kernel.shape[1], _PIECE_BYTES)
    form = _products_of_one if one else _products
    piece = partial(form, window=kernel.shape[:2], stride=stride, dilation=dilation)
    if size == len(x):
        total = piece(x, dy)
    else:
        pieces = (x.reshape(-1, size, *x.shape[1:]), dy.reshape(-1, size, *dy.shape[1:]))
        like = jax.eval_shape(piece, *(each[0] for each in pieces))
        start = jnp.zeros(like.shape, like.dtype)
        total, _ = jax.lax.scan(lambda sum_, each: (sum_ + piece(*each), None), start, pieces)
    return (total if one else total.swapaxes(1, 2)).reshape(kernel.shape)


def _products(x: jax.Array, dy: jax.Array, *, window: Pair, stride: Pair, dilation: Pair) -> jax.Array:
    """(output gradient)^T (shifted input) for each row of the window; of few channels, for all rows in one product."""
    rows = _rows(x, dy, window, stride, dilation)
    rows = [jnp.concatenate(rows, -1)] if x.shape[3] <= min(_NARROW, dy.shape[3]) else rows
    return jnp.stack([jnp.tensordot(_flat(dy), _flat(row), (0, 0)) for row in rows])


def _products_of_one(x: jax.Array, dy: jax.Array, *, window: Pair, stride: Pair, dilation: Pair) -> jax.Array:
    """(shifted input)^T (output gradient): one channel, shifted or not, is the narrower."""
    rows = _rows(x, dy, window, stride, dilation)
    return jnp.stack([jnp.tensordot(_flat(row), _flat(dy), (0, 0)) for row in rows])


def _flat(x: jax.Array) -> jax.Array:
    """All positions of all images under each other."""
    return x.reshape(-1, x.shape[-1])


def _rows(x: jax.Array, dy: jax.Array, window: Pair, stride: Pair, dilation: Pair) -> list[jax.Array]:
    """What each row of the window sees, shifted along the width into the channels."""
    shifted = _shifted(x, window[1], dy.shape[2], stride[1], dilation[1])
    reach = (dy.shape[1] - 1) * stride[0] + 1
    return [shifted[:, i : i + reach : stride[0]] for i in range(0, dilation[0] * window[0], dilation[0])]


def _piece_size(x: jax.Array, width: int, window: int, most: int) -> int:
    """Images in a piece of the batch, of ``most`` bytes of shifted input."""
    bytes_each = 4 * x.shape[1] * width * window * x.shape[3]
    return _divisor(len(x), max(1, most // bytes_each))


def _shifted(x: jax.Array, window: int, width: int, stride: int, dilation: int) -> jax.Array:
    """What a window sees along the width, side by side in the channels."""
    reach = (width - 1) * stride + 1
    return jnp.concatenate([x[:, :, j : j + reach : stride] for j in range(0, dilation * window, dilation)], -1)


def _divisor(number: int, limit: int) -> int:
    """Largest divisor of ``number`` that is at most ``limit``."""
    return next(size for size in range(min(number, limit), 0, -1) if number % size == 0)
