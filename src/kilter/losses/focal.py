"""The focal loss: cross-entropy that looks away from what is already right."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.specs import number
from kilter.losses import targets as forms
from kilter.losses.loss import Loss

# A float32 probability is this far from one at most without being one; below it powers less than one have no slope.
_LEAST = 1e-7


class Focal(Loss):
    """-(1 - p_t)^gamma log p_t with p = softmax(outputs), from logits; gamma = 0 is the cross-entropy.

    One output stands for two classes, p = sigmoid(output); more are classes that exclude each other. Targets are class
    indices or rows of shares, summed over with their shares. ``(batch, classes)`` or ``(batch, 1)`` to ``(batch,)``.
    Lin et al. 2017, equation 4. Keras's ``CategoricalFocalCrossentropy`` multiplies by ``alpha`` (0.25) besides; so does
    torchvision's ``sigmoid_focal_loss``.

    Args:
        gamma: how fast examples lose weight as they become right.

    Raises:
        InputError: by `outputs`, where the targets are neither classes nor rows of shares.
    """

    takes = "logits"
    formula = "-(1 - p_t)^gamma log p_t,  p = softmax(o)"
    source = "Lin et al. 2017, equation 4"
    choose = "One class is rare and most examples of the others are easy, as in detection."

    gamma: float = number(default=2.0, range="[0, inf)", search=(0.0, 5.0))

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        logits = forms.pair(outputs)
        log_p = jax.nn.log_softmax(logits)
        missing = jnp.maximum(-jnp.expm1(log_p), _LEAST)
        return -(forms.distributions(targets, logits.shape[-1]) * missing**self.gamma * log_p).sum(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        shares = forms.shares(_whole(targets), classes)
        present = shares[shares > 0]
        p = _best(present, self.gamma) if len(present) > 1 else np.ones(1)
        return float(-(present * (1 - p) ** self.gamma * np.log(p)).sum())

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        return forms.of_classes(self, targets, classes, single=True)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        shares = jax.nn.softmax(forms.pair(outputs))
        return shares if classes else shares[:, -outputs.shape[-1] :]


def _whole(targets: Any) -> Any:
    targets = np.asarray(targets)
    return targets[:, None] if targets.ndim == 1 and targets.dtype.kind == "f" else targets


def _best(shares: Any, gamma: float) -> Any:
    """Probabilities that minimize the mean loss: the slopes of all classes are equal, and their sum is one."""

    def slope(p: Any) -> Any:
        return shares * (gamma * (1 - p) ** (gamma - 1) * np.log(p) - (1 - p) ** gamma / p)

    def at(wanted: float) -> Any:
        low, high = np.full_like(shares, 1e-12), np.full_like(shares, 1 - 1e-12)
        for _ in range(60):
            middle = (low + high) / 2
            above = slope(middle) > wanted
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return (low + high) / 2

    low, high = -30.0, 30.0  # logarithm of minus the slope
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at(-np.exp(middle)).sum() > 1 else (low, middle)
    return at(-np.exp(low))
