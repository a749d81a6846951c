"""Cross-entropies on probabilities: for networks that end in a softmax or sigmoid of their own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.arrays import one_hot
from kilter.losses import targets as forms
from kilter.losses.loss import Loss

_LEAST = 1e-7


def _clipped(outputs: jax.Array) -> jax.Array:
    return jnp.clip(outputs, _LEAST, 1 - _LEAST)


class CategoricalCrossEntropy(Loss):
    """-sum_j t_j log p_j, where p are the outputs over their sum, kept between 1e-7 and 1 - 1e-7.

    For a network that ends in ``nn.Softmax()``. Where it is free to choose, `SoftmaxCrossEntropy` on logits is exact at
    any size, while here the gradient vanishes beyond the clip. ``(batch, classes)`` to ``(batch,)``; targets are class
    indices or rows. Outputs below zero count as zero. Keras's ``CategoricalCrossentropy`` as it comes; PyTorch has none:
    its ``NLLLoss`` takes log-probabilities.

    Raises:
        InputError: by `outputs`, where the targets are neither classes nor rows of shares.
    """

    takes = "probabilities"
    formula = "-sum_j t_j log p_j,  p = clip(o / sum o, 1e-7, 1 - 1e-7)"
    source = "Keras, CategoricalCrossentropy"
    choose = "The network must itself end in a softmax; otherwise SoftmaxCrossEntropy."

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        positive = jnp.maximum(outputs, 0.0)
        p = _clipped(positive / jnp.maximum(positive.sum(-1, keepdims=True), _LEAST))
        return -(one_hot(targets, outputs.shape[-1]) * jnp.log(p)).sum(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        shares = forms.shares(targets, classes)
        return forms.entropy(shares, shares)

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        return forms.of_classes(self, targets, classes)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        return forms.normalized(outputs)


class BinaryCrossEntropy(Loss):
    """-t log p - (1 - t) log(1 - p), mean over outputs, where p are the outputs kept between 1e-7 and 1 - 1e-7.

    For a network that ends in ``nn.Sigmoid()``: two classes with one output, or several labels. Where it is free to
    choose, `SigmoidCrossEntropy` on logits is exact at any size. ``(batch, k)`` to ``(batch,)``. Keras's
    ``BinaryCrossentropy`` as it comes; PyTorch's ``BCELoss`` bounds the logarithm at -100 instead.

    Raises:
        InputError: by `outputs`, where targets are outside 0 to 1.
    """

    takes = "probabilities"
    formula = "mean_j -t_j log p_j - (1 - t_j) log(1 - p_j),  p = clip(o, 1e-7, 1 - 1e-7)"
    source = "Keras, BinaryCrossentropy"
    choose = "The network must itself end in a sigmoid; otherwise SigmoidCrossEntropy."

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        p, wanted = _clipped(outputs), forms.columns(targets, outputs)
        return -(wanted * jnp.log(p) + (1 - wanted) * jnp.log1p(-p)).mean(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        rate = forms.rows(targets, classes).mean(0)
        both = np.clip(np.stack([rate, 1 - rate]), 0, 1)
        return forms.entropy(both, both) / len(rate)

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        if classes > 2:
            return (classes,)
        return (1, 2) if classes == 2 else (forms.unit(self, targets).shape[1],)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        return forms.normalized(outputs) if classes else _clipped(outputs)
