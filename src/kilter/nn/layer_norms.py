"""Norms within an example: mean 0 and variance 1 over chosen axes, the same while training and at inference."""

import math
from dataclasses import KW_ONLY
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.nn.layer import Layer, Params, Shape, State
from kilter.nn.totals import row_spread, row_total, spread

Axes = tuple[int, ...]


class ExampleNorm(Layer, abstract=True):
    """Base of norms within an example: y = scale * (x - mean) / sqrt(var + epsilon) + shift.

    A member says over which axes of which view of an example the mean and the (biased) variance are taken, and the
    shape of scale and shift.

    Class attributes:
        centered: whether the mean is taken off; if not, the mean square stands for the variance.
    """

    transparent = True
    centered: ClassVar[bool] = True

    _: KW_ONLY
    epsilon: float = number(default=1e-5, range="(0, inf)", scale="log", search=(1e-6, 1e-2))
    scale: bool = option(default=True, kinds=bool)
    shift: bool = option(default=True, kinds=bool)

    def view(self, shape: Shape) -> tuple[Shape, Axes]:
        """An example's shape seen otherwise, and the axes (from the last, negative) to take moments over."""
        raise NotImplementedError

    def learned(self, shape: Shape) -> Shape:
        """Shape of scale and shift; one number for each channel unless said otherwise."""
        return shape[-1:]

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if not shape:
            raise InputError(f"{self!r}: expects an input of shape (..., features), got ()")
        self.view(shape)
        count = math.prod(self.learned(shape))  # one axis, as an array with two would count as a kernel, which decays
        params = {"scale": jnp.ones(count)} if self.scale else {}
        return params | ({"shift": jnp.zeros(count)} if self.shift else {}), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        view, axes = self.view(x.shape[1:])
        y = standardized(x.reshape(len(x), *view), self.epsilon, axes, self.centered).reshape(x.shape)
        own = {name: self._laid(leaf, x.shape) for name, leaf in params.items()}
        return y * own.get("scale", 1.0) + own.get("shift", 0.0), state

    def _laid(self, leaf: jax.Array, shape: Shape) -> jax.Array:
        """A scale or shift as it stands beside a batch."""
        learned = self.learned(shape[1:])
        return spread(leaf, shape) if learned == shape[-1:] else leaf.reshape(learned)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def standardized(x: jax.Array, epsilon: Any, axes: Axes, centered: bool) -> jax.Array:
    """``x`` less its mean over ``axes`` (where ``centered``), over the root of the mean square of that plus ``epsilon``.

    Its derivative is stated in outputs, and the factor is carried out before what is made of it: XLA would else compute
    it again in every pass that reads it.
    """
    return _scaled(x, epsilon, axes, centered)[0]


def _scaled(x: jax.Array, epsilon: Any, axes: Axes, centered: bool) -> tuple[jax.Array, jax.Array]:
    count = math.prod(x.shape[axis] for axis in axes)
    z = x - _spread(_total(x, axes) / count, x.shape, axes) if centered else x
    factor = jax.lax.optimization_barrier(jax.lax.rsqrt(_total(jnp.square(z), axes) / count + epsilon))
    return z * _spread(factor, x.shape, axes), factor


def _scaled_tangents(axes: Axes, centered: bool, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    """Works in both directions: turned around it is the same sum."""
    (x, epsilon), (dx, depsilon) = primals, tangents
    y, factor = _scaled(x, epsilon, axes, centered)
    dx = factor * dx
    count = math.prod(x.shape[axis] for axis in axes)
    along = -_total(y * dx, axes) / count - 0.5 * jnp.square(factor) * depsilon
    dy = dx + y * _spread(along, x.shape, axes)
    return y, dy - _spread(_total(dx, axes) / count, x.shape, axes) if centered else dy


standardized.defjvp(_scaled_tangents)


class GroupNorm(ExampleNorm):
    """Mean 0 and variance 1 over all positions and each of ``groups`` equal groups of channels, in each example.

    ``InstanceNorm`` is one channel a group; one group takes moments over all that `LayerNorm` does with all axes, but
    scales and shifts by channel. Wu and He 2018, equation 3. As PyTorch's and Keras's (there epsilon is 1e-3).

    Args:
        groups: number of groups; must divide the channels.
        epsilon: added to the variance.
        scale: whether a factor for each channel is learned (starts at 1).
        shift: whether an offset for each channel is learned (starts at 0).

    Shapes: ``(batch, ..., channels)`` to the same.

    Raises:
        InputError: by `init`, where ``groups`` does not divide the channels.
    """

    formula = "scale (x - mean) / sqrt(var + epsilon) + shift,  moments over positions x channels of a group"
    source = "Wu and He 2018, equation 3"
    choose = "Images in batches too small for BatchNorm (below 16): detection, segmentation, video."

    groups: int = option(default=32, kinds=int, range="[1, inf)")

    def view(self, shape: Shape) -> tuple[Shape, Axes]:
        return _grouped(self, shape, self.groups)


class InstanceNorm(ExampleNorm):
    """Mean 0 and variance 1 over the positions of each channel, in each example: `GroupNorm` with a group a channel.

    Ulyanov, Vedaldi and Lempitsky 2016, equation 3. PyTorch's ``InstanceNorm1d`` and ``2d`` learn no scale and shift
    unless ``affine`` is set; Keras has ``GroupNormalization(groups=-1)``.

    Args:
        epsilon: added to the variance.
        scale: whether a factor for each channel is learned (starts at 1).
        shift: whether an offset for each channel is learned (starts at 0).

    Shapes: ``(batch, length, channels)`` or ``(batch, height, width, channels)`` to the same.

    Raises:
        InputError: by `init`, where an example has no positions, so that every number would become 0.
    """

    centers = True
    formula = "scale (x - mean) / sqrt(var + epsilon) + shift,  moments over positions"
    source = "Ulyanov et al. 2016, equation 3"
    choose = "The contrast of single images should not count: style transfer, generators."

    def view(self, shape: Shape) -> tuple[Shape, Axes]:
        if len(shape) < 2:
            raise InputError(f"{self!r}: expects an input of shape (..., positions, channels), got {shape}")
        return _grouped(self, shape, shape[-1])


class LayerNorm(ExampleNorm):
    """Mean 0 and variance 1 over the features of each example and position, then a scale and shift for each.

    Ba, Kiros and Hinton 2016, equation 4. PyTorch's takes the shape of the last axes where this takes ``axes``; Keras's
    takes ``axis`` and has an epsilon of 1e-3.

    Args:
        axes: axes to take moments over, from the last one: -1 for features, (-3, -2, -1) for whole images.
        epsilon: added to the variance.
        scale: whether a factor is learned (starts at 1), for each place along the axes.
        shift: whether an offset is learned (starts at 0), for each place along the axes.

    Shapes: ``(batch, ..., features)`` to the same.

    Raises:
        InputError: by `init`, where an example has fewer axes or they repeat.
    """

    formula = "scale (x - mean) / sqrt(var + epsilon) + shift,  moments over axes (the features)"
    source = "Ba et al. 2016, equation 4"
    choose = "Sequences, attention, small batches: depends on no other example."

    axes: int | Axes = option(default=-1, kinds=(int, tuple), range="(-inf, -1]")

    def view(self, shape: Shape) -> tuple[Shape, Axes]:
        return shape, _axes(self, self.axes, shape)

    def learned(self, shape: Shape) -> Shape:
        return _along(_axes(self, self.axes, shape), shape)


class RMSNorm(ExampleNorm):
    """x / sqrt(mean(x^2) + epsilon) over the features of each example and position, then a scale: no mean is taken off.

    Zhang and Sennrich 2019, equation 4. PyTorch's ``RMSNorm``, where epsilon left open is 1.2e-7 rather than 1e-5.

    Args:
        axes: axes to take the mean square over, from the last one.
        epsilon: added to the mean square.
        scale: whether a factor is learned (starts at 1), for each place along the axes.
        shift: whether an offset is learned too (starts at 0), which the paper does without.

    Shapes: ``(batch, ..., features)`` to the same.

    Raises:
        InputError: by `init`, where an example has fewer axes or they repeat.
    """

    formula = "scale x / sqrt(mean(x^2) + epsilon)"
    source = "Zhang and Sennrich 2019, equation 4"
    choose = "Where LayerNorm fits and should be cheaper: large transformers."
    centered = False

    axes: int | Axes = option(default=-1, kinds=(int, tuple), range="(-inf, -1]")
    _: KW_ONLY
    shift: bool = option(default=False, kinds=bool)

    def view(self, shape: Shape) -> tuple[Shape, Axes]:
        return shape, _axes(self, self.axes, shape)

    def learned(self, shape: Shape) -> Shape:
        return _along(_axes(self, self.axes, shape), shape)


def _total(x: jax.Array, axes: Axes) -> jax.Array:
    """Sum over axes, which stay with one place each."""
    rest = tuple(1 if axis in axes else x.shape[axis] for axis in range(-x.ndim, 0))
    return row_total(x.reshape(_rows(x.shape, axes))).reshape(rest) if _last(axes) else x.sum(axes, keepdims=True)


def _spread(numbers: jax.Array, shape: Shape, axes: Axes) -> jax.Array:
    """What `_total` leaves, over its axes again."""
    if not _last(axes):
        return jnp.broadcast_to(numbers, shape)
    *rows, size = _rows(shape, axes)
    return row_spread(numbers.reshape(rows), size).reshape(shape)


def _last(axes: Axes) -> bool:
    """Whether these are the last axes, in any order, which together are a row."""
    return sorted(axes) == list(range(-len(axes), 0))


def _rows(shape: Shape, axes: Axes) -> Shape:
    return (*shape[: -len(axes)], math.prod(shape[-len(axes) :]))


def _grouped(layer: Layer, shape: Shape, groups: int) -> tuple[Shape, Axes]:
    """Channels split in groups; moments over all but the axis of groups."""
    if shape[-1] % groups:
        raise InputError(
            f"{layer!r}: groups={groups} must divide the {shape[-1]} channels of an input of shape {shape}"
        )
    return (*shape[:-1], groups, shape[-1] // groups), (*range(-len(shape) - 1, -2), -1)


def _axes(layer: Layer, axes: int | Axes, shape: Shape) -> Axes:
    chosen = axes if isinstance(axes, tuple) else (axes,)
    if min(chosen) < -len(shape) or len(set(chosen)) < len(chosen):
        raise InputError(f"{layer!r}: axes must be distinct and from -{len(shape)} to -1 on an input of shape {shape}")
    return chosen


def _along(axes: Axes, shape: Shape) -> Shape:
    """Sizes along the axes, and 1 between them."""
    return tuple(shape[axis] if axis in axes else 1 for axis in range(min(axes), 0))
