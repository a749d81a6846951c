"""Convolutions and their weight gradients as matrix products, over pieces of the batch that fit into the cache."""

from functools import partial

import jax
import jax.numpy as jnp

from kilter.core.spreading import by_device, ways
from kilter.nn.sweep import Pair, Sweep

# Bytes of shifted input that one piece of the batch may hold; half and twice as many are as good.
_PIECE_BYTES = 1 << 21
# At most this many channels are few.
NARROW = 8


def convolved(x: jax.Array, kernel: jax.Array, sweep: Sweep) -> jax.Array:
    """A convolution with a stride of 1."""
    x = sweep.padded(x)
    piece = partial(_by_window if kernel.shape[2] == 1 else _by_rows, kernel=kernel, dilation=sweep.dilation)
    size = _piece_size(x, x.shape[2], kernel.shape[1])
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


def kernel_gradient(x: jax.Array, dy: jax.Array, kernel: jax.Array, sweep: Sweep) -> jax.Array:
    """Sum over the batch of (shifted input)^T (output gradient); where devices share it, each sums over its own rows."""
    summed = partial(_summed, kernel=kernel, sweep=sweep)
    return summed(x, dy) if ways() == 1 else jax.vmap(summed)(by_device(x), by_device(dy)).sum(0)


def _summed(x: jax.Array, dy: jax.Array, *, kernel: jax.Array, sweep: Sweep) -> jax.Array:
    """The same, over pieces of the batch."""
    x = sweep.padded(x)
    one = x.shape[3] == 1
    size = _piece_size(x, dy.shape[2], kernel.shape[1])
    form = _products_of_one if one else _products
    piece = partial(form, window=kernel.shape[:2], sweep=sweep)
    if size == len(x):
        total = piece(x, dy)
    else:
        pieces = (x.reshape(-1, size, *x.shape[1:]), dy.reshape(-1, size, *dy.shape[1:]))
        like = jax.eval_shape(piece, *(each[0] for each in pieces))
        start = jnp.zeros(like.shape, like.dtype)
        total, _ = jax.lax.scan(lambda sum_, each: (sum_ + piece(*each), None), start, pieces)
    return (total if one else total.swapaxes(1, 2)).reshape(kernel.shape)


def _products(x: jax.Array, dy: jax.Array, *, window: Pair, sweep: Sweep) -> jax.Array:
    """(output gradient)^T (shifted input) for each row of the window; of few channels, for all rows in one product."""
    rows = _rows(x, dy, window, sweep)
    rows = [jnp.concatenate(rows, -1)] if x.shape[3] <= min(NARROW, dy.shape[3]) else rows
    return jnp.stack([jnp.tensordot(_flat(dy), _flat(row), (0, 0)) for row in rows])


def _products_of_one(x: jax.Array, dy: jax.Array, *, window: Pair, sweep: Sweep) -> jax.Array:
    """(shifted input)^T (output gradient): one channel, shifted or not, is the narrower."""
    rows = _rows(x, dy, window, sweep)
    return jnp.stack([jnp.tensordot(_flat(row), _flat(dy), (0, 0)) for row in rows])


def _flat(x: jax.Array) -> jax.Array:
    """All positions of all images under each other."""
    return x.reshape(-1, x.shape[-1])


def _rows(x: jax.Array, dy: jax.Array, window: Pair, sweep: Sweep) -> list[jax.Array]:
    """What each row of the window sees, shifted along the width into the channels."""
    stride, dilation = sweep.stride, sweep.dilation
    shifted = _shifted(x, window[1], dy.shape[2], stride[1], dilation[1])
    reach = (dy.shape[1] - 1) * stride[0] + 1
    return [shifted[:, i : i + reach : stride[0]] for i in range(0, dilation[0] * window[0], dilation[0])]


def _piece_size(x: jax.Array, width: int, window: int) -> int:
    """Images in a piece of the batch."""
    bytes_each = 4 * x.shape[1] * width * window * x.shape[3]
    return _divisor(len(x), max(1, _PIECE_BYTES // bytes_each))


def _shifted(x: jax.Array, window: int, width: int, stride: int, dilation: int) -> jax.Array:
    """What a window sees along the width, side by side in the channels."""
    reach = (width - 1) * stride + 1
    return jnp.concatenate([x[:, :, j : j + reach : stride] for j in range(0, dilation * window, dilation)], -1)


def _divisor(number: int, limit: int) -> int:
    """Largest divisor of ``number`` that is at most ``limit``."""
    return next(size for size in range(min(number, limit), 0, -1) if number % size == 0)
