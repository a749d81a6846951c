"""Losses of margins: nothing once the right class leads by enough."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.specs import number, option
from kilter.losses import targets as forms
from kilter.losses.loss import Loss


class Hinge(Loss):
    """max(0, margin + max_{j != t} o_j - o_t): by how much the right class fails to lead its strongest rival.

    With ``rest`` each class is told from the rest by its own output: sum_j max(0, margin - y_j o_j), y_t = 1, else -1.

    One output stands for two classes: max(0, margin - y o) with y = -1, 1. Targets are class indices or one-hot rows.
    ``(batch, classes)`` or ``(batch, 1)`` to ``(batch,)``. Crammer and Singer 2001, and scikit-learn's ``hinge_loss``;
    PyTorch's ``MultiMarginLoss`` adds up all rivals over the number of classes. What `read` gives are softmaxes of
    outputs: the right order, but no calibrated probabilities.

    Margin 0 is the perceptron's criterion: at the kink the slope is that of a lack, so that weights of zero move. With
    ``counted`` the value tells the number of lacks instead of their size, with the same gradient: Rosenblatt's rule
    (1958) is ``SGD(1)``, a batch size of 1 and weights of zero on ``Hinge(0, rest=True, counted=True)``, whose history is
    then that of the mistakes.

    Args:
        margin: lead that is enough; with 0 any lead is.
        squared: whether the lack is squared, which has no kink and punishes large ones more.
        rest: whether each class is judged against the rest, rather than against its strongest rival.
        counted: whether the value is the number of lacks rather than their size.

    Raises:
        InputError: by `outputs`, where the targets are neither classes nor one-hot rows.
    """

    takes = "margins"
    formula = "max(0, margin + max_{j != t} o_j - o_t), squared if asked for; rest: sum_j max(0, margin - y_j o_j)"
    source = "Crammer and Singer 2001; margin 0: Rosenblatt 1958; rest: Rifkin and Klautau 2004"
    choose = "Only the decision counts, not its probability; a support vector machine on learned features."

    margin: float = number(default=1.0, range="[0, inf)", scale="log", search=(0.1, 10.0))
    _: KW_ONLY
    squared: bool = option(default=False, kinds=bool)
    rest: bool = option(default=False, kinds=bool)
    counted: bool = option(default=False, kinds=bool)

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        room = self.margin - self._leads(outputs, targets)
        lack = jnp.where(room >= 0, room, 0.0)
        lack = lack**2 if self.squared else lack
        if self.counted:
            lack = (room >= 0) + lack - jax.lax.stop_gradient(lack)
        return lack.sum(-1)

    def _leads(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """What must be above the margin: one number an example, or with ``rest`` one an output."""
        scores = forms.pair(outputs)
        right = forms.distributions(targets, scores.shape[-1]) > 0.5
        if self.rest and scores is outputs:
            return jnp.where(right, scores, -scores)
        rival = jnp.where(right, -jnp.inf, scores).max(-1, keepdims=True)
        return jnp.where(right, scores, 0.0).sum(-1, keepdims=True) - rival

    def chance(self, targets: Any, classes: int = 0) -> float:
        """Only the lead of the most frequent class matters, and it pays where that class holds more than half."""
        shares = forms.shares(targets, classes)
        single = len(shares) == 2 and np.shape(targets)[1:] != (2,)
        top = np.maximum(shares, 1 - shares) if self.rest and not single else shares.max(keepdims=True)
        if self.counted:
            return float((1 - top).sum())
        top = np.maximum(top, 0.5)
        return float((4 * top * (1 - top) * self.margin**2 if self.squared else 2 * (1 - top) * self.margin).sum())

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        if self.rest and classes == 2:
            return (1,)
        return forms.of_classes(self, targets, classes, single=True)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        shares = jax.nn.softmax(forms.pair(outputs))
        return shares if classes else shares[:, -outputs.shape[-1] :]
