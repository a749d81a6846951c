"""Preprocessing of some features alone."""

from typing import Any

import numpy as np

from kilter.core.errors import InputError
from kilter.core.specs import option, part
from kilter.data.arrays import Array
from kilter.data.preprocess import Preprocess, Statistics
from kilter.data.tallies import Pieces, Sample


class Only(Preprocess):
    """A preprocessing of some columns alone; the others, such as codes of categories, stay as they are.

    Args:
        columns: numbers of the features (of the last axis).
        step: what is done to them, as if there were no others.

    Raises:
        InputError: by `fit`, where there is no such feature.

    >>> from kilter import data
    >>> Only((0, 2), data.Standardize())
    kl.data.Only((0, 2), kl.data.Standardize())
    """

    formula = "step(x[..., columns]); the others x"
    source = "common practice; scikit-learn's ColumnTransformer"
    choose = "Tables with codes of categories, which an embedding takes as they are."

    columns: int | tuple[int, ...] = option(kinds=(int, tuple), range="[0, inf)")
    step: Preprocess = part(kinds=Preprocess)

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        return self.step.fit(self._chosen(x), weights)

    def fit_pieces(self, pieces: Pieces, sample: Sample) -> Statistics:
        chosen = self._chosen(sample[0]), sample[1]
        return self.step.fit_pieces(lambda: ((self._chosen(x), weights) for x, weights in pieces()), chosen)

    def apply(self, statistics: Statistics, x: Array) -> Array:
        return self._replaced(x, self.step.apply(statistics, x[..., self._columns()]))

    def invert(self, statistics: Statistics, x: Array) -> Array:
        return self._replaced(x, self.step.invert(statistics, x[..., self._columns()]))

    def _chosen(self, x: Array) -> Array:
        if max(self._columns()) >= x.shape[-1]:
            raise InputError(f"{self!r}: there is no feature {max(self._columns())} in rows of shape {x.shape[1:]}")
        return x[..., self._columns()]

    def _columns(self) -> list[int]:
        return np.atleast_1d(self.columns).tolist()

    def _replaced(self, x: Array, new: Any) -> Array:
        whole = np.array(x, np.float32)
        whole[..., self._columns()] = new
        return whole
