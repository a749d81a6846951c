"""Equal rows as one row of their summed weight, where all rows that differ fit into one batch.

A full batch has the same gradient either way, up to the order of its sums. Merged and sorted, a row of weight three and a
row given three times are the same to the last bit, as scikit-learn demands of small data.
"""

from typing import Any

import numpy as np

from kilter.data import Part
from kilter.estimators.build import SMALLEST_BATCH


def merge(part: Part, params: dict[str, Any]) -> Part:
    """Rows merged and sorted, or as they are where that could change more than rounding.

    Batches that are drawn, statistics of a batch and dropout see each row by itself, so none of these may be asked for.

    Args:
        part: the training rows.
        params: of the estimator, as `get_params` gives them.
    """
    batch = SMALLEST_BATCH if isinstance(params["batch_size"], str) else params["batch_size"]
    plain = params["recipe"] is None and params["normalization"] is None and params["dropout"] == 0
    if (
        not plain
        or not isinstance(batch, int)
        or batch < 1
        or _differ(part, 4 * batch) > batch
        or _differ(part) > batch
    ):
        return part
    _, first, group = np.unique(_together(part), axis=0, return_index=True, return_inverse=True)
    rows = np.ones(len(part)) if part.weights is None else part.weights.astype(np.float64)
    sums = np.bincount(group.reshape(-1), rows)
    weights = None if (sums == sums[0]).all() else sums.astype(np.float32)
    return Part(part.x[first], part.y[first], weights)


def _together(part: Part) -> Any:
    return np.hstack([part.x, part.y.reshape(len(part), -1).astype(np.float64)])


def _differ(part: Part, among: int | None = None) -> int:
    """How many rows differ, among the first ones or all."""
    return len(np.unique(_together(part.take(np.arange(len(part))[:among])), axis=0))
