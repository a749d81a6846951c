"""Losses: one number an example, with the value that guessing gets and the outputs that are expected."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.arrays import one_hot
from kilter.core.errors import InputError
from kilter.core.values import Value


class Loss(Value, abstract=True):
    """Base of all losses: called with outputs ``(batch, k)`` and targets, returns one value an example, ``(batch,)``.

    Targets are class indices ``(batch,)``, whole numbers, or numbers ``(batch, k)``; a column may come as ``(batch,)``.

    Class attributes:
        takes: what the outputs of the network mean to the loss: ``"logits"`` or ``"values"``.
    """

    home: ClassVar[str] = "losses"
    takes: ClassVar[str] = "values"

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        raise NotImplementedError

    def chance(self, targets: Any, classes: int = 0) -> float:
        """Mean loss on these targets of the best constant prediction: what a network that sees nothing gets.

        Class indices come with the number of ``classes``; left out, the highest index tells it.
        """
        raise NotImplementedError

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        """Numbers of outputs that fit these targets, the usual one first; ``classes`` is 0 where there are none.

        Raises:
            InputError: the loss cannot be used with such targets at all.
        """
        raise NotImplementedError

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        """What the outputs predict: with ``classes`` probabilities ``(batch, classes)``, else values ``(batch, k)``."""
        raise NotImplementedError


class SoftmaxCrossEntropy(Loss):
    """-log softmax(outputs)[target], from logits, in the form that is stable at any size: logsumexp(o) - o[target].

    Targets are class indices or one-hot (or soft) rows.
    """

    takes: ClassVar[str] = "logits"

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        shifted = outputs - jax.lax.stop_gradient(outputs.max(-1, keepdims=True))
        shares = one_hot(targets, outputs.shape[-1])
        return jnp.log(jnp.exp(shifted).sum(-1)) * shares.sum(-1) - (shares * shifted).sum(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        shares = _shares(targets)
        return float(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum())

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        if classes:
            return (classes,)
        if np.ndim(targets) == 2 and np.shape(targets)[1] > 1:
            return (np.shape(targets)[1],)
        raise InputError(
            f"{self!r} needs classes, but the targets are numbers: use losses.SquaredError(), "
            "or say task='classes' when you make the data"
        )

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        return jax.nn.softmax(outputs)


class SigmoidCrossEntropy(Loss):
    """-t log s - (1 - t) log(1 - s) with s = sigmoid(output), from logits, mean over outputs; stable at any size.

    For two classes with one output, and for several yes-or-no targets at once.
    """

    takes: ClassVar[str] = "logits"

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        targets = _columns(targets, outputs)
        return (targets * jax.nn.softplus(-outputs) + (1 - targets) * jax.nn.softplus(outputs)).mean(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        shares = _rows(targets, classes).mean(0)
        pair = np.clip(np.stack([shares, 1 - shares]), 0, 1)
        return float(-(pair * np.log(np.where(pair > 0, pair, 1.0))).sum(0).mean())

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        if classes > 2:
            return (classes,)
        if classes == 2:
            return (1, 2)
        numbers = np.asarray(targets)
        if numbers.min() < 0 or numbers.max() > 1:
            raise InputError(f"{self!r} needs targets from 0 to 1, got {numbers.min():g} to {numbers.max():g}")
        return (numbers.reshape(len(numbers), -1).shape[1],)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        if not classes:
            return jax.nn.sigmoid(outputs)
        if outputs.shape[-1] == 1:
            return jax.nn.sigmoid(jnp.concatenate([-outputs, outputs], -1))
        return jax.nn.softmax(jax.nn.log_sigmoid(outputs))  # sigmoids over their sum, also where all of them vanish


class SquaredError(Loss):
    """(output - target)^2, mean over outputs. On classes the targets are one-hot rows, or 0 and 1 with one output."""

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        return jnp.square(outputs - _columns(targets, outputs)).mean(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        return float(np.var(_rows(targets, classes), axis=0).mean())

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        if classes:
            return (1, 2) if classes == 2 else (classes,)
        return (np.reshape(targets, (len(targets), -1)).shape[1],)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        if not classes:
            return outputs
        if outputs.shape[-1] == 1:
            outputs = jnp.concatenate([1 - outputs, outputs], -1)
        shares = jnp.clip(outputs, 1e-7, 1.0)
        return shares / shares.sum(-1, keepdims=True)


def _columns(targets: jax.Array, outputs: jax.Array) -> jax.Array:
    """Targets in the shape of the outputs."""
    if targets.ndim == 1 and outputs.shape[-1] == 1:
        return targets[:, None].astype(outputs.dtype)
    return one_hot(targets, outputs.shape[-1])


def _rows(targets: Any, classes: int) -> Any:
    """Targets as rows of numbers: classes one-hot, two classes as a column of 0 and 1."""
    targets = np.asarray(targets)
    classes = classes or int(targets.max()) + 1
    if targets.dtype.kind in "iu" and classes > 2:
        return np.eye(classes)[targets]
    return targets.astype(float).reshape(len(targets), -1)


def _shares(targets: Any) -> Any:
    targets = np.asarray(targets)
    counts = np.bincount(targets) if targets.ndim == 1 else targets.sum(0)
    return counts / counts.sum()


ALL: tuple[type[Loss], ...] = (SoftmaxCrossEntropy, SigmoidCrossEntropy, SquaredError)
