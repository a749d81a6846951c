"""The perceptron: the same weights as scikit-learn's, the bound on its mistakes, and what it cannot learn."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron
from sklearn.utils.estimator_checks import check_estimator

import kilter as kl
from kilter.core.errors import InputError
from kilter.estimators import PerceptronClassifier
from kilter.train.order import permutation

X, Y = load_iris(return_X_y=True)
EIGHTHS = np.round(X * 8) / 8  # sums of these are exact in float32 and in float64
CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
ARRAY_API = "check_array_api_input"  # runs only where SCIPY_ARRAY_API is set before SciPy is imported
EPOCHS = 10


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_passes_all_checks_of_scikit_learn():
    results = check_estimator(PerceptronClassifier(max_epochs=20), on_skip=None)
    assert {result["check_name"] for result in results if result["status"] != "passed"} <= {ARRAY_API}
    assert len(results) > 45


def witness(y, seed, **given):
    """scikit-learn's perceptron, fed each epoch in the order that ours takes."""
    theirs = Perceptron(shuffle=False, tol=None, **given)
    for epoch in range(EPOCHS):
        order = permutation(seed, epoch, len(y))
        theirs.partial_fit(EIGHTHS[order], y[order], classes=np.unique(y))
    return theirs


@pytest.mark.parametrize("y", [Y, Y == 1, Y == 0], ids=["three", "two that overlap", "two apart"])
@pytest.mark.parametrize("intercept", [True, False])
def test_weights_equal_those_of_scikit_learn(y, intercept):
    theirs = witness(y, seed=3, fit_intercept=intercept)
    ours = PerceptronClassifier(max_epochs=EPOCHS, fit_intercept=intercept, random_state=3).fit(EIGHTHS, y)
    np.testing.assert_array_equal(ours.coef_, theirs.coef_)
    np.testing.assert_array_equal(ours.intercept_, theirs.intercept_)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(ours.predict(EIGHTHS), theirs.predict(EIGHTHS))
    assert ours.coef_.shape == theirs.coef_.shape


def test_mistakes_are_counted_as_by_hand():
    y = np.array([-1, 1, 1, 1])
    w, mistakes = np.zeros(3), []
    for epoch in range(EPOCHS):
        mistakes.append(0)
        for row in permutation(0, epoch, 4):
            x = np.append(CORNERS[row], 1)
            if y[row] * (w @ x) <= 0:
                w, mistakes[-1] = w + y[row] * x, mistakes[-1] + 1
    ours = PerceptronClassifier(max_epochs=EPOCHS, random_state=0).fit(CORNERS, y)
    assert ours.mistakes_.tolist() == mistakes
    np.testing.assert_array_equal(np.append(ours.coef_, ours.intercept_), w)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_more_mistakes_than_novikoff_allows(seed):
    draw = np.random.default_rng(seed)
    normal = np.append(draw.normal(size=3), 0.2)
    x = draw.normal(size=(200, 3))
    leads = np.append(x, np.ones((200, 1)), 1) @ (normal / np.linalg.norm(normal))
    kept = abs(leads) > 0.1
    x, y = x[kept], leads[kept] > 0
    fitted = PerceptronClassifier(max_epochs=100, random_state=0).fit(x, y)
    radius = np.sqrt((x**2).sum(1).max() + 1)
    assert 0 < fitted.mistakes_.sum() <= (radius / abs(leads[kept]).min()) ** 2
    assert fitted.mistakes_[-1] == 0
    assert fitted.score(x, y) == 1


def test_exclusive_or_is_beyond_it():
    fitted = PerceptronClassifier(max_epochs=200, random_state=0).fit(CORNERS, CORNERS.sum(1) == 1)
    assert fitted.mistakes_.min() > 0
    assert fitted.score(CORNERS, CORNERS.sum(1) == 1) <= 0.75


def test_the_rate_scales_the_weights_alone():
    slow, fast = (PerceptronClassifier(rate, max_epochs=EPOCHS, random_state=1).fit(EIGHTHS, Y) for rate in (0.25, 1))
    np.testing.assert_array_equal(4 * slow.coef_, fast.coef_)
    np.testing.assert_array_equal(slow.predict(X), fast.predict(X))


def test_the_run_is_read_back(tmp_path):
    names = np.array(["setosa", "other", "other"])[Y]
    fitted = clone(PerceptronClassifier(max_epochs=EPOCHS, random_state=0)).fit(X, names)
    assert (kl.load(fitted.run_.save(tmp_path / "run")).predict(X.astype(np.float32)) == fitted.predict(X)).all()
    assert not hasattr(fitted, "predict_proba")
    assert fitted.n_iter_ == len(fitted.mistakes_) == EPOCHS


@pytest.mark.parametrize(
    ("given", "y", "message"),
    [
        ({}, np.zeros(150), "one class only"),
        ({"learning_rate": "fast"}, Y, "lr must be a number"),
        ({"max_epochs": 1.5}, Y, "epochs must be a whole number"),
        ({"random_state": -1}, Y, "random_state must be"),
    ],
)
def test_refusals(given, y, message):
    with pytest.raises(InputError, match=message):
        PerceptronClassifier(**given).fit(X, y)
