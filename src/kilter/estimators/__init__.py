"""Estimators for scikit-learn: the one package of Kilter that builds on it."""

from kilter.estimators.classifier import KilterClassifier
from kilter.estimators.perceptron import PerceptronClassifier
from kilter.estimators.regressor import KilterRegressor

__all__ = ["KilterClassifier", "KilterRegressor", "PerceptronClassifier"]
