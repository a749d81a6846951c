"""Batch normalization and batch renormalization."""

import math
from dataclasses import KW_ONLY

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.nn.channels import spread, total
from kilter.nn.layer import Layer, Params, Shape, State


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
        mean, var, count = state["mean"], state["var"], math.prod(x.shape[:-1])
        if key is not None:
            mean = total(x) / count
        z = x - spread(mean, x.shape)
        if key is not None:
            var = total(jnp.square(z)) / count
        factor, offset = self._corrected(state, mean, var, key is not None)
        if key is not None:
            state = self._moved(state, mean, var, count)
        y = z * spread(factor * params.get("scale", 1.0), x.shape)
        shift = self._shifted(params, offset)
        return y if shift is None else y + spread(shift, x.shape), state

    def _corrected(
        self, state: State, mean: jax.Array, var: jax.Array, training: bool
    ) -> tuple[jax.Array, jax.Array | None]:
        """What a feature less its mean is multiplied by, and what is added before the scale."""
        return jax.lax.rsqrt(var + self.epsilon), None

    def _shifted(self, params: Params, offset: jax.Array | None) -> jax.Array | None:
        shift = params.get("shift")
        if offset is None:
            return shift
        offset = offset * params.get("scale", 1.0)
        return offset if shift is None else shift + offset

    def _moved(self, state: State, mean: jax.Array, var: jax.Array, count: int) -> State:
        """The averages after a batch."""
        share, after = self.complement("momentum"), {}
        if self.cumulative:
            after["count"] = state["count"] + 1.0
            share = 1.0 / after["count"]
        batch = jax.lax.stop_gradient({"mean": mean, "var": var * (count / max(count - 1, 1))})
        return after | {name: state[name] + share * (new - state[name]) for name, new in batch.items()}


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

    def _corrected(
        self, state: State, mean: jax.Array, var: jax.Array, training: bool
    ) -> tuple[jax.Array, jax.Array | None]:
        factor = jax.lax.rsqrt(var + self.epsilon)
        if not training:
            return factor, None
        known = jax.lax.rsqrt(state["var"] + self.epsilon)
        r = jnp.clip(known / factor, 1.0 / self.r_max, self.r_max)
        d = jnp.clip((mean - state["mean"]) * known, -self.d_max, self.d_max)
        return factor * jax.lax.stop_gradient(r), jax.lax.stop_gradient(d)
