"""Rows of a dataset on the device, preprocessed as a recipe says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from kilter.data.dataset import Dataset, Part
from kilter.data.preprocess import Preprocess, Statistics
from kilter.data.scaling import Scale
from kilter.train.epoch import Rows
from kilter.train.placing import to_all
from kilter.train.recipe import Recipe
from kilter.train.step import Batch

Array = np.ndarray[Any, Any]
# Scaling of inputs and of targets, the rows on the devices, and those of all parts by name.
Load = Callable[[Recipe, Mesh | None], tuple[Any, Rows, dict[str, Batch]]]
_SPREAD = 256


@dataclass(frozen=True)
class Scaling:
    """Preprocessing with the statistics that it learned; without preprocessing it changes nothing."""

    preprocess: Preprocess | None = None
    statistics: Statistics = field(default_factory=dict)

    @classmethod
    def fit(cls, preprocess: Preprocess | None, rows: Array, weights: Array | None) -> "Scaling":
        """Learn from rows."""
        return cls() if preprocess is None else cls(preprocess, preprocess.fit(rows, weights))

    @classmethod
    def of(cls, preprocess: Preprocess | None, data: Dataset, what: str) -> "Scaling":
        """Learn from the inputs ``"x"`` or the targets ``"y"`` of the training rows."""
        return cls() if preprocess is None else cls(preprocess, data.learned(preprocess, what))

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
    return _fitted(recipe.inputs, recipe.targets, data)


def _fitted(inputs: Preprocess | None, targets: Preprocess | None, data: Dataset) -> tuple[Scaling, Scaling]:
    return Scaling.of(inputs, data, "x"), Scaling.of(targets, data, "y")


def load_rows(data: Dataset, inputs: Scaling, targets: Scaling) -> Rows:
    """Training and validation rows, in the precision that the devices take them in."""
    held = data.validation
    return Rows(
        _batch(data.train, inputs, targets),
        None if held is None else _batch(held, inputs, targets),
        _unit(targets),
        None if held is None else _as_taken(held.y),
    )


def _batch(part: Part, inputs: Scaling, targets: Scaling) -> Batch:
    weights = None if part.weights is None else _as_taken(part.weights / part.weights.mean())
    return Batch(_as_taken(inputs.apply(part.x)), _as_taken(targets.apply(part.y)), weights)


def _as_taken(values: Array) -> Any:
    """Still on the host: what is put on a device as it is needs no program."""
    return np.asarray(values, jax.dtypes.canonicalize_dtype(values.dtype))


def loader(data: Dataset, start: Any = None) -> Load:
    """Loads the rows for a recipe onto the devices of a mesh, once for all recipes that preprocess alike.

    Args:
        data: whose rows.
        start: a run whose scalings are to be used, in place of those that the recipe would learn.
    """

    @cache
    def loaded(inputs: Preprocess | None, targets: Scale | None, mesh: Mesh | None) -> tuple[Any, Rows, Any]:
        scaling = _fitted(inputs, targets, data) if start is None else (start.inputs, start.targets)
        rows = to_all(load_rows(data, *scaling), mesh)
        judged = {"train": rows.train}
        if rows.validation is not None:
            judged["validation"] = rows.validation
        if data.test is not None:
            judged["test"] = to_all(_batch(data.test, *scaling), mesh)
        return scaling, rows, judged

    return lambda recipe, mesh: loaded(recipe.inputs, recipe.targets, mesh)


def spread(train: Batch) -> jax.Array:
    """Some hundred training rows, evenly spread, on which layers that ask for LSUV are scaled."""
    return train.x[:: max(1, len(train.x) // _SPREAD)][:_SPREAD]


def _unit(targets: Scaling) -> tuple[Any, Any] | None:
    """Scale and offset that undo the scaling of targets."""
    if targets.preprocess is None:
        return None
    scale, offset = (np.asarray(targets.statistics[name], np.float32) for name in ("scale", "offset"))
    return scale, offset
