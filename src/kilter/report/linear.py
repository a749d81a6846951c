"""Linear models to compare with: ridge and softmax regression on standardized inputs, as scikit-learn has them.

Written out, since importing scikit-learn takes longer than training and reporting on a small table.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Weight of half the squares of the weights: for numbers beside half the squared errors, for classes beside -log p.
_RIDGE, _SOFTMAX = 1.0, 10.0


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
    """Probabilities ``(rows, classes)`` of softmax regression by L-BFGS; None where there is one class alone.

    Classes that ``y`` does not have get 0. Of two classes the first has weights 0, which makes it logistic regression.
    """
    from scipy.optimize import minimize

    known, y = np.unique(y, return_inverse=True)
    if len(known) < 2:
        return None
    x, rows = _standardized(x, rows)
    x, rows = (np.column_stack([each, np.ones(len(each))]) for each in (x, rows))
    free, truth = (1 if len(known) == 2 else 0), np.eye(len(known))[y]

    def told(x: Array, kernel: Array) -> Array:
        logits = np.column_stack([np.zeros((len(x), free)), x @ kernel.reshape(x.shape[1], -1)])
        return _softmax(logits)

    def objective(kernel: Array) -> tuple[float, Array]:
        """Mean over the rows of -log p and the penalty, which leaves the bias alone; and the gradient."""
        found, penalized = told(x, kernel), kernel.reshape(x.shape[1], -1).copy()
        penalized[-1] = 0.0
        loss = -np.log(np.maximum(found[np.arange(len(x)), y], 1e-300)).sum() + _SOFTMAX / 2 * (penalized**2).sum()
        slope = x.T @ (found - truth)[:, free:] + _SOFTMAX * penalized
        return loss / len(x), slope.ravel() / len(x)

    start = np.zeros(x.shape[1] * (len(known) - free))
    best = minimize(objective, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-2, "maxiter": 100})
    chances = np.zeros((len(rows), classes))
    chances[:, known] = told(rows, best.x)
    return chances


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _standardized(x: Array, rows: Array) -> tuple[Array, Array]:
    """Both by the mean and the deviation of the first; columns that do not vary are 0."""
    mean, deviation = x.mean(0), x.std(0)
    scale = np.where(deviation > 10 * np.finfo(float).eps * np.abs(mean), deviation, 1.0)
    return (x - mean) / scale, (rows - mean) / scale
