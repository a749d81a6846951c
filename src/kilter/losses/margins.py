"""Losses of margins: nothing once the right class leads by enough."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.losses import targets as forms
from kilter.losses.loss import Loss


class Hinge(Loss):
    """max(0, margin + max_{j != t} o_j - o_t): by how much the right class fails to lead its strongest rival.

    One output stands for two classes: max(0, margin - y o) with y = -1, 1. Targets are class indices or one-hot rows.
    ``(batch, classes)`` or ``(batch, 1)`` to ``(batch,)``. Crammer and Singer 2001, and scikit-learn's ``hinge_loss``;
    PyTorch's ``MultiMarginLoss`` adds up all rivals over the number of classes. What `read` gives are softmaxes of
    outputs: the right order, but no calibrated probabilities.

    Args:
        margin: lead that is enough.
        squared: whether the lack is squared, which has no kink and punishes large ones more.

    Raises:
        InputError: by `outputs`, where the targets are neither classes nor one-hot rows.
    """

    takes = "margins"
    formula = "max(0, margin + max_{j != t} o_j - o_t), squared if asked for"
    source = "Crammer and Singer 2001"
    choose = "Only the decision counts, not its probability; a support vector machine on learned features."

    margin: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.1, 10.0))
    _: KW_ONLY
    squared: bool = option(default=False, kinds=bool)

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        scores = forms.pair(outputs)
        right = forms.distributions(targets, scores.shape[-1]) > 0.5
        rival = jnp.where(right, -jnp.inf, scores).max(-1)
        lack = jax.nn.relu(self.margin + rival - jnp.where(right, scores, 0.0).sum(-1))
        return lack**2 if self.squared else lack

    def chance(self, targets: Any, classes: int = 0) -> float:
        """Only the lead of the most frequent class matters, and it pays where that class holds more than half."""
        top = max(float(forms.shares(targets, classes).max()), 0.5)
        return 4 * top * (1 - top) * self.margin**2 if self.squared else 2 * (1 - top) * self.margin

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        return forms.of_classes(self, targets, classes, single=True)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        shares = jax.nn.softmax(forms.pair(outputs))
        return shares if classes else shares[:, -outputs.shape[-1] :]
