"""Preprocessing: fitted on the training rows, kept with the run, undone on predictions where it was on targets."""

from typing import ClassVar

import numpy as np

from kilter.core.values import Value
from kilter.data.arrays import Array

Statistics = dict[str, Array]


class Preprocess(Value, abstract=True):
    """Base of all preprocessing: y = (x - offset) / scale, with statistics by feature fitted on training rows."""

    home: ClassVar[str] = "kl.data"

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        """Statistics of training rows ``(rows, *shape)``: ``offset`` and ``scale``, float64."""
        raise NotImplementedError

    @staticmethod
    def apply(statistics: Statistics, x: Array) -> Array:
        """Transform rows, to float32."""
        return ((x - statistics["offset"]) / statistics["scale"]).astype(np.float32)

    @staticmethod
    def invert(statistics: Statistics, x: Array) -> Array:
        """Undo `apply`."""
        with np.errstate(over="ignore"):  # predictions of a run that diverged become infinite
            return (x * statistics["scale"] + statistics["offset"]).astype(np.float32)


class Standardize(Preprocess):
    """Mean 0 and standard deviation 1 for every feature; constant features become 0."""

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        return _moments(x, weights, (0,))


class ChannelStandardize(Preprocess):
    """Mean 0 and standard deviation 1 for every channel (the last axis), over rows and positions: for images."""

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        return _moments(x, weights, tuple(range(x.ndim - 1)))


class ChannelMean(Preprocess):
    """Subtracts the mean of every channel (the last axis), over rows and positions; the scale stays."""

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        moments = _moments(x, weights, tuple(range(x.ndim - 1)))
        return {"offset": moments["offset"], "scale": np.ones_like(moments["scale"])}


class MinMax(Preprocess):
    """Every feature from 0 (its minimum over training rows) to 1 (its maximum); constant features become 0."""

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        low, high = x.min(0).astype(np.float64), x.max(0).astype(np.float64)
        return {"offset": low, "scale": _nonzero(high - low, np.abs(high))}


def _moments(x: Array, weights: Array | None, axes: tuple[int, ...]) -> Statistics:
    share = None if weights is None else _spread(weights.astype(np.float64), x.ndim, x.shape, axes)
    mean = np.average(x.astype(np.float64), axes, weights=share)
    var = np.average((x.astype(np.float64) - mean) ** 2, axes, weights=share)
    return {"offset": mean, "scale": _nonzero(np.sqrt(var), np.abs(mean))}


def _spread(weights: Array, axes_of_x: int, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Weights of rows in a shape that `np.average` takes."""
    if axes == (0,):
        return weights
    column = weights.reshape(-1, *(1,) * (axes_of_x - 1))
    return np.broadcast_to(column, shape)


def _nonzero(scale: Array, size: Array) -> Array:
    """One where a feature does not vary beyond rounding."""
    return np.where(scale > 1e-7 * np.maximum(size, 1e-30), scale, 1.0)


ALL: tuple[type[Preprocess], ...] = (Standardize, ChannelStandardize, ChannelMean, MinMax)
