"""Metrics of predictions, and how they are named by the part of the data that they were measured on."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kilter.data.dataset import Dataset, Part
from kilter.metrics import Metric, for_task

Array = np.ndarray[Any, Any]


def weights_of(part: Part) -> Array:
    """Weight of each row in a mean."""
    return np.ones(len(part)) if part.weights is None else part.weights.astype(np.float64)


def scores(predictions: Array, y: Array, weights: Array, task: str, metric: Metric) -> dict[str, float]:
    """Every metric for the task, and the one that decides, by name."""
    metrics = {each.key: each for each in (*for_task(task), metric)}
    with np.errstate(all="ignore"):  # predictions of a diverged run may be anything
        predictions = predictions.astype(np.float64)
        return {key: float(each(predictions, y, weights)) for key, each in metrics.items()}


def deciding(data: Dataset) -> Part:
    """The rows that decide: those of validation, or of training where there is none."""
    return data.train if data.validation is None else data.validation


def by_part(data: Dataset, measure: Callable[[Part], dict[str, float]]) -> dict[str, float]:
    """Metrics of all parts: of the rows that decide plain, of the others with the name of their part in front."""
    first = deciding(data)
    found = dict(measure(first))
    for name, part in {"train": None if first is data.train else data.train, "test": data.test}.items():
        if part is not None:
            found |= {f"{name}_{key}": value for key, value in measure(part).items()}
    return found
