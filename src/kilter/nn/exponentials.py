"""Activations with an exponential: the function itself, and the units that are linear above zero, exponential below."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.nn.activation import Activation, Bounds


class Exponential(Activation):
    """f(x) = exp(x), its own derivative. Above x = 88.7 it is infinite in float32, as the true value is beyond it."""

    bounds: ClassVar[Bounds] = (0.0, math.inf)
    formula = "exp(x)"
    source = "Nelder and Wedderburn 1972, Generalized Linear Models (the inverse of the log link)"
    choose = "As the last layer for positive rates and counts; between layers it explodes."

    def __call__(self, x: Any) -> jax.Array:
        return jnp.exp(x)

    def derivative(self, x: Any) -> jax.Array:
        return jnp.exp(x)

    def gain(self) -> float:
        """1 / e, since E[exp(2 z)] = e^2."""
        return math.exp(-1.0)

    def saturated(self, x: Any) -> jax.Array:
        """Nowhere: its slope has no largest value, and is as large as the output everywhere."""
        return jnp.zeros(jnp.shape(x), bool)


class _ExponentialLinear(Activation, abstract=True):
    """f(x) = scale * x for x > 0, scale * alpha * (exp(x / width) - 1) elsewhere."""

    def _shape(self) -> tuple[Any, Any, Any]:
        """Scale, alpha and width."""
        raise NotImplementedError

    @property
    def bounds(self) -> Bounds:  # pyright: ignore[reportIncompatibleVariableOverride]
        """From -scale * alpha to infinity."""
        scale, alpha, _ = self._shape()
        return -scale * alpha, math.inf

    def __call__(self, x: Any) -> jax.Array:
        scale, alpha, width = self._shape()
        x = jnp.asarray(x)
        below = jnp.where(x > 0, 0.0, x)  # no overflow, whose gradient would be NaN, on the side that is not taken
        return scale * jnp.where(x > 0, x, alpha * jnp.expm1(below / width))

    def derivative(self, x: Any) -> jax.Array:
        scale, alpha, width = self._shape()
        x = jnp.asarray(x)
        below = jnp.where(x > 0, 0.0, x)
        return scale * jnp.where(x > 0, 1.0, alpha / width * jnp.exp(below / width))


class ELU(_ExponentialLinear):
    """f(x) = x for x > 0, alpha * (exp(x) - 1) elsewhere.

    Args:
        alpha: minus the level that it approaches on the left.
    """

    formula = "x if x > 0 else alpha * (exp(x) - 1)"
    source = "Clevert, Unterthiner and Hochreiter 2016, Fast and Accurate Deep Network Learning by ELUs"
    choose = "Instead of ReLU where outputs of mean near zero and no dead units are worth an exponential."

    alpha: float = number(default=1.0, range="(0, inf)", search=(0.1, 2.0))

    def _shape(self) -> tuple[Any, Any, Any]:
        return 1.0, self.alpha, 1.0


class CELU(_ExponentialLinear):
    """f(x) = x for x > 0, alpha * (exp(x / alpha) - 1) elsewhere: smooth at zero for every alpha.

    Args:
        alpha: minus the level that it approaches on the left, and the width of the approach.
    """

    formula = "x if x > 0 else alpha * (exp(x / alpha) - 1)"
    source = "Barron 2017, Continuously Differentiable Exponential Linear Units"
    choose = "Instead of ELU where alpha is tuned: its slope stays 1 at zero."

    alpha: float = number(default=1.0, range="(0, inf)", search=(0.1, 2.0))

    def _shape(self) -> tuple[Any, Any, Any]:
        return 1.0, self.alpha, self.alpha


class SELU(_ExponentialLinear):
    """f(x) = 1.0507 * ELU(x, alpha = 1.6733): keeps mean 0 and variance 1 where weights have variance 1 / fan_in."""

    formula = "1.0507 * (x if x > 0 else 1.6733 * (exp(x) - 1))"
    source = "Klambauer, Unterthiner, Mayr and Hochreiter 2017, Self-Normalizing Neural Networks"
    choose = "For deep dense nets without normalization layers, with LeCunNormal or matched weights."

    def _shape(self) -> tuple[Any, Any, Any]:
        return 1.0507009873554805, 1.6732632423543772, 1.0
