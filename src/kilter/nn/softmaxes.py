"""Activations over the last axis that turn scores into (logarithms of) probabilities."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.nn.activation import SATURATED, Activation, Bounds


class Softmax(Activation):
    """f(x)_i = exp(x_i) / sum_j exp(x_j) over the last axis; its Jacobian is diag(f) - f f^T.

    ``SoftmaxCrossEntropy`` takes logits and applies it itself. Keras and PyTorch let one choose the axis.
    """

    bounds: ClassVar[Bounds] = (0.0, 1.0)
    elementwise = False
    formula = "exp(x_i) / sum_j exp(x_j)"
    source = "Bridle 1990, Probabilistic Interpretation of Feedforward Classification Network Outputs"
    choose = "To read logits as probabilities of classes; not in front of a loss on logits."

    def __call__(self, x: Any) -> jax.Array:
        return jax.nn.softmax(x, axis=-1)

    def derivative(self, x: Any) -> jax.Array:
        y = self(x)
        return y[..., None] * (jnp.eye(y.shape[-1], dtype=y.dtype) - y[..., None, :])

    def saturated(self, x: Any) -> jax.Array:
        """Where df_i / dx_i = f_i (1 - f_i) is below 5 % of its largest value, 1/4."""
        y = self(x)
        return y * (1.0 - y) < SATURATED / 4


class LogSoftmax(Activation):
    """f(x)_i = x_i - log(sum_j exp(x_j)) over the last axis; its Jacobian is 1 - softmax in every row."""

    bounds: ClassVar[Bounds] = (-math.inf, 0.0)
    elementwise = False
    formula = "x_i - log(sum_j exp(x_j))"
    source = "Bridle 1990, Probabilistic Interpretation of Feedforward Classification Network Outputs"
    choose = "Where log-probabilities are needed; safer than the logarithm of a softmax."

    def __call__(self, x: Any) -> jax.Array:
        return jax.nn.log_softmax(x, axis=-1)

    def derivative(self, x: Any) -> jax.Array:
        y = jax.nn.softmax(x, axis=-1)
        return jnp.eye(y.shape[-1], dtype=y.dtype) - y[..., None, :]

    def saturated(self, x: Any) -> jax.Array:
        """Where df_i / dx_i = 1 - exp(f_i) is below 5 % of its largest value, 1."""
        return 1.0 - jax.nn.softmax(x, axis=-1) < SATURATED
