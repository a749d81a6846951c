"""Batch normalization and batch renormalization."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.nn.layer import Layer, Params, Shape, State
from kilter.nn.totals import spread, total


class BatchNorm(Layer):
    """Normalizes each feature (the last axis) to mean 0 and variance 1 over the batch, then scales and shifts.

    y = scale * (x - mean) / sqrt(var + epsilon) + shift, where mean and (biased) var are taken over the batch and, for
    sequences and images, over time and space, so per channel. While training, moving averages of the mean and of the
    *unbiased* variance are kept: moving = momentum * moving + (1 - momentum) * batch; inference uses them.
    Ioffe and Szegedy 2015, algorithms 1 and 2.

    ``momentum`` is the share that is kept, as in Keras (there 0.99, and epsilon is 1e-3); PyTorch's momentum is one minus
    it. PyTorch, as here, keeps the unbiased variance; Keras the biased one.

    Args:
        momentum: share of the moving averages that survives a step.
        epsilon: added to the variance.
        scale: whether a factor per feature is learned (starts at 1).
        shift: whether an offset per feature is learned (starts at 0).
        cumulative: whether the plain mean of all batches so far takes the place of moving averages, whatever the
            momentum (PyTorch's ``momentum=None``).
        exact: whether `kl.train`, when it is done, puts the mean and unbiased variance of all training rows in place of
            the averages (`nn.exact_statistics`; the population statistics of algorithm 2).

    Shapes: ``(batch, ..., features)`` to the same.
    """

    paddable = True
    transparent = True
    centers = True
    adapts = True
    formula = "scale (x - mean) / sqrt(var + epsilon) + shift,  moments over batch and positions"
    source = "Ioffe and Szegedy 2015, algorithms 1 and 2"
    choose = "The default in dense and convolutional networks with batches of 16 and more."

    momentum: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.999))
    epsilon: float = number(default=1e-5, range="[0, inf)", scale="log", search=(1e-6, 1e-2))
    _: KW_ONLY
    scale: bool = option(default=True, kinds=bool)
    shift: bool = option(default=True, kinds=bool)
    cumulative: bool = option(default=False, kinds=bool)
    exact: bool = option(default=False, kinds=bool)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if not shape:
            raise InputError(f"{self!r}: expects an input of shape (..., features), got ()")
        params = {}
        if self.scale:
            params["scale"] = jnp.ones(shape[-1])
        if self.shift:
            params["shift"] = jnp.zeros(shape[-1])
        state = {"mean": jnp.zeros(shape[-1]), "var": jnp.ones(shape[-1])}
        return params, state | ({"count": jnp.zeros(())} if self.cumulative else {})

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        scale = params.get("scale", jnp.ones(x.shape[-1]))
        shift = params.get("shift", jnp.zeros(x.shape[-1]))
        if key is None:
            return (x - state["mean"]) * (scale * jax.lax.rsqrt(state["var"] + self.epsilon)) + shift, state
        r, d = self._corrections(state, x)
        y, mean, var = normalized(x, scale * r, shift + scale * d, self.epsilon)
        mean, var = jax.lax.stop_gradient((mean, var))
        return y, self._moved(state, mean, var, math.prod(x.shape[:-1]))

    def _corrections(self, state: State, x: jax.Array) -> tuple[Any, Any]:
        """What a normalized feature is multiplied by, and what is added then, before scale and shift."""
        return 1.0, 0.0

    def _moved(self, state: State, mean: jax.Array, var: jax.Array, count: int) -> State:
        """The averages after a batch."""
        share, after = self.complement("momentum"), {}
        if self.cumulative:
            after["count"] = state["count"] + 1.0
            share = 1.0 / after["count"]
        batch = {"mean": mean, "var": var * (count / max(count - 1, 1))}
        return after | {name: state[name] + share * (new - state[name]) for name, new in batch.items()}


def moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and (biased) variance of each feature, ``(features,)``, over all axes but the last."""
    count = math.prod(x.shape[:-1])
    mean = total(x) / count
    return mean, total(jnp.square(x - spread(mean, x.shape))) / count


Normalized = tuple[jax.Array, jax.Array, jax.Array]


@jax.custom_jvp
def normalized(x: jax.Array, gain: jax.Array, offset: jax.Array, epsilon: Any) -> Normalized:
    """The form gain (x - mean) / sqrt(var + epsilon) + offset, and mean and var, which have no derivative.

    ``gain`` and ``offset`` are of shape ``(features,)``. The derivative is stated in two sums over the batch, of which
    those of ``gain`` and ``offset`` are made too.
    """
    z, _, mean, var = _standardized(x, epsilon)
    return z * spread(gain, x.shape) + spread(offset, x.shape), mean, var


@normalized.defjvp
def _normalized_tangents(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Normalized, Normalized]:
    """Works in both directions: turned around, the two sums over ``dx`` are numbers that are spread, and the reverse."""
    (x, gain, offset, epsilon), (dx, dgain, doffset, depsilon) = primals, tangents
    z, factor, mean, var = _standardized(x, epsilon)
    share = gain * factor / math.prod(x.shape[:-1])
    along = dgain - share * total(z * dx) - 0.5 * gain * jnp.square(factor) * depsilon
    dy = spread(gain * factor, x.shape) * dx + z * spread(along, x.shape) + spread(doffset - share * total(dx), x.shape)
    y = z * spread(gain, x.shape) + spread(offset, x.shape)
    return (y, mean, var), (dy, jnp.zeros_like(mean), jnp.zeros_like(var))


def _standardized(x: jax.Array, epsilon: Any) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Features with mean 0 and variance 1, what they were multiplied by for that, and their mean and variance before."""
    mean, var = moments(x)
    factor = jax.lax.rsqrt(var + epsilon)
    return (x - spread(mean, x.shape)) * spread(factor, x.shape), factor, mean, var


class BatchRenorm(BatchNorm):
    """Batch normalization that is corrected towards what inference will do: y = scale * ((x - mean) / sd * r + d) + shift.

    With the averages m and s = sqrt(var + epsilon) of the state, r = sd / s within [1 / r_max, r_max] and
    d = (mean - m) / s within [-d_max, d_max], both without gradient; where neither bound holds, y is inference's.
    ``r_max=1, d_max=0`` is `BatchNorm`, with which the paper begins for 5000 steps before it opens the bounds. Ioffe 2017,
    algorithm 1. Keras has it as ``BatchNormalization(renorm=True)`` in version 2 only; PyTorch has none.

    Args:
        momentum: share of the moving averages that survives a step.
        epsilon: added to the variance.
        r_max: largest correction of the scale.
        d_max: largest correction of the mean, in standard deviations.
        scale: whether a factor per feature is learned (starts at 1).
        shift: whether an offset per feature is learned (starts at 0).
        cumulative: whether the plain mean of all batches so far takes the place of moving averages.
        exact: whether `kl.train` ends with the moments of all training rows in place of the averages.

    Shapes: ``(batch, ..., features)`` to the same.
    """

    formula = "scale ((x - mean) / sd r + d) + shift,  r = clip(sd / s, r_max),  d = clip((mean - m) / s, d_max)"
    source = "Ioffe 2017, algorithm 1"
    choose = "Batches are small (4 to 16) or their rows depend on each other, and BatchNorm falters."

    _: KW_ONLY
    r_max: float = number(default=3.0, range="[1, inf)", search=(1.0, 5.0))
    d_max: float = number(default=5.0, range="[0, inf)", search=(0.0, 10.0))

    def _corrections(self, state: State, x: jax.Array) -> tuple[Any, Any]:
        mean, var = jax.lax.stop_gradient(moments(x))
        known = jax.lax.rsqrt(state["var"] + self.epsilon)
        r = jnp.clip(known * jnp.sqrt(var + self.epsilon), 1.0 / self.r_max, self.r_max)
        return r, jnp.clip((mean - state["mean"]) * known, -self.d_max, self.d_max)
