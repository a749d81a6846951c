"""Likelihoods of numbers: outputs are the parameters of a distribution, the loss is minus its logarithm."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.arrays import namespace
from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.losses import targets as forms
from kilter.losses.loss import Loss

# exp(40) is beyond every rate and precision, and its products with squares of 1e4 still fit float32.
_HIGHEST = 40.0


def _exp(x: jax.Array) -> jax.Array:
    """Exponential, from 40 on its tangent, so that values and slopes stay finite."""
    return jnp.exp(jnp.minimum(x, _HIGHEST)) * (1.0 + jnp.maximum(x - _HIGHEST, 0.0))


class Poisson(Loss):
    """exp(o) - t o, mean over outputs, where the outputs o are logarithms of rates and the targets t are counts.

    With ``full`` Stirling's t log t - t + log(2 pi t) / 2 is added for t > 1. ``(batch, k)`` to ``(batch,)``. PyTorch's
    ``PoissonNLLLoss``, whose default is this; Keras's ``Poisson`` takes rates. Above 40 the exponential goes on as its
    tangent.

    Args:
        full: whether to add what depends on targets alone.

    Raises:
        InputError: by `outputs`, where the targets are classes or below zero.
    """

    takes = "log rates"
    formula = "mean_j exp(o_j) - t_j o_j"
    source = "Nelder and Wedderburn 1972 (Poisson regression); PyTorch, PoissonNLLLoss"
    choose = "Targets are counts: visits, defects, clicks. What is learned is the logarithm of their rate."

    _: KW_ONLY
    full: bool = option(default=False, kinds=bool)

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        counts = forms.columns(targets, outputs)
        return (_exp(outputs) - counts * outputs + self._rest(counts)).mean(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        counts = np.asarray(targets, float).reshape(len(targets), -1)
        rate = counts.mean(0)
        return float((rate - rate * np.log(np.where(rate > 0, rate, 1.0)) + self._rest(counts)).mean())

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        counts = forms.of_numbers(self, targets, classes)
        if counts.min() < 0:
            raise InputError(f"{self!r} needs counts, but a target is {counts.min():g}")
        return (counts.shape[1],)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        return _exp(outputs)

    def noise(self, outputs: jax.Array) -> jax.Array | None:
        """The rate, which is the variance of a Poisson distribution too."""
        return _exp(outputs)

    def _rest(self, counts: Any) -> Any:
        if not self.full:
            return 0.0
        xp = namespace(counts)
        many = xp.where(counts > 1, counts, 1.0)
        return xp.where(counts > 1, many * xp.log(many) - many + xp.log(2 * math.pi * many) / 2, 0.0)


class GaussianLikelihood(Loss):
    """(log v + (t - m)^2 / v) / 2, mean over targets, where the outputs are means m and then logarithms of variances v.

    With ``full`` log(2 pi) / 2 is added. ``(batch, 2 k)`` for targets ``(batch, k)`` to ``(batch,)``; `read` gives the
    means. Nix and Weigend 1994, equation 5. PyTorch's ``GaussianNLLLoss`` takes variances. Below a log variance of -40 the
    precision goes on as its tangent.

    Args:
        full: whether to add the constant.

    Raises:
        InputError: by `outputs`, where the targets are classes.
    """

    takes = "means and log variances"
    formula = "mean_j (s_j + (t_j - m_j)^2 exp(-s_j)) / 2,  o = (m, s)"
    source = "Nix and Weigend 1994"
    choose = "Numbers whose noise differs from place to place, and how sure the network is matters."

    _: KW_ONLY
    full: bool = option(default=False, kinds=bool)

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        mean, spread = jnp.split(outputs, 2, -1)
        errors = mean - forms.columns(targets, mean)
        return (spread + errors**2 * _exp(-spread)).mean(-1) / 2 + self._rest()

    def chance(self, targets: Any, classes: int = 0) -> float:
        """Minus infinity where a target never changes: its variance can then shrink without end."""
        var = np.asarray(targets, float).reshape(len(targets), -1).var(0)
        return float((np.log(var).mean() + 1) / 2 + self._rest()) if (var > 0).all() else -math.inf

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        return (2 * forms.of_numbers(self, targets, classes).shape[1],)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        return jnp.split(outputs, 2, -1)[0]

    def noise(self, outputs: jax.Array) -> jax.Array | None:
        return _exp(jnp.split(outputs, 2, -1)[1])

    def _rest(self) -> float:
        return math.log(2 * math.pi) / 2 if self.full else 0.0
