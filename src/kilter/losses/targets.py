"""Targets in the forms that losses compare outputs with, and which targets a loss can be used on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.arrays import one_hot
from kilter.core.errors import InputError
from kilter.losses.loss import Loss


def columns(targets: jax.Array, outputs: jax.Array) -> jax.Array:
    """Targets in the shape of the outputs."""
    if targets.ndim == 1 and outputs.shape[-1] == 1:
        return targets[:, None].astype(outputs.dtype)
    return one_hot(targets, outputs.shape[-1])


def pair(outputs: jax.Array) -> jax.Array:
    """One output as two, of which the first is 0, so that softmax of the two is sigmoid of the one; more stay."""
    return jnp.concatenate([jnp.zeros_like(outputs), outputs], -1) if outputs.shape[-1] == 1 else outputs


def distributions(targets: jax.Array, count: int) -> jax.Array:
    """Targets as rows of ``count`` shares; a single column of shares becomes two."""
    if targets.ndim == 2 and targets.shape[1] == 1 and count == 2:
        return jnp.concatenate([1 - targets, targets], -1)
    return one_hot(targets, count)


def rows(targets: Any, classes: int) -> Any:
    """Targets as rows of numbers, on the host: classes one-hot, two classes as a column of 0 and 1."""
    targets = np.asarray(targets)
    classes = classes or int(targets.max()) + 1
    if targets.dtype.kind in "iu" and classes > 2:
        return np.eye(classes)[targets]
    return targets.astype(float).reshape(len(targets), -1)


def shares(targets: Any, classes: int = 0) -> Any:
    """Share of each class among the targets, on the host."""
    targets = np.asarray(targets)
    if targets.ndim == 2 and targets.shape[1] == 1:
        rate = targets.mean()
        return np.array([1 - rate, rate])
    counts = np.bincount(targets, minlength=classes) if targets.ndim == 1 else targets.sum(0, dtype=float)
    return counts / counts.sum()


def entropy(weights: Any, shares: Any) -> float:
    """Sum of ``-weights log shares``, where nothing times the logarithm of nothing is nothing."""
    return float(-(weights * np.log(np.where(shares > 0, shares, 1.0))).sum())


def of_classes(
    loss: Loss, targets: Any, classes: int, *, single: bool = False, distributed: bool = True
) -> tuple[int, ...]:
    """Numbers of outputs for classes, given as indices or as rows of shares.

    Args:
        loss: named in the refusal.
        targets: of the training rows.
        classes: number of classes, 0 for rows.
        single: whether two classes may have one output.
        distributed: whether rows must sum to one.

    Raises:
        InputError: the targets are numbers.
    """
    if classes:
        return (1, 2) if single and classes == 2 else (classes,)
    shape = np.shape(targets)
    if single and (len(shape) == 1 or shape[1] == 1):
        unit(loss, targets)
        return (1,)
    if len(shape) != 2 or shape[1] == 1:
        raise InputError(
            f"{loss!r} needs classes, but the targets are numbers: use losses.SquaredError(), "
            "or say task='classes' when you make the data"
        )
    if distributed and not (np.min(targets) >= 0 and np.allclose(np.sum(targets, 1), 1, atol=1e-4)):
        raise InputError(
            f"{loss!r} needs classes or rows of shares that sum to one: use losses.SigmoidCrossEntropy() for labels, "
            "losses.SquaredError() for numbers"
        )
    return (shape[1],)


def unit(loss: Loss, targets: Any) -> Any:
    """The targets as rows; refuses what is outside 0 to 1."""
    numbers = np.asarray(targets)
    if numbers.min() < 0 or numbers.max() > 1:
        raise InputError(f"{loss!r} needs targets from 0 to 1, got {numbers.min():g} to {numbers.max():g}")
    return numbers.reshape(len(numbers), -1)


def of_numbers(loss: Loss, targets: Any, classes: int) -> Any:
    """The targets as rows of numbers; refuses classes."""
    if classes:
        raise InputError(
            f"{loss!r} needs numbers, but the targets are {classes} classes: use losses.SoftmaxCrossEntropy()"
        )
    return np.reshape(targets, (len(targets), -1))


def normalized(outputs: jax.Array) -> jax.Array:
    """Outputs meant as probabilities made such: not below 1e-7, summing to one; one output becomes two."""
    if outputs.shape[-1] == 1:
        outputs = jnp.concatenate([1 - outputs, outputs], -1)
    kept = jnp.clip(outputs, 1e-7, 1.0)
    return kept / kept.sum(-1, keepdims=True)
