"""How well do the estimators do as they come, against scikit-learn's own? Prints scores of repeated cross-validation.

Run `python benchmarks/estimators.py`, or with `--quick` for a smoke test. Kilter's estimators stand alone, the others
behind a StandardScaler; every estimator sees the same folds. The last lines are means over the sets, of accuracy and R2
alike, where a line of a regressor counts with the classifier in its place.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kilter import recipes
from kilter.estimators import KilterClassifier, KilterRegressor

SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes")
QUICK = ("iris", "diabetes")
Makers = dict[str, Callable[[int], Any]]


def scaled(estimator: Any) -> Any:
    """Behind a scaler, as scikit-learn's documentation advises."""
    return make_pipeline(StandardScaler(), estimator)


def scaled_target(regressor: Any) -> Any:
    """The same, with its targets scaled too: on raw ones scikit-learn's network is far from converged when it stops."""
    return TransformedTargetRegressor(scaled(regressor), transformer=StandardScaler())


CLASSIFIERS: Makers = {
    "KilterClassifier": lambda seed: KilterClassifier(random_state=seed),
    "  recipes.tabular": lambda seed: KilterClassifier(recipe=recipes.tabular, random_state=seed),
    "MLPClassifier": lambda seed: scaled(MLPClassifier(random_state=seed)),
    "LogisticRegression": lambda seed: scaled(LogisticRegression(max_iter=1000)),
}
REGRESSORS: Makers = {
    "KilterRegressor": lambda seed: KilterRegressor(random_state=seed),
    "  recipes.tabular": lambda seed: KilterRegressor(recipe=recipes.tabular, random_state=seed),
    "MLPRegressor": lambda seed: scaled_target(MLPRegressor(random_state=seed)),
    "Ridge": lambda seed: scaled(Ridge()),
}


def scores(estimator: Any, x: Any, y: Any, folds: Sequence[Any]) -> tuple[float, float, float]:
    """Mean and standard deviation of the score over the folds, and seconds in all."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = [estimator.fit(x[train], y[train]).score(x[test], y[test]) for train, test in folds]
    return float(np.mean(found)), float(np.std(found)), time.perf_counter() - start


def compare(name: str, splits: int, repeats: int, seed: int, network_seed: int) -> list[float]:
    """Print one set's lines of the table and return their means."""
    means = []
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    makers = REGRESSORS if name == "diabetes" else CLASSIFIERS
    for label, make in makers.items():
        estimator = make(network_seed)
        kind = RepeatedStratifiedKFold if is_classifier(estimator) else RepeatedKFold
        folds = list(kind(n_splits=splits, n_repeats=repeats, random_state=seed).split(x, y))
        mean, std, seconds = scores(estimator, x, y, folds)
        print(f"{name:14} {label:20} {mean:8.4f} {std:8.4f} {seconds:8.1f}", flush=True)
        means.append(mean)
    return means


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two sets, two folds, once")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--network-seed", type=int, default=0, help="of the networks")
    given = parser.parse_args(argv)
    splits, repeats = (2, 1) if given.quick else (5, 2)
    print(f"{'data':14} {'estimator':20} {'mean':>8} {'std':>8} {'seconds':>8}")
    sets = QUICK if given.quick else SETS
    table = [compare(name, splits, repeats, given.seed, given.network_seed) for name in sets]
    for label, column in zip(CLASSIFIERS, np.array(table).T, strict=True):
        print(f"{'all':14} {label:20} {column.mean():8.4f}")


if __name__ == "__main__":
    main()
