"""Variance scaling: a spread that follows the fan, and the famous settings of it."""

from typing import Any

import jax

from kilter.core.specs import number, option
from kilter.nn.initializer import Initializer, Shape, draw, fans

Rule = tuple[Any, str, str]


class Scaled(Initializer, abstract=True):
    """Base of those with zero mean and variance ``scale / fan``; a member states its scale, fan and distribution."""

    paddable = True

    def rule(self) -> Rule:
        """Scale, fan and distribution, as `VarianceScaling` takes them."""
        raise NotImplementedError

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw(self.rule()[2], key, shape, self.std(shape))

    def std(self, shape: Shape) -> Any:
        scale, which, _ = self.rule()
        fan_in, fan_out = fans(shape)
        fan = {"in": fan_in, "out": fan_out, "avg": (fan_in + fan_out) / 2}[which]
        return (scale / fan) ** 0.5


class VarianceScaling(Scaled):
    """Zero mean and variance ``scale / fan``: the general form of Glorot's, He's and LeCun's initializers.

    Args:
        scale: variance of the sum over the fan; 1 for LeCun and Glorot, 2 for He.
        fan: ``"in"`` (keeps the forward signal), ``"out"`` (the backward signal) or ``"avg"`` (their mean).
        distribution: ``"truncated"`` (normal cut at two standard deviations, variance corrected), ``"normal"`` or
            ``"uniform"``.
    """

    formula = "variance scale / fan"
    source = "He, Zhang, Ren and Sun 2015, Delving Deep into Rectifiers, section 2.2"
    choose = "Where none of the named settings fits; `Matched` finds the scale by itself."

    scale: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.1, 10.0))
    fan: str = option(default="in", choices=("in", "out", "avg"))
    distribution: str = option(default="truncated", choices=("truncated", "normal", "uniform"))

    def rule(self) -> Rule:
        return self.scale, self.fan, self.distribution


class GlorotUniform(Scaled):
    """Uniform with variance 2 / (fan_in + fan_out). Glorot and Bengio 2010, equation 16. (Keras' default.)"""

    formula = "U(-a, a), a = sqrt(6 / (fan_in + fan_out))"
    source = "Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward networks, equation 16"
    choose = "For tanh, softmax and linear layers: a compromise of the forward and the backward signal."

    def rule(self) -> Rule:
        return 1.0, "avg", "uniform"


class GlorotNormal(Scaled):
    """Truncated normal with variance 2 / (fan_in + fan_out). Glorot and Bengio 2010, equation 12.

    Keras draws the same; PyTorch's ``xavier_normal_`` is not truncated.
    """

    formula = "N(0, 2 / (fan_in + fan_out)), truncated"
    source = "Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward networks, equation 12"
    choose = "For tanh, softmax and linear layers: a compromise of the forward and the backward signal."

    def rule(self) -> Rule:
        return 1.0, "avg", "truncated"


class HeUniform(Scaled):
    """Uniform with variance 2 / ((1 + slope^2) fan_in), for (leaky) ReLU. He et al. 2015, equation 15.

    Args:
        slope: of the rectifier below zero. (PyTorch's layers draw with slope sqrt(5), which is LeCun's third.)
    """

    formula = "U(-a, a), a = sqrt(6 / ((1 + slope^2) fan_in))"
    source = "He, Zhang, Ren and Sun 2015, Delving Deep into Rectifiers, equation 15"
    choose = "For ReLU and leaky ReLU."

    slope: float = number(default=0.0, range="(-inf, inf)", search=(0.0, 0.5))

    def rule(self) -> Rule:
        return 2.0 / (1.0 + self.slope**2), "in", "uniform"


class HeNormal(Scaled):
    """Truncated normal with variance 2 / ((1 + slope^2) fan_in), for (leaky) ReLU. He et al. 2015, equation 15.

    Keras draws the same; PyTorch's ``kaiming_normal_`` is not truncated.

    Args:
        slope: of the rectifier below zero.
    """

    formula = "N(0, 2 / ((1 + slope^2) fan_in)), truncated"
    source = "He, Zhang, Ren and Sun 2015, Delving Deep into Rectifiers, equation 15"
    choose = "For ReLU and leaky ReLU."

    slope: float = number(default=0.0, range="(-inf, inf)", search=(0.0, 0.5))

    def rule(self) -> Rule:
        return 2.0 / (1.0 + self.slope**2), "in", "truncated"


class LeCunUniform(Scaled):
    """Uniform with variance 1 / fan_in. LeCun et al. 1998, Efficient BackProp, section 4.6."""

    formula = "U(-a, a), a = sqrt(3 / fan_in)"
    source = "LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.6"
    choose = "For linear layers and SELU."

    def rule(self) -> Rule:
        return 1.0, "in", "uniform"


class LeCunNormal(Scaled):
    """Truncated normal with variance 1 / fan_in. LeCun et al. 1998, Efficient BackProp, section 4.6."""

    formula = "N(0, 1 / fan_in), truncated"
    source = "LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.6"
    choose = "For linear layers and SELU."

    def rule(self) -> Rule:
        return 1.0, "in", "truncated"
