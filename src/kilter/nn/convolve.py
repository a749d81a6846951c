"""Convolution with gradients of its own, because XLA's default weight gradient is slow inside loops on a CPU.

Measured on two cores inside a ``scan``: a two-layer net took 2600 ms a step with the default gradient and 45 ms outside a
loop. Here the forward pass and the gradient of the input are stated as plain convolutions, which stay fast in loops, and
the gradient of the weights as matrix products (`kilter.nn.by_products`).
"""

import math
from functools import partial

import jax
import jax.numpy as jnp

from kilter.nn.by_products import NARROW, convolved, kernel_gradient
from kilter.nn.sweep import Pair, Sweep

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def plain(x: jax.Array, kernel: jax.Array, sweep: Sweep, groups: int = 1) -> jax.Array:
    """Convolution of ``x`` (batch, height, width, in) with ``kernel`` (height, width, in / groups, out)."""
    stride, padding, dilation = sweep
    return jax.lax.conv_general_dilated(
        x, kernel, stride, padding, None, dilation, dimension_numbers=_LAYOUT, feature_group_count=groups
    )


def _direct(x: jax.Array, kernel: jax.Array, sweep: Sweep) -> jax.Array:
    """`plain` with a stride of 1; of few channels, in or out, as matrix products.

    XLA's convolution makes little of a processor's vectors there: at 32 x 32 it takes 2.1 ms from 3 to 16 channels and 4.0
    ms from 16 to 3, products 1.2 and 1.4; from one channel to 32 at 28 x 28, 2.7 and 0.9.
    """
    few = kernel.shape[0] > 1 and min(kernel.shape[2:]) <= NARROW
    return convolved(x, kernel, sweep) if few else plain(x, kernel, sweep)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(x: jax.Array, kernel: jax.Array, sweep: Sweep) -> jax.Array:
    """The same as `plain` with one group; its gradients are fast inside loops on a CPU."""
    return _convolved(x, kernel, sweep)


def _convolved(x: jax.Array, kernel: jax.Array, sweep: Sweep) -> jax.Array:
    """Apart from the rule for gradients, so that these can be differentiated forward."""
    return (_direct if sweep.stride == (1, 1) else plain)(x, kernel, sweep)


def _forward(x: jax.Array, kernel: jax.Array, sweep: Sweep) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolved(x, kernel, sweep), (x, kernel)


def _backward(sweep: Sweep, saved: tuple[jax.Array, jax.Array], dy: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    by_x = _input_gradient(dy, kernel, sweep, x.shape[1:3])
    return by_x, kernel_gradient(x, dy, kernel, sweep)


convolve.defvjp(_forward, _backward)


def grouped(x: jax.Array, kernel: jax.Array, sweep: Sweep, groups: int = 1) -> jax.Array:
    """The same as `plain`, by `convolve` of one group of channels after the other.

    XLA's grouped convolution took 5 to 28 times as long inside a ``scan`` on a CPU: forward and gradients, one core, 2
    to 32 groups, 32 images of 14 x 14 with 64 and 128 channels, window 3 (``benchmarks/kernels.py``).
    """
    if groups == 1:
        return convolve(x, kernel, sweep)

    def apart(channels: jax.Array) -> jax.Array:
        return jnp.moveaxis(channels.reshape(*channels.shape[:-1], groups, -1), -2, 0)

    y = jax.lax.map(lambda own: convolve(*own, sweep), (apart(x), apart(kernel)))
    return jnp.moveaxis(y, 0, -2).reshape(*y.shape[1:-1], -1)


def plain_transposed(x: jax.Array, kernel: jax.Array, sweep: Sweep, space: Pair) -> jax.Array:
    """The gradient of `plain` in its input: ``x`` (batch, height, width, in) spread over ``space`` by ``kernel``.

    ``kernel`` is (height, width, in, out); ``sweep`` is that of the convolution that it undoes.
    """
    around = _around(x.shape[1:3], kernel.shape, sweep, space)
    return jax.lax.conv_general_dilated(
        x, kernel[::-1, ::-1], (1, 1), around, sweep.stride, sweep.dilation, dimension_numbers=_LAYOUT
    )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def transposed(x: jax.Array, kernel: jax.Array, sweep: Sweep, space: Pair) -> jax.Array:
    """The same as `plain_transposed`; its gradients, those of `convolve` with parts changed, are fast inside loops."""
    return _input_gradient(x, kernel.swapaxes(2, 3), sweep, space)


def _forward_transposed(
    x: jax.Array, kernel: jax.Array, sweep: Sweep, space: Pair
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _input_gradient(x, kernel.swapaxes(2, 3), sweep, space), (x, kernel)


def _backward_transposed(
    sweep: Sweep, space: Pair, saved: tuple[jax.Array, jax.Array], dy: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    turned = kernel.swapaxes(2, 3)
    by_kernel = kernel_gradient(dy, x, turned, sweep).swapaxes(2, 3)
    return plain(dy, turned, sweep), by_kernel


transposed.defvjp(_forward_transposed, _backward_transposed)


def _input_gradient(dy: jax.Array, kernel: jax.Array, sweep: Sweep, space: Pair) -> jax.Array:
    """Convolutions of the output gradient with the kernel turned in space and its channels swapped, interleaved.

    Inputs whose places have the same remainder by the stride see the same positions of the window: a small convolution for
    each remainder, where one of an output gradient with zeros between would mostly multiply these.
    """
    stride = sweep.stride
    counts = [-(-n // step) for n, step in zip(space, stride, strict=True)]
    part = partial(_remainder, dy, kernel, sweep, counts)
    found = [jnp.stack([part((i, j)) for j in range(stride[1])], 3) for i in range(stride[0])]
    whole = jnp.stack(found, 2).reshape(len(dy), counts[0] * stride[0], counts[1] * stride[1], -1)
    return whole[:, : space[0], : space[1]]


def _remainder(dy: jax.Array, kernel: jax.Array, sweep: Sweep, counts: list[int], remainder: Pair) -> jax.Array:
    """Gradient of the inputs at ``remainder + stride * (0, 1, ...)``, ``counts`` of them along each axis.

    Output p sees the input at stride p + dilation q - padding with position q of the window. So these inputs are seen by
    every (stride / g)-th position from the first on, g the greatest common divisor of stride and dilation, and two such
    positions by outputs that are dilation / g apart.
    """
    stride, padding, dilation = sweep
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
    return _direct(dy, kernel[::-1, ::-1].swapaxes(2, 3), Sweep((1, 1), tuple(around), tuple(apart)))


def _around(outputs: Pair, window: Pair, sweep: Sweep, space: Pair) -> list[tuple[int, int]]:
    """Positions to put around an output gradient, spaced by the stride, for a window on it to reach all inputs."""
    stride, padding, dilation = sweep
    around = []
    for axis in (0, 1):
        span = dilation[axis] * (window[axis] - 1)
        before = span - padding[axis][0]
        reached = (outputs[axis] - 1) * stride[axis] + 1
        around.append((before, space[axis] + span - reached - before))
    return around
