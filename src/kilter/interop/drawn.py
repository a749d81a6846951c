"""How weights were drawn, told from the weights themselves."""

from typing import Any

import numpy as np

from kilter.nn.initializer import fans
from kilter.nn.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LeCunNormal,
    LeCunUniform,
    Normal,
    Uniform,
    VarianceScaling,
    Zeros,
)

Array = np.ndarray[Any, Any]
# What PyTorch's layers draw: U(-a, a) with a = 1 / sqrt(fan_in).
TORCH = VarianceScaling(1 / 3, fan="in", distribution="uniform")
_FLAT: tuple[Initializer, ...] = (TORCH, GlorotUniform(), HeUniform(), LeCunUniform())
_BELL: tuple[Initializer, ...] = (GlorotNormal(), HeNormal(), LeCunNormal())
# Between the kurtosis of a uniform distribution, 1.8, and that of a normal one cut at two standard deviations, 2.36.
_BETWEEN = 2.1
# How far a measured standard deviation may be from a promised one, beside three standard errors of it.
_NEAR = 0.02


def drawn(kernel: Array) -> Initializer:
    """The initializer that most likely drew a kernel ``(*window, in, out)``: a famous one, or one of the same spread.

    >>> draw = np.random.default_rng(0)
    >>> drawn(draw.uniform(-0.25, 0.25, (16, 400)))
    nn.initializers.VarianceScaling(0.3333333333333333, distribution='uniform')
    >>> drawn(np.full((4, 4), 0.5))
    nn.initializers.Constant(0.5)
    """
    values = np.asarray(kernel, np.float64)
    alike = _alike(values)
    if alike is not None:
        return alike
    std = float(np.sqrt(np.square(values).mean()))
    flat = _flat(values)
    error = _NEAR + 3 * std_error(values.size, flat)
    for famous in _FLAT if flat else _BELL:
        if abs(std / float(famous.std(values.shape)) - 1) < error:
            return famous
    return _plain(std, flat)


def drawn_bias(bias: Array | None, kernel: tuple[int, ...]) -> Initializer:
    """The same of a bias; PyTorch draws it as the kernel of that shape."""
    if bias is None:
        return Zeros()
    values = np.asarray(bias, np.float64)
    alike = _alike(values) if len(values) > 1 or not values.any() else None
    if alike is not None:
        return alike
    usual = 1 / np.sqrt(fans(kernel)[0])
    if np.abs(values).max() <= usual * (1 + 1e-6):
        return Uniform(float(usual))
    return _plain(float(np.sqrt(np.square(values).mean())), _flat(values))


def std_error(count: int, flat: bool) -> float:
    """Relative standard error of a measured standard deviation: sqrt((kurtosis - 1) / (4 n))."""
    return float(np.sqrt((0.8 if flat else 2.0) / (4 * count)))


def _alike(values: Array) -> Initializer | None:
    """Where all values are one, or are none that can be drawn."""
    if not np.isfinite(values).all():
        return Zeros()
    if values.min() == values.max():
        return Constant(float(values.flat[0])) if values.any() else Zeros()
    return None


def _flat(values: Array) -> bool:
    squares = np.square(values - values.mean())
    return float(np.square(squares).mean() / np.square(squares.mean())) < _BETWEEN


def _plain(std: float, flat: bool) -> Initializer:
    return Uniform(float(f"{std * np.sqrt(3):.3g}")) if flat else Normal(float(f"{std:.3g}"))
