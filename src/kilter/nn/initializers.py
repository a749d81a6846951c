"""Initializers: how weights are drawn, and the standard deviation each of them promises."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.specs import number, option, part
from kilter.core.values import Value

Shape = tuple[int, ...]
# Standard deviation of a standard normal cut at two standard deviations: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
_CUT_STD = 0.8796256610342398


def fans(shape: Shape) -> tuple[float, float]:
    """Inputs and outputs of one unit for a kernel ``(*window, in, out)``; a vector counts as ``(1, out)``."""
    *window, inputs, outputs = shape if len(shape) > 1 else (1, *shape)
    return math.prod(window) * inputs, math.prod(window) * outputs


def draw(distribution: str, key: jax.Array, shape: Shape, std: Any) -> jax.Array:
    """Draw with mean zero and the given standard deviation from ``normal``, ``truncated`` or ``uniform``."""
    if distribution == "uniform":
        return std * math.sqrt(3) * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    if distribution == "truncated":
        return std / _CUT_STD * jax.random.truncated_normal(key, -2.0, 2.0, shape)
    return std * jax.random.normal(key, shape)


class Initializer(Value, abstract=True):
    """Base of all initializers: called with a key and a kernel shape ``(*window, in, out)``, returns float32 weights."""

    home: ClassVar[str] = "nn.initializers"

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        raise NotImplementedError

    def std(self, shape: Shape) -> Any:
        """Standard deviation of the weights that it promises for a kernel of this shape."""
        raise NotImplementedError


class Constant(Initializer):
    """All weights equal ``value``. Units of a layer then stay equal for ever; for biases, and to see why it fails."""

    value: float = number()

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return jnp.full(shape, self.value, jnp.float32)

    def std(self, shape: Shape) -> float:
        return 0.0


class Zeros(Initializer):
    """All weights zero: right for biases, never for kernels."""

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return jnp.zeros(shape, jnp.float32)

    def std(self, shape: Shape) -> float:
        return 0.0


class Uniform(Initializer):
    """Uniform in [-a, a]; standard deviation a / sqrt(3)."""

    a: float = number(default=0.05, range="(0, inf)", scale="log", search=(1e-3, 1.0))

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw("uniform", key, shape, self.std(shape))

    def std(self, shape: Shape) -> Any:
        return self.a / math.sqrt(3)


class Normal(Initializer):
    """Normal with mean zero and standard deviation ``scale``."""

    scale: float = number(default=0.01, range="(0, inf)", scale="log", search=(1e-3, 1.0))

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw("normal", key, shape, self.scale)

    def std(self, shape: Shape) -> Any:
        return self.scale


class TruncatedNormal(Initializer):
    """Normal cut at two standard deviations, its standard deviation after the cut equal to ``scale``."""

    scale: float = number(default=0.01, range="(0, inf)", scale="log", search=(1e-3, 1.0))

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw("truncated", key, shape, self.scale)

    def std(self, shape: Shape) -> Any:
        return self.scale


class VarianceScaling(Initializer):
    """Zero mean and variance ``scale / fan``: the general form of Glorot's, He's and LeCun's initializers.

    Args:
        scale: variance of the sum over the fan; 1 for LeCun and Glorot, 2 for He.
        fan: ``"in"`` (keeps the forward signal), ``"out"`` (the backward signal) or ``"avg"`` (their mean).
        distribution: ``"truncated"`` (normal cut at two standard deviations, variance corrected), ``"normal"`` or
            ``"uniform"``.
    """

    scale: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.1, 10.0))
    fan: str = option(default="in", choices=("in", "out", "avg"))
    distribution: str = option(default="truncated", choices=("truncated", "normal", "uniform"))

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw(self.distribution, key, shape, self.std(shape))

    def std(self, shape: Shape) -> Any:
        fan_in, fan_out = fans(shape)
        fan = {"in": fan_in, "out": fan_out, "avg": (fan_in + fan_out) / 2}[self.fan]
        return (self.scale / fan) ** 0.5


def GlorotUniform() -> VarianceScaling:
    """Uniform with variance 2 / (fan_in + fan_out). Glorot and Bengio 2010, equation 16."""
    return VarianceScaling(1.0, "avg", "uniform")


def GlorotNormal() -> VarianceScaling:
    """Truncated normal with variance 2 / (fan_in + fan_out). Glorot and Bengio 2010, equation 12."""
    return VarianceScaling(1.0, "avg")


def HeUniform(slope: float = 0.0) -> VarianceScaling:
    """Uniform with variance 2 / ((1 + slope^2) fan_in), for (leaky) ReLU. He et al. 2015, equation 15."""
    return VarianceScaling(2.0 / (1.0 + slope**2), "in", "uniform")


def HeNormal(slope: float = 0.0) -> VarianceScaling:
    """Truncated normal with variance 2 / ((1 + slope^2) fan_in), for (leaky) ReLU. He et al. 2015, equation 15."""
    return VarianceScaling(2.0 / (1.0 + slope**2), "in")


def LeCunUniform() -> VarianceScaling:
    """Uniform with variance 1 / fan_in. LeCun et al. 1998, Efficient BackProp, section 4.6."""
    return VarianceScaling(1.0, "in", "uniform")


def LeCunNormal() -> VarianceScaling:
    """Truncated normal with variance 1 / fan_in. LeCun et al. 1998, Efficient BackProp, section 4.6."""
    return VarianceScaling(1.0, "in")


class Matched(Initializer):
    """Keeps the variance of the signal through the activation that follows, whichever it is.

    Truncated normal with standard deviation gain / sqrt(fan_in), where gain = 1 / sqrt(E[f(z)^2]) for z ~ N(0, 1) is
    computed from the activation f itself by numerical integration; sqrt(2) for ReLU, as in He et al. 2015.

    Args:
        activation: the activation that follows; ``None`` stands for the identity (gain 1).
    """

    activation: Any = part(default=None, kinds=Value, optional=True)

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw("truncated", key, shape, self.std(shape))

    def std(self, shape: Shape) -> Any:
        return self.gain() / math.sqrt(fans(shape)[0])

    def gain(self) -> Any:
        """Factor by which weights must grow to make up for what the activation takes from the signal."""
        if self.activation is None:
            return 1.0
        nodes, weights = _quadrature()
        second_moment = jnp.sum(weights * self.activation(nodes) ** 2)
        return jax.lax.rsqrt(second_moment)


def _quadrature() -> tuple[Any, Any]:
    """Nodes and weights that integrate against a standard normal: trapezoids on a fine grid, exact to 1e-7 with kinks."""
    nodes = np.linspace(-8.0, 8.0, 4001)
    weights = np.exp(-(nodes**2) / 2)
    return nodes.astype(np.float32), (weights / weights.sum()).astype(np.float32)
