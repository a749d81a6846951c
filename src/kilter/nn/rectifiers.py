"""Rectifiers: straight lines with a bend; above it the signal passes, below it a part or nothing."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.nn import moments
from kilter.nn.activation import Activation, Bounds
from kilter.nn.ramp import ramp, ramp_slope


class Leaky(Activation, abstract=True):
    """Base of those with slope 1 above zero and another below: f(x) = x for x > 0, slope * x elsewhere."""

    mortal = True

    def below(self) -> Any:
        """Slope below zero."""
        raise NotImplementedError

    def __call__(self, x: Any) -> jax.Array:
        return leak(x, self.below())

    def derivative(self, x: Any) -> jax.Array:
        x = jnp.asarray(x)
        return jnp.where(x > 0, 1.0, self.below()).astype(x.dtype)

    def gain(self) -> Any:
        """sqrt(2 / (1 + slope^2)), since half of the second moment lies on each side of zero."""
        return (2.0 / (1.0 + self.below() ** 2)) ** 0.5

    def saturated(self, x: Any) -> jax.Array:
        """Nowhere: below zero it is dead where the slope is 0, and passes a fixed share elsewhere."""
        return jnp.zeros(jnp.shape(x), bool)


def leak(x: Any, slope: Any) -> jax.Array:
    """X where it is positive, slope * x elsewhere."""
    x = jnp.asarray(x)
    return jnp.where(x > 0, x, slope * x)


class Identity(Leaky):
    """f(x) = x, the linear activation; its derivative is 1."""

    formula = "x"
    source = "Widrow and Hoff 1960, Adaptive Switching Circuits"
    choose = "For outputs that may be any number; between layers it adds nothing."

    def below(self) -> float:
        return 1.0

    def __call__(self, x: Any) -> jax.Array:
        return jnp.asarray(x)


class ReLU(Leaky):
    """f(x) = max(x, 0); its derivative is 1 above zero, 0 elsewhere. Nair and Hinton 2010."""

    bounds: ClassVar[Bounds] = (0.0, math.inf)
    formula = "max(x, 0)"
    source = "Nair and Hinton 2010, Rectified Linear Units Improve Restricted Boltzmann Machines; Glorot et al. 2011"
    choose = (
        "The first choice for dense and convolutional nets: cheap, does not saturate; units may die at large rates."
    )

    def below(self) -> float:
        return 0.0

    def __call__(self, x: Any) -> jax.Array:
        return jax.nn.relu(x)  # 0 * x would make NaN of minus infinity


class LeakyReLU(Leaky):
    """f(x) = x for x > 0, slope * x elsewhere.

    Args:
        slope: slope below zero; 0.01 as in PyTorch and the source (Keras: 0.3).
    """

    formula = "x if x > 0 else slope * x"
    source = "Maas, Hannun and Ng 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models"
    choose = "Where ReLU units die."

    slope: float = number(default=0.01, range="[0, inf)", search=(0.0, 0.5))

    def below(self) -> Any:
        return self.slope


class ReLU6(Activation):
    """f(x) = min(max(x, 0), 6); its derivative is 1 between 0 and 6, else 0."""

    bounds: ClassVar[Bounds] = (0.0, 6.0)
    mortal = True
    formula = "min(max(x, 0), 6)"
    source = "Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10"
    choose = "For nets that will run in 8-bit arithmetic (MobileNet)."

    def __call__(self, x: Any) -> jax.Array:
        return ramp(x, 0.0, 6.0)

    def derivative(self, x: Any) -> jax.Array:
        return ramp_slope(x, 0.0, 6.0)


class ThresholdedReLU(Activation):
    """f(x) = x for x > threshold, 0 elsewhere; its derivative is 1 above the threshold, else 0.

    Args:
        threshold: what x must exceed; at 0 it is ReLU.
    """

    bounds: ClassVar[Bounds] = (0.0, math.inf)
    mortal = True
    formula = "x if x > threshold else 0"
    source = "Konda, Memisevic and Krueger 2015, Zero-bias autoencoders and the benefits of co-adapting features"
    choose = "For sparse codes without biases, as in autoencoders."

    threshold: float = number(default=1.0, range="[0, inf)", search=(0.0, 2.0))

    def __call__(self, x: Any) -> jax.Array:
        x = jnp.asarray(x)
        return jnp.where(x <= self.threshold, 0.0, x)  # this way round a NaN stays one

    def derivative(self, x: Any) -> jax.Array:
        x = jnp.asarray(x)
        return (x > self.threshold).astype(x.dtype)

    def gain(self) -> jax.Array:
        """From E[f(z)^2] = t phi(t) + 1 - Phi(t) with t the threshold; a jump is where quadrature is poor."""
        t = self.threshold
        density = jnp.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
        return moments.as_gain(t * density + jax.scipy.special.ndtr(-jnp.asarray(t, jnp.float32)))
