"""Whitening: features with mean zero, variance one and no correlation."""

from typing import ClassVar

import numpy as np

from kilter.core.specs import number
from kilter.data.arrays import Array
from kilter.data.preprocess import Preprocess, Statistics
from kilter.data.tallies import Pieces, Sample, moments_of


class Whitening(Preprocess, abstract=True):
    """Base: y = (x - mean) W with W W^T = (C + epsilon m I)^-1, C the covariance and m its mean variance.

    Examples of any shape are taken as one vector of features each. W is unique up to a rotation, which is what the
    members differ in. Directions in which the training rows do not vary are shrunk to zero by ``epsilon`` alone.

    Args:
        epsilon: regularization, as a share of the mean variance of the features.
    """

    source = "Kessy, Lewin and Strimmer 2018, Optimal whitening and decorrelation"

    epsilon: float = number(default=1e-5, range="(0, inf)", scale="log", search=(1e-7, 1e-1))

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        flat = x.reshape(len(x), -1).astype(np.float64)
        share = None if weights is None else weights.astype(np.float64)
        mean = np.average(flat, 0, weights=share)
        covariance = np.cov(flat, rowvar=False, bias=True, aweights=share).reshape(flat.shape[1], flat.shape[1])
        return self._of(mean, covariance)

    def fit_pieces(self, pieces: Pieces, sample: Sample) -> Statistics:
        found = moments_of(pieces, lambda x: x.reshape(len(x), -1), whole=True)
        return self._of(found.mean, found.variance)

    def _of(self, mean: Array, covariance: Array) -> Statistics:
        variance = np.trace(covariance) / len(covariance)
        covariance = covariance + np.eye(len(covariance)) * (self.epsilon * variance if variance > 0 else 1.0)
        matrix = self._matrix(covariance)
        return {"mean": mean, "matrix": matrix, "inverse": np.linalg.inv(matrix)}

    def apply(self, statistics: Statistics, x: Array) -> Array:
        flat = x.reshape(len(x), -1)
        return ((flat - statistics["mean"]) @ statistics["matrix"]).reshape(x.shape).astype(np.float32)

    def invert(self, statistics: Statistics, x: Array) -> Array:
        flat = x.reshape(len(x), -1).astype(np.float64)
        return (flat @ statistics["inverse"] + statistics["mean"]).reshape(x.shape).astype(np.float32)

    @staticmethod
    def _matrix(covariance: Array) -> Array:
        """W of the regularized covariance."""
        raise NotImplementedError


class PCAWhitening(Whitening):
    """Whitened features in the directions of the principal components, the widest first: W = U L^-1/2, C = U L U^T."""

    formula: ClassVar[str] = "(x - mean) U L^-1/2, with C = U L U^T"
    choose = "For features that are strongly correlated, where their order may carry their weight."

    @staticmethod
    def _matrix(covariance: Array) -> Array:
        variances, directions = np.linalg.eigh(covariance)
        return directions[:, ::-1] / np.sqrt(variances[::-1])


class ZCAWhitening(Whitening):
    """Whitened features that stay as near to the given ones as can be: W = U L^-1/2 U^T, so images stay images."""

    formula: ClassVar[str] = "(x - mean) U L^-1/2 U^T, with C = U L U^T"
    choose = "For small images; keeps each pixel where it was."

    @staticmethod
    def _matrix(covariance: Array) -> Array:
        variances, directions = np.linalg.eigh(covariance)
        return directions / np.sqrt(variances) @ directions.T


class CholeskyWhitening(Whitening):
    """Whitened features each made of those up to itself: W^T = K^-1 with C = K K^T and K lower triangular."""

    formula: ClassVar[str] = "(x - mean) K^-T, with C = K K^T"
    choose = "For features in a causal or temporal order; the cheapest of the three."

    @staticmethod
    def _matrix(covariance: Array) -> Array:
        return np.linalg.inv(np.linalg.cholesky(covariance)).T
