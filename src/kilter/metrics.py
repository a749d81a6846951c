"""Metrics: one number for a set of predictions, with the direction in which it is better."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.values import Value
from kilter.losses import one_hot

Array = jax.Array


class Metric(Value):
    """Base of all metrics: called with predictions ``(n, k)`` as a loss reads them, targets and weights ``(n,)``.

    Class attributes:
        key: its name in histories and tables.
        higher_is_better: its direction.
        tasks: kinds of targets it is for.
        perfect: the best value that it can take.
    """

    home: ClassVar[str] = "kl.metrics"
    key: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ()
    perfect: ClassVar[float] = 1.0

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        raise NotImplementedError


def _mean(values: Array, weights: Array) -> Array:
    return (values * weights).sum() / weights.sum()


class Accuracy(Metric):
    """Share of right predictions: the likeliest class is the target, or, for yes-or-no targets, each output on its own."""

    key = "accuracy"
    tasks = ("classes", "labels")

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        if targets.ndim == 1:
            return _mean((predictions.argmax(-1) == targets).astype(jnp.float32), weights)
        return _mean(((predictions > 0.5) == (targets > 0.5)).mean(-1), weights)


class LogLoss(Metric):
    """-log of the probability given to the target, natural logarithm, mean; probabilities are clipped at 1e-7."""

    key = "log_loss"
    higher_is_better = False
    tasks = ("classes", "labels")
    perfect = 0.0

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        chances = jnp.clip(predictions, 1e-7, 1.0)
        shares = one_hot(targets, predictions.shape[-1])
        losses = -(shares * jnp.log(chances)).sum(-1)
        if targets.ndim > 1:
            losses = (losses - ((1 - shares) * jnp.log(jnp.clip(1 - predictions, 1e-7, 1.0))).sum(-1)) / shares.shape[
                -1
            ]
        return _mean(losses, weights)


class AUC(Metric):
    """Area under the ROC curve: the chance that a positive example scores above a negative one, ties counting half.

    With more than two classes the mean over classes of one against the rest; classes without both kinds are left out.
    """

    key = "auc"
    tasks = ("classes", "labels")

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        shares = one_hot(targets, predictions.shape[-1])
        areas = jax.vmap(_area, in_axes=(1, 1, None))(predictions, shares, weights)
        return jnp.nanmean(areas)


def _area(scores: Array, positive: Array, weights: Array) -> Array:
    order = jnp.argsort(scores)
    scores, up, down = scores[order], (positive * weights)[order], ((1 - positive) * weights)[order]
    below = jnp.concatenate([jnp.zeros(1), jnp.cumsum(down)])
    first, last = jnp.searchsorted(scores, scores, side="left"), jnp.searchsorted(scores, scores, side="right")
    wins = (up * (below[first] + below[last]) / 2).sum()
    pairs = up.sum() * down.sum()
    return jnp.where(pairs > 0, wins / pairs, jnp.nan)


class R2(Metric):
    """1 - squared error / squared distance from the mean, mean over outputs: 1 is perfect, 0 is the mean's own score."""

    key = "r2"
    tasks = ("numbers",)

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        targets = targets.reshape(predictions.shape)
        share = (weights / weights.sum())[:, None]
        error = (share * jnp.square(predictions - targets)).sum(0)
        spread = (share * jnp.square(targets - (share * targets).sum(0))).sum(0)
        flat = jnp.where(error > 0, 0.0, 1.0)
        return jnp.where(spread > 0, 1 - error / jnp.where(spread > 0, spread, 1.0), flat).mean()


class RMSE(Metric):
    """Root of the mean squared error, in the unit of the target."""

    key = "rmse"
    higher_is_better = False
    tasks = ("numbers",)
    perfect = 0.0

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        return jnp.sqrt(_mean(jnp.square(predictions - targets.reshape(predictions.shape)).mean(-1), weights))


class MAE(Metric):
    """Mean absolute error, in the unit of the target."""

    key = "mae"
    higher_is_better = False
    tasks = ("numbers",)
    perfect = 0.0

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        return _mean(jnp.abs(predictions - targets.reshape(predictions.shape)).mean(-1), weights)


ALL: tuple[type[Metric], ...] = (Accuracy, LogLoss, AUC, R2, RMSE, MAE)


def default(task: str) -> Metric:
    """The metric that decides when the user names none: accuracy for classes and labels, R2 for numbers."""
    return R2() if task == "numbers" else Accuracy()


def for_task(task: str) -> tuple[Metric, ...]:
    """All metrics that can be told on targets of this kind."""
    return tuple(kind() for kind in ALL if task in kind.tasks)


def worst(metric: Metric) -> float:
    """A score that any other beats."""
    return -math.inf if metric.higher_is_better else math.inf


def describe(value: Any) -> str:
    """A metric's value as people read it."""
    return f"{float(value):.4g}" if abs(float(value)) < 1e4 else f"{float(value):.3e}"
