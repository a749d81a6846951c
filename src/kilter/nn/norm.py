"""Batch normalization."""

import math
from dataclasses import KW_ONLY

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.nn.layer import Layer, Params, Shape, State


class BatchNorm(Layer):
    """Normalizes each feature (the last axis) to mean 0 and variance 1 over the batch, then scales and shifts.

    y = scale * (x - mean) / sqrt(var + epsilon) + shift, where mean and (biased) var are taken over the batch and, for
    sequences and images, over time and space, so per channel. While training, moving averages of the mean and of the
    *unbiased* variance are kept: moving = momentum * moving + (1 - momentum) * batch; inference uses them.
    Ioffe and Szegedy 2015, algorithms 1 and 2.

    ``momentum`` is the share that is kept, as in Keras; PyTorch's momentum is one minus it.

    Args:
        momentum: share of the moving averages that survives a step.
        epsilon: added to the variance.
        scale: whether a factor per feature is learned (starts at 1).
        shift: whether an offset per feature is learned (starts at 0).

    Shapes: ``(batch, ..., features)`` to the same.
    """

    transparent = True

    momentum: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.999))
    epsilon: float = number(default=1e-5, range="[0, inf)", scale="log", search=(1e-6, 1e-2))
    _: KW_ONLY
    scale: bool = option(default=True, kinds=bool)
    shift: bool = option(default=True, kinds=bool)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if not shape:
            raise InputError(f"{self!r}: expects an input of shape (..., features), got ()")
        params = {}
        if self.scale:
            params["scale"] = jnp.ones(shape[-1])
        if self.shift:
            params["shift"] = jnp.zeros(shape[-1])
        return params, {"mean": jnp.zeros(shape[-1]), "var": jnp.ones(shape[-1])}

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        mean, var = state["mean"], state["var"]
        if key is not None:
            axes = tuple(range(x.ndim - 1))
            mean = x.mean(axes)
            var = jnp.square(x - mean).mean(axes)
            state = self._moved(state, mean, var, math.prod(x.shape[:-1]))
        factor = jax.lax.rsqrt(var + self.epsilon) * params.get("scale", 1.0)
        return (x - mean) * factor + params.get("shift", 0.0), state

    def _moved(self, state: State, mean: jax.Array, var: jax.Array, count: int) -> State:
        share = self.complement("momentum")
        batch = {"mean": mean, "var": var * (count / max(count - 1, 1))}
        batch = jax.lax.stop_gradient(batch)
        return jax.tree.map(lambda moving, new: moving + share * (new - moving), state, batch)
