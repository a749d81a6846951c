"""Initializers of a fixed spread, whatever the size of the layer."""

import math
from typing import Any

import jax

from kilter.core.errors import within
from kilter.core.specs import number
from kilter.nn.initializer import Initializer, Shape, draw


class Uniform(Initializer):
    """Uniform in [-a, a]; standard deviation a / sqrt(3).

    Args:
        a: half the width.
    """

    paddable = True
    formula = "U(-a, a)"
    source = "Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors"
    choose = "For embeddings and to repeat old results; deep nets need a spread that follows the fan."

    a: float = number(default=0.05, range="(0, inf)", scale="log", search=(1e-3, 1.0))

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw("uniform", key, shape, self.std(shape))

    def std(self, shape: Shape) -> Any:
        return self.a / math.sqrt(3)


class Normal(Initializer):
    """Normal with mean zero and standard deviation ``std``.

    Args:
        std: standard deviation; read back as ``scale``, because ``std(shape)`` is what every initializer promises.
    """

    paddable = True
    formula = "N(0, std^2)"
    source = "Krizhevsky, Sutskever and Hinton 2012, ImageNet Classification, section 5 (std 0.01)"
    choose = "For embeddings and to repeat old results; deep nets need a spread that follows the fan."

    scale: float = number(default=0.01, range="(0, inf)", scale="log", search=(1e-3, 1.0))

    def __init__(self, std: float = 0.01) -> None:
        fill_std(self, std)

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw("normal", key, shape, self.scale)

    def std(self, shape: Shape) -> Any:
        return self.scale


class TruncatedNormal(Initializer):
    """Normal cut at two standard deviations, its standard deviation after the cut equal to ``std``.

    Keras and PyTorch cut without that correction: their weights spread by 0.88 of what is asked for.

    Args:
        std: standard deviation after the cut; read back as ``scale``.
    """

    paddable = True
    formula = "N(0, (std / 0.8796)^2) cut at +-2 std / 0.8796"
    source = "Abadi et al. 2015, TensorFlow (truncated_normal); Dosovitskiy et al. 2021 (std 0.02)"
    choose = "For embeddings and transformers with a fixed spread of 0.02; no weight is far out."

    scale: float = number(default=0.01, range="(0, inf)", scale="log", search=(1e-3, 1.0))

    def __init__(self, std: float = 0.01) -> None:
        fill_std(self, std)

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw("truncated", key, shape, self.scale)

    def std(self, shape: Shape) -> Any:
        return self.scale


class SmallRandom(Initializer):
    """Normal with mean zero and standard deviation 0.01: ``Normal(0.01)``, to see signals vanish in deep nets."""

    paddable = True
    formula = "N(0, 0.01^2)"
    source = "Krizhevsky, Sutskever and Hinton 2012; Glorot and Bengio 2010 on why it fails in deep nets"
    choose = "For one hidden layer, or to demonstrate vanishing signals."

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw("normal", key, shape, self.std(shape))

    def std(self, shape: Shape) -> float:
        return 0.01


def fill_std(initializer: Initializer, std: Any, **given: Any) -> None:
    """Fill the field ``scale`` with what the constructor calls ``std``; errors use the constructor's word."""
    with within("", {"scale": "std"}):
        initializer._fill(given | {"scale": std})
