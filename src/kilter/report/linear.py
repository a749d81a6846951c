"""Linear models to compare with: ridge and softmax regression on standardized inputs, as scikit-learn has them.

Written out, since importing scikit-learn or SciPy's optimizers takes longer than training and reporting on a small table.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Weight of half the squares of the weights: for numbers beside half the squared errors, for classes beside -log p.
_RIDGE, _SOFTMAX = 1.0, 10.0
# Slope of the mean loss at which weights are good enough to compare with, and most steps to there.
_FLAT, _STEPS = 3e-4, 300


def numbers(x: Array, y: Array, rows: Array) -> Array:
    """Targets ``(rows, k)`` that ridge regression predicts: the W that solves (X^T X + a I) W = X^T (Y - mean Y).

    Args:
        x: inputs ``(n, features)`` to fit.
        y: targets ``(n, k)`` or ``(n,)``.
        rows: inputs to predict.
    """
    x, rows = _standardized(x, rows)
    y = y.reshape(len(y), -1).astype(float)
    kernel = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ (y - y.mean(0)))
    return rows @ kernel + y.mean(0)


def probabilities(x: Array, y: Array, rows: Array, classes: int) -> Array | None:
    """Probabilities ``(rows, classes)`` of softmax regression; None where there is one class alone.

    Classes that ``y`` does not have get 0. Of two classes the first has weights 0, which makes it logistic regression.
    """
    known, y = np.unique(y, return_inverse=True)
    if len(known) < 2:
        return None
    x, rows = (np.column_stack([each, np.ones(len(each))]) for each in _standardized(x, rows))
    kernel = _fitted(x, np.eye(len(known))[y], free=1 if len(known) == 2 else 0)
    chances = np.zeros((len(rows), classes))
    chances[:, known] = _told(rows, kernel)
    return chances


def _fitted(x: Array, truth: Array, free: int) -> Array:
    """Weights of the classes behind the first ``free``; the last row is the bias, which has no penalty.

    Steps against the slope by the inverse of a matrix above all curvatures: Boehning, "Multinomial logistic regression
    algorithm" (1992). What carries on between them is that of Nesterov (1983).
    """
    penalty = np.full((x.shape[1], 1), _SOFTMAX)
    penalty[-1] = 0.0
    steepest = (0.25 if free else 0.5) * x.T @ x + np.diag(penalty[:, 0])
    inverse = np.linalg.inv(steepest)
    kernel = ahead = np.zeros((x.shape[1], truth.shape[1] - free))
    for step in range(_STEPS):
        slope = x.T @ (_told(x, ahead) - truth)[:, free:] + penalty * ahead
        if np.abs(slope).max() < _FLAT * len(x):
            break
        before, kernel = kernel, ahead - inverse @ slope
        ahead = kernel + step / (step + 3) * (kernel - before)
    return ahead


def _told(x: Array, kernel: Array) -> Array:
    """Probabilities of two classes by one column of weights, or of as many as there are columns."""
    logits = x @ kernel
    return _softmax(np.column_stack([np.zeros(len(x)), logits]) if kernel.shape[1] == 1 else logits)


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _standardized(x: Array, rows: Array) -> tuple[Array, Array]:
    """Both by the mean and the deviation of the first; columns that do not vary are 0."""
    mean, deviation = x.mean(0), x.std(0)
    scale = np.where(deviation > 10 * np.finfo(float).eps * np.abs(mean), deviation, 1.0)
    return (x - mean) / scale, (rows - mean) / scale
