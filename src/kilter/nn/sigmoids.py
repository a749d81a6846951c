"""Bounded activations: from one level to another, flat at both ends."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.nn.activation import Activation, Bounds
from kilter.nn.ramp import ramp, ramp_slope


class Sigmoid(Activation):
    """f(x) = 1 / (1 + exp(-x)), from 0 to 1; its derivative is f (1 - f).

    In hidden layers it saturates and shifts the mean (Glorot and Bengio 2010). ``SigmoidCrossEntropy`` applies it itself.
    """

    bounds: ClassVar[Bounds] = (0.0, 1.0)
    formula = "1 / (1 + exp(-x))"
    source = "Verhulst 1845; Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors"
    choose = (
        "For gates and probabilities; rarely in hidden layers, where it saturates and its outputs have a mean of 1/2."
    )

    def __call__(self, x: Any) -> jax.Array:
        return jax.nn.sigmoid(x)

    def derivative(self, x: Any) -> jax.Array:
        return jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)  # f(-x) keeps the digits of 1 - f(x) in the tail


class Tanh(Activation):
    """f(x) = tanh(x), from -1 to 1; its derivative is 1 - tanh(x)^2."""

    bounds: ClassVar[Bounds] = (-1.0, 1.0)
    formula = "tanh(x)"
    source = "LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.4"
    choose = "For small nets, recurrent states and outputs from -1 to 1: smooth, of mean zero, but saturating."

    def __call__(self, x: Any) -> jax.Array:
        return jnp.tanh(x)

    def derivative(self, x: Any) -> jax.Array:
        twice = 2.0 * jnp.asarray(x)
        return 4.0 * jax.nn.sigmoid(twice) * jax.nn.sigmoid(-twice)  # 1 - tanh^2 without its cancellation


class Softsign(Activation):
    """f(x) = x / (1 + |x|), from -1 to 1 with tails that close as 1 / x^2; its derivative is 1 / (1 + |x|)^2."""

    bounds: ClassVar[Bounds] = (-1.0, 1.0)
    formula = "x / (1 + |x|)"
    source = "Bergstra, Desjardins, Lamblin and Bengio 2009, Quadratic Polynomials Learn Better Image Features"
    choose = "Where tanh saturates too soon: bounded too, but its gradient fades slowly."

    def __call__(self, x: Any) -> jax.Array:
        return jax.nn.soft_sign(x)

    def derivative(self, x: Any) -> jax.Array:
        return 1.0 / jnp.square(1.0 + jnp.abs(x))


class HardSigmoid(Activation):
    """f(x) = min(max(x / 6 + 1/2, 0), 1); its derivative is 1/6 between -3 and 3, else 0.

    As in PyTorch and Keras 3; Keras 2 and the source have the slope 0.2.
    """

    bounds: ClassVar[Bounds] = (0.0, 1.0)
    formula = "min(max(x / 6 + 1/2, 0), 1)"
    source = "Courbariaux, Bengio and David 2015, BinaryConnect; slope of Howard et al. 2019, MobileNetV3"
    choose = "For gates on small devices: a sigmoid without an exponential."

    def __call__(self, x: Any) -> jax.Array:
        return ramp(x, 0.0, 1.0, 1 / 6, 0.5)

    def derivative(self, x: Any) -> jax.Array:
        return ramp_slope(x, 0.0, 1.0, 1 / 6, 0.5)


class HardTanh(Activation):
    """f(x) = min(max(x, -1), 1); its derivative is 1 between -1 and 1, else 0."""

    bounds: ClassVar[Bounds] = (-1.0, 1.0)
    formula = "min(max(x, -1), 1)"
    source = "Collobert 2004, Large Scale Machine Learning (thesis)"
    choose = "A cheap tanh, exact between -1 and 1; nothing is learned from beyond."

    def __call__(self, x: Any) -> jax.Array:
        return ramp(x, -1.0, 1.0)

    def derivative(self, x: Any) -> jax.Array:
        return ramp_slope(x, -1.0, 1.0)
