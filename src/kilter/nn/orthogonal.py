"""Orthogonal initializers: the layer starts as a rotation, so no direction of the signal shrinks or grows."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.alone import alone
from kilter.core.errors import InputError
from kilter.core.specs import number
from kilter.nn.initializer import Initializer, Shape, center, check_kernel, fans


def orthonormal(key: jax.Array, rows: int, columns: int) -> jax.Array:
    """A matrix with orthonormal columns (rows where these are fewer), uniform over all of them."""
    q, r = _qr(jax.random.normal(key, (max(rows, columns), min(rows, columns))))
    q = q * jnp.where(jnp.diagonal(r) < 0, -1.0, 1.0)  # without the sign, QR's own choice would show: Mezzadri 2007
    return q if rows >= columns else q.T


@alone
def _qr(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.linalg.qr(matrix)


class Orthogonal(Initializer):
    """Gain times a random matrix with orthonormal columns, or rows where inputs are fewer than units.

    A convolution's kernel is flattened to (window * in, out), as in PyTorch and Keras; `DeltaOrthogonal` keeps the norm
    of images too.

    Args:
        gain: factor; the activation's ``gain()`` for nonlinear nets.

    Raises:
        InputError: the shape is no kernel.
    """

    formula = "gain * Q, Q^T Q = 1"
    source = "Saxe, McClelland and Ganguli 2014, Exact solutions to the nonlinear dynamics of learning"
    choose = "For recurrent kernels and very deep nets of tanh or linear layers."

    gain: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.5, 2.0))

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        check_kernel(self, shape)
        return self.gain * orthonormal(key, math.prod(shape[:-1]), shape[-1]).reshape(shape)

    def std(self, shape: Shape) -> Any:
        """Gain / sqrt(max(fan_in, out)), since each of the longer side's vectors has that share of a unit vector."""
        check_kernel(self, shape)
        return self.gain / math.sqrt(max(fans(shape)[0], shape[-1]))


class DeltaOrthogonal(Initializer):
    """Orthogonal in the middle of a convolution's window, zero elsewhere: the layer starts as a rotation of channels.

    With stride 1 it keeps the norm of every image exactly, whatever the window.

    Args:
        gain: factor.

    Raises:
        InputError: the shape is no convolution's kernel, or it has more inputs than units, so no norm could be kept.
    """

    formula = "gain * Q in the middle of the window, 0 elsewhere"
    source = "Xiao et al. 2018, Dynamical Isometry and a Mean Field Theory of CNNs, algorithm 1"
    choose = "For very deep convolutional nets without normalization or shortcuts."

    gain: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.5, 2.0))

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        self._check(shape)
        middle = self.gain * orthonormal(key, *shape[-2:])
        return jnp.zeros(shape, jnp.float32).at[center(shape)].set(middle)

    def std(self, shape: Shape) -> Any:
        """Gain / sqrt(out * window)."""
        self._check(shape)
        return self.gain / math.sqrt(fans(shape)[1])

    def _check(self, shape: Shape) -> None:
        if len(shape) < 3:
            raise InputError(f"{self!r}: needs a convolution's kernel of shape (*window, in, out), got {shape}")
        if shape[-2] > shape[-1]:
            raise InputError(f"{self!r}: needs at least as many units as inputs, got {shape[-1]} and {shape[-2]}")


class LSUV(Initializer):
    """Layer-sequential unit variance, first half: orthogonal weights, to be scaled on a batch of data.

    The second half needs data: `kl.train` scales each layer so drawn to outputs of unit variance on training rows; for a
    net of one's own, ``params = nn.calibrate.lsuv(net, params, state, x)`` does it.

    Raises:
        InputError: the shape is no kernel.
    """

    formula = "Q, Q^T Q = 1; then W / sqrt(Var[x W]) layer by layer on a batch"
    source = "Mishkin and Matas 2016, All you need is a good init"
    choose = "For deep nets with unusual layers, where no formula knows the variance."

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        check_kernel(self, shape)
        return Orthogonal()(key, shape)

    def std(self, shape: Shape) -> Any:
        """Of the orthogonal weights, before the calibration."""
        check_kernel(self, shape)
        return Orthogonal().std(shape)
