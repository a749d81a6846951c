"""Metrics: one number for a set of predictions, with the direction in which it is better."""

import math
from typing import Any, ClassVar

import jax
import numpy as np

from kilter.core.arrays import namespace, one_hot
from kilter.core.values import Value

Array = jax.Array | np.ndarray[Any, Any]


class Metric(Value, abstract=True):
    """Base of all metrics: called with predictions ``(n, k)`` as a loss reads them, targets and weights ``(n,)``.

    Works on JAX arrays inside compiled programs and on NumPy arrays, without a compile, outside of them.

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
    return (values * weights).sum(0) / weights.sum(0)


class Accuracy(Metric):
    """Share of right predictions: the likeliest class is the target, or, for yes-or-no targets, each output on its own."""

    key = "accuracy"
    tasks = ("classes", "labels")

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        if targets.ndim == 1:
            return _mean(predictions.argmax(-1) == targets, weights)
        return _mean(((predictions > 0.5) == (targets > 0.5)).mean(-1), weights)


class LogLoss(Metric):
    """-log of the probability given to the target, natural logarithm, mean; probabilities are clipped at 1e-7."""

    key = "log_loss"
    higher_is_better = False
    tasks = ("classes", "labels")
    perfect = 0.0

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        xp = namespace(predictions)
        shares = one_hot(targets, predictions.shape[-1])
        losses = -(shares * xp.log(predictions.clip(1e-7, 1.0))).sum(-1)
        if targets.ndim > 1:
            losses = (losses - ((1 - shares) * xp.log((1 - predictions).clip(1e-7, 1.0))).sum(-1)) / shares.shape[-1]
        return _mean(losses, weights)


class AUC(Metric):
    """Area under the ROC curve: the chance that a positive example scores above a negative one, ties counting half.

    With more than two classes the mean over classes of one against the rest; classes without both kinds are left out, and
    where none is left the area is 0.5.
    """

    key = "auc"
    tasks = ("classes", "labels")

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        xp = namespace(predictions)
        shares = one_hot(targets, predictions.shape[-1])
        columns = range(predictions.shape[-1])
        areas = xp.stack([_area(predictions[:, column], shares[:, column], weights) for column in columns])
        known = xp.isfinite(areas)
        return xp.where(known.any(), xp.where(known, areas, 0.0).sum() / known.sum().clip(1), 0.5)


def _area(scores: Array, positive: Array, weights: Array) -> Array:
    xp = namespace(scores)
    order = xp.argsort(scores)
    scores, up, down = scores[order], (positive * weights)[order], ((1 - positive) * weights)[order]
    below = xp.concatenate([xp.zeros(1), xp.cumsum(down)])
    first, last = xp.searchsorted(scores, scores, side="left"), xp.searchsorted(scores, scores, side="right")
    wins = (up * (below[first] + below[last]) / 2).sum()
    pairs = up.sum() * down.sum()
    return xp.where(pairs > 0, wins / xp.where(pairs > 0, pairs, 1.0), xp.nan)


class R2(Metric):
    """1 - squared error / squared distance from the mean, mean over outputs: 1 is perfect, 0 is the mean's own score."""

    key = "r2"
    tasks = ("numbers",)

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        xp = namespace(predictions)
        targets = targets.reshape(predictions.shape)
        share = (weights / weights.sum())[:, None]
        error = (share * (predictions - targets) ** 2).sum(0)
        apart = (
            targets - targets[:1]
        )  # exactly zero where the target is constant, which its distance from a mean is not
        spread = (share * (apart - (share * apart).sum(0)) ** 2).sum(0)
        flat = xp.where(error > 0, 0.0, 1.0)
        return xp.where(spread > 0, 1 - error / xp.where(spread > 0, spread, 1.0), flat).mean()


class RMSE(Metric):
    """Root of the mean squared error, in the unit of the target; of several outputs the mean of their roots."""

    key = "rmse"
    higher_is_better = False
    tasks = ("numbers",)
    perfect = 0.0

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        squares = (predictions - targets.reshape(predictions.shape)) ** 2
        return (_mean(squares, weights[:, None]) ** 0.5).mean()


class MAE(Metric):
    """Mean absolute error, in the unit of the target."""

    key = "mae"
    higher_is_better = False
    tasks = ("numbers",)
    perfect = 0.0

    def __call__(self, predictions: Array, targets: Array, weights: Array) -> Array:
        return _mean(abs(predictions - targets.reshape(predictions.shape)).mean(-1), weights)


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


def gain(metric: Metric, value: float) -> float:
    """The metric's value as a number of which more is better; what is not a number is worse than all."""
    return -math.inf if math.isnan(value) else value if metric.higher_is_better else -value


def describe(value: Any) -> str:
    """A metric's value as people read it."""
    return f"{float(value):.4g}" if abs(float(value)) < 1e4 else f"{float(value):.3e}"
