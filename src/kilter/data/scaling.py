"""Preprocessing that shifts and scales each feature: y = (x - offset) / scale."""

import numpy as np

from kilter.data.arrays import Array
from kilter.data.preprocess import Preprocess, Statistics
from kilter.data.tallies import Pieces, Sample, ends_of, moments_of


class Scale(Preprocess, abstract=True):
    """Base of those that differ only in what offset and scale they learn."""

    formula = "(x - offset) / scale"

    def apply(self, statistics: Statistics, x: Array) -> Array:
        return ((x - statistics["offset"]) / statistics["scale"]).astype(np.float32)

    def invert(self, statistics: Statistics, x: Array) -> Array:
        with np.errstate(over="ignore"):  # predictions of a run that diverged become infinite
            return (x * statistics["scale"] + statistics["offset"]).astype(np.float32)


class Standardize(Scale):
    """Mean 0 and standard deviation 1 for every feature; constant features become 0."""

    formula = "(x - mean) / std, by feature"
    source = "LeCun et al. 1998, Efficient BackProp, section 4.3"
    choose = "For tables of numbers, the usual choice, and for targets that are numbers."

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        return _moments(x, weights, (0,))

    def fit_pieces(self, pieces: Pieces, sample: Sample) -> Statistics:
        return _by_feature(pieces, sample[0].shape[1:])


class MeanImage(Scale):
    """Subtracts the mean of every feature; the scale stays. For images this is the mean image."""

    formula = "x - mean, by feature"
    source = "Krizhevsky et al. 2012, section 2"
    choose = "For images that are aligned, such as digits or faces."

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        return _centered(_moments(x, weights, (0,)))

    def fit_pieces(self, pieces: Pieces, sample: Sample) -> Statistics:
        return _centered(_by_feature(pieces, sample[0].shape[1:]))


class ChannelStandardize(Scale):
    """Mean 0 and standard deviation 1 for every channel (the last axis), over rows and positions: for images."""

    formula = "(x - mean) / std, by channel"
    source = "common practice for images since He et al. 2016"
    choose = "For images and sequences before a convolution."

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        return _moments(x, weights, tuple(range(x.ndim - 1)))

    def fit_pieces(self, pieces: Pieces, sample: Sample) -> Statistics:
        return _by_channel(pieces)


class ChannelMean(Scale):
    """Subtracts the mean of every channel (the last axis), over rows and positions; the scale stays."""

    formula = "x - mean, by channel"
    source = "Simonyan and Zisserman 2015, section 2.1"
    choose = "For images whose contrast means something."

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        return _centered(_moments(x, weights, tuple(range(x.ndim - 1))))

    def fit_pieces(self, pieces: Pieces, sample: Sample) -> Statistics:
        return _centered(_by_channel(pieces))


class MinMax(Scale):
    """Every feature from 0 (its minimum over training rows) to 1 (its maximum); constant features become 0."""

    formula = "(x - min) / (max - min), by feature"
    source = "common practice"
    choose = "For features with hard ends, such as pixels; not with outliers."

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        return self._of(x.min(0), x.max(0))

    def fit_pieces(self, pieces: Pieces, sample: Sample) -> Statistics:
        return self._of(*ends_of(pieces))

    def _of(self, low: Array, high: Array) -> Statistics:
        low, high = low.astype(np.float64), high.astype(np.float64)
        return {"offset": low, "scale": _nonzero(high - low, np.abs(high))}


class Robust(Scale):
    """Median 0 and quartiles one apart; where the quartiles coincide, half the range; constant features become 0.

    Rows count alike, whatever their weight. Holzmüller et al. 2024 (RealMLP), section 3.
    """

    formula = "(x - median) / (q75 - q25), by feature"
    source = "Holzmüller et al. 2024, RealMLP"
    choose = "For tables with outliers, usually followed by SmoothClip."

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        low, first, middle, third, high = np.quantile(x.astype(np.float64), (0, 0.25, 0.5, 0.75, 1), axis=0)
        size = np.maximum(np.abs(low), np.abs(high))
        spread = np.where(third - first > 1e-7 * size, third - first, (high - low) / 2)
        return {"offset": middle, "scale": _nonzero(spread, size)}


def _centered(moments: Statistics) -> Statistics:
    return {"offset": moments["offset"], "scale": np.ones_like(moments["scale"])}


def _moments(x: Array, weights: Array | None, axes: tuple[int, ...]) -> Statistics:
    share = None if weights is None else _spread(weights.astype(np.float64), x.ndim, x.shape, axes)
    mean = np.average(x.astype(np.float64), axes, weights=share)
    var = np.average((x.astype(np.float64) - mean) ** 2, axes, weights=share)
    return _scaled(mean, var)


def _by_feature(pieces: Pieces, shape: tuple[int, ...]) -> Statistics:
    found = moments_of(pieces, lambda x: x.reshape(len(x), -1))
    return _scaled(found.mean.reshape(shape), found.variance.reshape(shape))


def _by_channel(pieces: Pieces) -> Statistics:
    found = moments_of(pieces, lambda x: x.reshape(-1, x.shape[-1]))
    return _scaled(found.mean, found.variance)


def _scaled(mean: Array, variance: Array) -> Statistics:
    return {"offset": mean, "scale": _nonzero(np.sqrt(variance), np.abs(mean))}


def _spread(weights: Array, axes_of_x: int, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Weights of rows in a shape that `np.average` takes."""
    if axes == (0,):
        return weights
    column = weights.reshape(-1, *(1,) * (axes_of_x - 1))
    return np.broadcast_to(column, shape)


def _nonzero(scale: Array, size: Array) -> Array:
    """One where a feature does not vary beyond rounding."""
    return np.where(scale > 1e-7 * np.maximum(size, 1e-30), scale, 1.0)
