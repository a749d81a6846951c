"""Augmentations of rows of any kind: two mixed, or noise added."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from kilter.core.keys import named
from kilter.core.specs import number
from kilter.data.augment import Augmentation, Mix


class Mixup(Augmentation):
    """x = s x_i + (1 - s) x_j and the loss s loss(y_i) + (1 - s) loss(y_j), with s ~ Beta(alpha, alpha).

    One s a batch and j a random order of the batch, as in the authors' code. For cross-entropy the mixed loss is that of
    mixed targets. Zhang et al. 2018, equation 2.

    Args:
        alpha: of the Beta distribution: near 0 rows stay nearly themselves, at 1 every share is as likely.
    """

    formula: ClassVar[str] = "s x_i + (1 - s) x_j,  s ~ Beta(alpha, alpha),  targets alike"
    source: ClassVar[str] = "Zhang et al. 2018, equation 2"
    choose: ClassVar[str] = "A net that is too sure of itself, or noisy labels; trainings long enough to use it."
    mixes: ClassVar[bool] = True

    alpha: float = number(default=0.2, range="(0, inf)", scale="log", search=(0.05, 2.0))

    def apply(self, key: jax.Array, x: jax.Array) -> tuple[jax.Array, Mix | None]:
        share = jax.random.beta(named(key, "share"), self.alpha, self.alpha)
        partner = jax.random.permutation(named(key, "partner"), len(x))
        return share * x + (1.0 - share) * x[partner], Mix(partner, share)


class Noise(Augmentation):
    """x + std n with n ~ N(0, 1), new for every number and step; for small std the same as a penalty on the slopes.

    Bishop 1995, Training with noise is equivalent to Tikhonov regularization.

    Args:
        std: of the noise, in units of the preprocessed inputs.
    """

    formula: ClassVar[str] = "x + std n,  n ~ N(0, 1)"
    source: ClassVar[str] = "Bishop 1995"
    choose: ClassVar[str] = "Measurements with noise of their own; small tables."

    std: float = number(default=0.1, range="[0, inf)", scale="log", search=(0.01, 1.0))

    def apply(self, key: jax.Array, x: jax.Array) -> tuple[jax.Array, Mix | None]:
        return x + jnp.asarray(self.std, x.dtype) * jax.random.normal(key, x.shape, x.dtype), None
