"""Cross-entropies on logits, in the form that is stable at any size."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.arrays import one_hot
from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.losses import targets as forms
from kilter.losses.loss import Loss


def cross_entropy(logits: jax.Array, shares: jax.Array) -> jax.Array:
    """-sum of shares log softmax(logits), as logsumexp(logits) - logits with the largest logit taken off both."""
    shifted = logits - jax.lax.stop_gradient(logits.max(-1, keepdims=True))
    return jnp.log(jnp.exp(shifted).sum(-1)) * shares.sum(-1) - (shares * shifted).sum(-1)


class SoftmaxCrossEntropy(Loss):
    """-log softmax(outputs)[target], from logits, in the form that is stable at any size: logsumexp(o) - o[target].

    In full -sum_j weights_j s_j log softmax(outputs)_j with s = (1 - smoothing) t + smoothing / classes, where t are class
    indices made one-hot, or one-hot or soft rows. ``(batch, classes)`` to ``(batch,)``. Szegedy et al. 2016, section 7.

    PyTorch's ``CrossEntropyLoss`` with ``weight`` and ``label_smoothing`` is this before its mean, which divides by the sum
    of weights rather than by the number of rows. Keras starts from probabilities unless ``from_logits`` is set.

    Args:
        smoothing: share of every target that is spread evenly over the classes.
        weights: a weight for each class, or None for equal ones.

    Raises:
        InputError: by `outputs`, where the targets are numbers, or where the weights are not one for each class.
    """

    takes = "logits"
    formula = "-sum_j w_j s_j log softmax(o)_j,  s = (1 - smoothing) onehot(t) + smoothing / classes"
    source = "Bridle 1990; smoothing: Szegedy et al. 2016, section 7"
    choose = "Each example belongs to one of several classes. The default for classification."

    smoothing: float = number(default=0.0, range="[0, 1)", search=(0.0, 0.3))
    _: KW_ONLY
    weights: tuple[float, ...] | None = option(default=None, kinds=(tuple, float, int), range="[0, inf)", optional=True)

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        return cross_entropy(outputs, self._wanted(one_hot(targets, outputs.shape[-1])))

    def chance(self, targets: Any, classes: int = 0) -> float:
        wanted = self._wanted(forms.shares(targets, classes))
        return forms.entropy(wanted, wanted / wanted.sum())

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        fitting = forms.of_classes(self, targets, classes, distributed=False)
        if self.weights is not None and np.shape(self.weights) != fitting:
            raise InputError(f"{self!r}: weights must be {fitting[0]} numbers, one for each class")
        return fitting

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        return jax.nn.softmax(outputs)

    def _wanted(self, shares: Any) -> Any:
        """Smoothed and weighted shares."""
        wanted = shares * (1.0 - self.smoothing) + self.smoothing / shares.shape[-1]
        return wanted if self.weights is None else wanted * np.asarray(self.weights, np.float32)


class SigmoidCrossEntropy(Loss):
    """-positive t log s - (1 - t) log(1 - s) with s = sigmoid(output), from logits, mean over outputs; stable at any size.

    For two classes with one output, and for several yes-or-no targets at once. With ``smoothing`` targets become
    (1 - smoothing) t + smoothing / 2, as in Keras. ``(batch, k)`` to ``(batch,)``. PyTorch's ``BCEWithLogitsLoss`` does not
    smooth; its ``pos_weight`` is ``positive``.

    Args:
        smoothing: share of every target that goes to one half.
        positive: weight of what is yes, over that of what is no.

    Raises:
        InputError: by `outputs`, where targets are outside 0 to 1.
    """

    takes = "logits"
    formula = "mean_j positive s_j softplus(-o_j) + (1 - s_j) softplus(o_j),  s = (1 - smoothing) t + smoothing / 2"
    source = "Cox 1958 (logistic regression)"
    choose = "Yes or no: two classes with one output, or several labels that may hold at once."

    smoothing: float = number(default=0.0, range="[0, 1)", search=(0.0, 0.3))
    _: KW_ONLY
    positive: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.1, 10.0))

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        wanted = self._wanted(forms.columns(targets, outputs))
        yes = self.positive * wanted
        return (yes * jax.nn.softplus(-outputs) + (1 - wanted) * jax.nn.softplus(outputs)).mean(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        rate = self._wanted(forms.rows(targets, classes).mean(0))
        both = np.clip(np.stack([self.positive * rate, 1 - rate]), 0, None)
        return forms.entropy(both, both / both.sum(0)) / len(rate)

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        if classes > 2:
            return (classes,)
        return (1, 2) if classes == 2 else (forms.unit(self, targets).shape[1],)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        if not classes:
            return jax.nn.sigmoid(outputs)
        if outputs.shape[-1] == 1:
            return jax.nn.sigmoid(jnp.concatenate([-outputs, outputs], -1))
        return jax.nn.softmax(jax.nn.log_sigmoid(outputs))  # sigmoids over their sum, also where all of them vanish

    def _wanted(self, targets: Any) -> Any:
        return targets * (1.0 - self.smoothing) + self.smoothing / 2


class KL(Loss):
    """sum_j t_j (log t_j - log softmax(outputs)_j): how far the outputs are from a target that is a distribution.

    Cross-entropy less the entropy of the targets, so 0 where they are met. ``(batch, k)`` to ``(batch,)``. Targets are rows
    that sum to one, or class indices. Kullback and Leibler 1951. PyTorch's ``KLDivLoss`` takes log-probabilities, Keras's
    ``KLDivergence`` probabilities.

    Raises:
        InputError: by `outputs`, where rows of targets do not sum to one.
    """

    takes = "logits"
    formula = "sum_j t_j (log t_j - log softmax(o)_j)"
    source = "Kullback and Leibler 1951, equation 2.4"
    choose = "Targets are distributions: another model's probabilities, votes of several people."

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        shares = one_hot(targets, outputs.shape[-1])
        return cross_entropy(outputs, shares) + (shares * jnp.log(jnp.where(shares > 0, shares, 1.0))).sum(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        mean = forms.shares(targets, classes)
        own = np.asarray(targets, float)
        return forms.entropy(mean, mean) - (forms.entropy(own, own) / len(own) if own.ndim == 2 else 0.0)

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        return forms.of_classes(self, targets, classes)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        return jax.nn.softmax(outputs)
