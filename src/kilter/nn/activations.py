"""Activations: element-wise (or over the last axis) functions that know their range and where they saturate."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.nn.layer import Layer, Params, State

Bounds = tuple[float, float]


class Activation(Layer, abstract=True):
    """Base of all activations: a layer without parameters, and a function that is called directly.

    Class attributes:
        bounds: lowest and highest value that it can give.
        elementwise: whether each output depends on one input alone.
    """

    bounds: ClassVar[Bounds] = (-math.inf, math.inf)
    elementwise: ClassVar[bool] = True

    def __call__(self, x: Any) -> jax.Array:
        raise NotImplementedError

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return self(x), state


class Identity(Activation):
    """f(x) = x, the linear activation."""

    def __call__(self, x: Any) -> jax.Array:
        return jnp.asarray(x)


class ReLU(Activation):
    """f(x) = max(x, 0). Nair and Hinton 2010."""

    bounds: ClassVar[Bounds] = (0.0, math.inf)

    def __call__(self, x: Any) -> jax.Array:
        return jax.nn.relu(x)


class Tanh(Activation):
    """f(x) = tanh(x); its derivative is 1 - tanh(x)^2."""

    bounds: ClassVar[Bounds] = (-1.0, 1.0)

    def __call__(self, x: Any) -> jax.Array:
        return jnp.tanh(x)


class Sigmoid(Activation):
    """f(x) = 1 / (1 + exp(-x)); its derivative is f (1 - f)."""

    bounds: ClassVar[Bounds] = (0.0, 1.0)

    def __call__(self, x: Any) -> jax.Array:
        return jax.nn.sigmoid(x)


class Softmax(Activation):
    """f(x)_i = exp(x_i) / sum_j exp(x_j) over the last axis. Losses on logits apply it themselves."""

    bounds: ClassVar[Bounds] = (0.0, 1.0)
    elementwise: ClassVar[bool] = False

    def __call__(self, x: Any) -> jax.Array:
        return jax.nn.softmax(x, axis=-1)


ALL: tuple[type[Activation], ...] = (Identity, ReLU, Tanh, Sigmoid, Softmax)
