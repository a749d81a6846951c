"""How far a classifier's confidence is from its accuracy."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def reliability(probabilities: Array, classes: Array, bins: int = 10) -> tuple[Array, Array, Array]:
    """Share of the rows, mean confidence and accuracy in equal bins of confidence; NaN in bins without rows.

    Args:
        probabilities: ``(rows, classes)``.
        classes: indices of the right ones ``(rows,)``.
        bins: from 0 to 1.
    """
    confidence, right = probabilities.max(-1), probabilities.argmax(-1) == classes
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = np.where(counts, counts, np.nan)
    sums = [np.bincount(place, values, minlength=bins) for values in (confidence, right)]
    return counts / len(place), sums[0] / filled, sums[1] / filled


def calibration_error(probabilities: Array, classes: Array, bins: int = 10) -> float:
    """Expected calibration error: sum over bins of share |accuracy - confidence|. Guo et al. 2017, equation 3.

    >>> calibration_error(np.array([[0.95, 0.05], [0.95, 0.05]]), np.array([0, 1]))
    0.45
    """
    share, confidence, accuracy = reliability(probabilities, classes, bins)
    return float(np.nansum(share * np.abs(accuracy - confidence)).round(12))
