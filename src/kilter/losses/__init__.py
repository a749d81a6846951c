"""Losses: one number an example, with the value that guessing gets and the outputs that are expected."""

from kilter.losses.cross_entropy import KL, SigmoidCrossEntropy, SoftmaxCrossEntropy
from kilter.losses.distances import AbsoluteError, Distance, Huber, Quantile, SquaredError
from kilter.losses.focal import Focal
from kilter.losses.likelihoods import GaussianLikelihood, Poisson
from kilter.losses.loss import Loss
from kilter.losses.margins import Hinge
from kilter.losses.penalties import L1, L2, PENALTIES, ElasticNet, Penalty
from kilter.losses.probabilities import BinaryCrossEntropy, CategoricalCrossEntropy

ALL: tuple[type[Loss], ...] = (
    SoftmaxCrossEntropy,
    SigmoidCrossEntropy,
    CategoricalCrossEntropy,
    BinaryCrossEntropy,
    Focal,
    KL,
    Hinge,
    SquaredError,
    AbsoluteError,
    Huber,
    Quantile,
    Poisson,
    GaussianLikelihood,
)

__all__ = [
    "ALL",
    "KL",
    "L1",
    "L2",
    "PENALTIES",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CategoricalCrossEntropy",
    "Distance",
    "ElasticNet",
    "Focal",
    "GaussianLikelihood",
    "Hinge",
    "Huber",
    "Loss",
    "Penalty",
    "Poisson",
    "Quantile",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "SquaredError",
]
