"""Smooth rectifiers: the signal times a gate of itself, f(x) = x g(x), and softplus, a sigmoid's integral."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.nn.activation import Activation, Bounds
from kilter.nn.ramp import ramp, ramp_slope


class Softplus(Activation):
    """f(x) = log(1 + exp(x)); its derivative is the sigmoid."""

    bounds: ClassVar[Bounds] = (0.0, math.inf)
    formula = "log(1 + exp(x))"
    source = "Dugas, Bengio, Belisle, Nadeau and Garcia 2001, Incorporating Second-Order Functional Knowledge"
    choose = "As the last layer for positive numbers such as scales; between layers ReLU is cheaper."

    def __call__(self, x: Any) -> jax.Array:
        return jax.nn.softplus(x)

    def derivative(self, x: Any) -> jax.Array:
        return jax.nn.sigmoid(x)


class _SelfGated(Activation, abstract=True):
    """f(x) = x g(x), f'(x) = g(x) + x g'(x), with a gate g that goes from 0 to 1."""

    def gate(self, x: jax.Array) -> jax.Array:
        """g(x), from 0 to 1."""
        raise NotImplementedError

    def gate_slope(self, x: jax.Array) -> jax.Array:
        """g'(x)."""
        raise NotImplementedError

    def __call__(self, x: Any) -> jax.Array:
        x = jnp.asarray(x)
        return x * self.gate(x)

    def derivative(self, x: Any) -> jax.Array:
        x = jnp.asarray(x)
        return self.gate(x) + x * self.gate_slope(x)


class GELU(_SelfGated):
    """f(x) = x Phi(x), with the distribution function Phi of a standard normal.

    Args:
        approximate: whether Phi(x) is replaced by (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, as in BERT and GPT-2;
            off by default as in PyTorch and Keras, unlike ``jax.nn.gelu``.
    """

    formula = "x Phi(x)"
    source = "Hendrycks and Gimpel 2016, Gaussian Error Linear Units"
    choose = "For transformers, and wherever a smooth ReLU helps."

    approximate: bool = option(default=False, kinds=bool)

    @property
    def bounds(self) -> Bounds:  # pyright: ignore[reportIncompatibleVariableOverride]
        """From its minimum, near x = -0.75, to infinity."""
        return (-0.170041 if self.approximate else -0.169972), math.inf

    def gate(self, x: jax.Array) -> jax.Array:
        if self.approximate:
            return jax.nn.sigmoid(2.0 * self._cubic(x))  # (1 + tanh u) / 2 without its cancellation on the left
        return 0.5 * jax.lax.erfc(-math.sqrt(0.5) * x)

    def gate_slope(self, x: jax.Array) -> jax.Array:
        if self.approximate:
            gate = self.gate(x)
            return 2.0 * gate * (1.0 - gate) * math.sqrt(2 / math.pi) * (1.0 + 3 * 0.044715 * x**2)
        return jnp.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)

    def _cubic(self, x: jax.Array) -> jax.Array:
        return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


class Swish(_SelfGated):
    """f(x) = x sigmoid(beta x): SiLU at beta 1, GELU nearly at 1.702, ReLU in the limit.

    Args:
        beta: how sharply the gate opens. (Keras and PyTorch have beta 1 alone.)
    """

    formula = "x sigmoid(beta x)"
    source = "Ramachandran, Zoph and Le 2017, Searching for Activation Functions"
    choose = "Where the sharpness of SiLU's bend is to be tuned."

    beta: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.5, 4.0))

    @property
    def bounds(self) -> Bounds:  # pyright: ignore[reportIncompatibleVariableOverride]
        """From its minimum, near x = -1.278 / beta, to infinity."""
        return -0.278465 / self.beta, math.inf

    def gate(self, x: jax.Array) -> jax.Array:
        return jax.nn.sigmoid(self.beta * x)

    def gate_slope(self, x: jax.Array) -> jax.Array:
        return self.beta * jax.nn.sigmoid(self.beta * x) * jax.nn.sigmoid(-self.beta * x)


class SiLU(_SelfGated):
    """f(x) = x sigmoid(x): Swish with beta 1."""

    bounds: ClassVar[Bounds] = (-0.278465, math.inf)
    formula = "x sigmoid(x)"
    source = "Elfwing, Uchibe and Doya 2018, Sigmoid-Weighted Linear Units; Hendrycks and Gimpel 2016"
    choose = "For deep convolutional nets (EfficientNet) and diffusion models: a smooth ReLU without dead units."

    def gate(self, x: jax.Array) -> jax.Array:
        return jax.nn.sigmoid(x)

    def gate_slope(self, x: jax.Array) -> jax.Array:
        return jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)


class Mish(_SelfGated):
    """f(x) = x tanh(log(1 + exp(x)))."""

    bounds: ClassVar[Bounds] = (-0.308843, math.inf)
    formula = "x tanh(log(1 + exp(x)))"
    source = "Misra 2020, Mish: A Self Regularized Non-Monotonic Activation Function"
    choose = "In detectors (YOLOv4), and where SiLU works and a little more smoothness is worth its price."

    def gate(self, x: jax.Array) -> jax.Array:
        return jnp.tanh(jax.nn.softplus(x))

    def gate_slope(self, x: jax.Array) -> jax.Array:
        return (1.0 - jnp.square(self.gate(x))) * jax.nn.sigmoid(x)


class HardSwish(_SelfGated):
    """f(x) = x min(max(x / 6 + 1/2, 0), 1): zero below -3, x above 3."""

    bounds: ClassVar[Bounds] = (-0.375, math.inf)
    mortal = True
    formula = "x min(max(x / 6 + 1/2, 0), 1)"
    source = "Howard et al. 2019, Searching for MobileNetV3"
    choose = "For small devices: SiLU without an exponential."

    def gate(self, x: jax.Array) -> jax.Array:
        return ramp(x, 0.0, 1.0, 1 / 6, 0.5)

    def gate_slope(self, x: jax.Array) -> jax.Array:
        return ramp_slope(x, 0.0, 1.0, 1 / 6, 0.5)
