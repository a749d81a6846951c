"""Rows of a dataset on the device, preprocessed as a recipe says."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.data.dataset import Dataset, Part
from kilter.data.preprocess import Preprocess, Statistics
from kilter.train.epoch import Rows
from kilter.train.recipe import Recipe
from kilter.train.step import Batch

Array = np.ndarray[Any, Any]
_SPREAD = 256


@dataclass(frozen=True)
class Scaling:
    """Preprocessing with the statistics that it learned; without preprocessing it changes nothing."""

    preprocess: Preprocess | None = None
    statistics: Statistics = field(default_factory=dict)

    @classmethod
    def fit(cls, preprocess: Preprocess | None, rows: Array, weights: Array | None) -> "Scaling":
        """Learn from training rows."""
        return cls() if preprocess is None else cls(preprocess, preprocess.fit(rows, weights))

    def apply(self, rows: Array) -> Array:
        """Transform rows."""
        return rows if self.preprocess is None else self.preprocess.apply(self.statistics, rows)

    @property
    def unit(self) -> Any:
        """What one unit after a `Scale` is before it, by column."""
        return 1.0 if self.preprocess is None else self.statistics["scale"]

    def invert(self, rows: Array) -> Array:
        """Undo `apply`."""
        return rows if self.preprocess is None else self.preprocess.invert(self.statistics, rows)


def scalings(recipe: Recipe, data: Dataset) -> tuple[Scaling, Scaling]:
    """Scaling of inputs and of targets, fitted on the training rows alone."""
    train = data.train
    return (
        Scaling.fit(recipe.inputs, train.x, train.weights),
        Scaling.fit(recipe.targets, train.y, train.weights),
    )


def load_rows(data: Dataset, inputs: Scaling, targets: Scaling) -> Rows:
    """Training and validation rows as device arrays."""

    def batch(part: Part) -> Batch:
        weights = None if part.weights is None else jnp.asarray(part.weights / part.weights.mean())
        return Batch(jnp.asarray(inputs.apply(part.x)), jnp.asarray(targets.apply(part.y)), weights)

    held = data.validation
    return Rows(
        batch(data.train),
        None if held is None else batch(held),
        _unit(targets),
        None if held is None else jnp.asarray(held.y),
    )


def spread(train: Batch) -> jax.Array:
    """Some hundred training rows, evenly spread, on which layers that ask for LSUV are scaled."""
    return train.x[:: max(1, len(train.x) // _SPREAD)][:_SPREAD]


def _unit(targets: Scaling) -> tuple[Any, Any] | None:
    """Scale and offset that undo the scaling of targets."""
    if targets.preprocess is None:
        return None
    return _float(targets.statistics["scale"]), _float(targets.statistics["offset"])


def _float(values: Array) -> Any:
    return jnp.asarray(values, jnp.float32)
