"""The linear models that reports compare with, against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kilter.report.linear import numbers, probabilities

DRAWN = np.random.default_rng(0)
X, ROWS = DRAWN.normal(3.0, 2.0, (150, 6)), DRAWN.normal(3.0, 2.0, (40, 6))
X[:, 2] = ROWS[:, 2] = 7.0  # a constant column


@pytest.mark.parametrize("known", [(0, 1), (0, 1, 2), (1, 3)])
def test_classes_are_as_likely_as_scikit_learn_says(known):
    scores = X[:, :3] @ DRAWN.normal(size=(3, len(known))) + DRAWN.normal(size=(150, len(known)))
    y = np.array(known)[(scores - scores.mean(0)).argmax(1)]
    told = probabilities(X, y, ROWS, 4)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-8)).fit(X, y)
    assert told is not None
    np.testing.assert_allclose(told[:, list(known)], model.predict_proba(ROWS), atol=2e-3)
    np.testing.assert_allclose(told.sum(1), 1.0)
    assert not told[:, [place for place in range(4) if place not in known]].any()


def test_numbers_are_what_scikit_learn_predicts():
    y = np.column_stack([X[:, 0] + X[:, 1], DRAWN.normal(size=150)])
    model = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    np.testing.assert_allclose(numbers(X, y, ROWS), model.predict(ROWS), atol=1e-9)
    np.testing.assert_allclose(numbers(X, y[:, 0], ROWS)[:, 0], model.predict(ROWS)[:, 0], atol=1e-9)


def test_of_one_class_there_is_nothing_to_tell():
    assert probabilities(X, np.ones(150, int), ROWS, 2) is None
