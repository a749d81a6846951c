"""Metrics against scikit-learn, with ties and weights, as NumPy arrays and inside a compiled program."""

import jax
import numpy as np
import pytest
from sklearn import metrics as sk

from kilter import metrics

# Float32 predictions; sums over 60 rows.
CLOSE = {"rel": 1e-4, "abs": 1e-5}
DRAW = np.random.default_rng(0)
ROWS = 60
PROBABILITIES = DRAW.dirichlet(np.ones(4), ROWS).astype(np.float32)
TIED = np.round(PROBABILITIES * 4).astype(np.float32) / 4  # few different values, rows no longer add up
CLASSES = DRAW.integers(0, 4, ROWS).astype(np.int32)
BINARY = DRAW.integers(0, 2, ROWS).astype(np.int32)
SCORES = np.round(DRAW.random(ROWS), 1).astype(np.float32)  # eleven values: many ties
PAIR = np.stack([1 - SCORES, SCORES], 1)
LABELS = (DRAW.random((ROWS, 3)) > 0.4).astype(np.float32)
NUMBERS = (DRAW.normal(size=(ROWS, 2)) * [1, 30] + [0, 100]).astype(np.float32)
GUESSES = (NUMBERS + DRAW.normal(size=(ROWS, 2)) * [0.5, 40]).astype(np.float32)
WEIGHTS = {
    "equal": np.ones(ROWS, np.float32),
    "drawn": DRAW.random(ROWS).astype(np.float32),
    "with zeros": (DRAW.random(ROWS) > 0.3).astype(np.float32) * 3,
}


def likeliest_where(targets, w):
    return sk.accuracy_score(targets, PROBABILITIES.argmax(1), sample_weight=w)


def labels_right(w):
    return np.mean(
        [sk.accuracy_score(LABELS[:, k] > 0.5, PROBABILITIES[:, k] > 0.5, sample_weight=w) for k in range(3)]
    )


def labels_log_loss(w):
    return np.mean([sk.log_loss(LABELS[:, k], PROBABILITIES[:, k].astype(float), sample_weight=w) for k in range(3)])


def one_against_the_rest(scores, targets, w):
    return np.mean([sk.roc_auc_score(targets == k, scores[:, k], sample_weight=w) for k in range(4)])


CASES = {
    "accuracy": (metrics.Accuracy(), PROBABILITIES, CLASSES, lambda w: likeliest_where(CLASSES, w)),
    "accuracy of labels": (metrics.Accuracy(), PROBABILITIES[:, :3], LABELS, labels_right),
    "log loss": (
        metrics.LogLoss(),
        PROBABILITIES,
        CLASSES,
        lambda w: sk.log_loss(CLASSES, PROBABILITIES / PROBABILITIES.sum(1, keepdims=True), sample_weight=w),
    ),
    "log loss of labels": (metrics.LogLoss(), PROBABILITIES[:, :3], LABELS, labels_log_loss),
    "auc, tied": (metrics.AUC(), PAIR, BINARY, lambda w: sk.roc_auc_score(BINARY, SCORES, sample_weight=w)),
    "auc": (metrics.AUC(), PROBABILITIES, CLASSES, lambda w: one_against_the_rest(PROBABILITIES, CLASSES, w)),
    "auc of classes, tied": (metrics.AUC(), TIED, CLASSES, lambda w: one_against_the_rest(TIED, CLASSES, w)),
    "auc of labels": (
        metrics.AUC(),
        TIED[:, :3],
        LABELS,
        lambda w: sk.roc_auc_score(LABELS, TIED[:, :3], average="macro", sample_weight=w),
    ),
    "r2": (metrics.R2(), GUESSES, NUMBERS, lambda w: sk.r2_score(NUMBERS, GUESSES, sample_weight=w)),
    "r2, a column": (
        metrics.R2(),
        GUESSES[:, :1],
        NUMBERS[:, 0],
        lambda w: sk.r2_score(NUMBERS[:, 0], GUESSES[:, 0], sample_weight=w),
    ),
    "rmse": (
        metrics.RMSE(),
        GUESSES,
        NUMBERS,
        lambda w: sk.root_mean_squared_error(NUMBERS, GUESSES, sample_weight=w),
    ),
    "rmse, a column": (
        metrics.RMSE(),
        GUESSES[:, :1],
        NUMBERS[:, :1],
        lambda w: sk.root_mean_squared_error(NUMBERS[:, :1], GUESSES[:, :1], sample_weight=w),
    ),
    "mae": (metrics.MAE(), GUESSES, NUMBERS, lambda w: sk.mean_absolute_error(NUMBERS, GUESSES, sample_weight=w)),
}


def test_every_metric_has_a_witness():
    assert {type(case[0]) for case in CASES.values()} == set(metrics.ALL)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("case", CASES)
def test_as_in_scikit_learn(case, weights):
    metric, predictions, targets, witness = CASES[case]
    found = metric(predictions, targets, WEIGHTS[weights])
    assert np.shape(found) == ()
    assert float(found) == pytest.approx(witness(WEIGHTS[weights]), **CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_inside_a_compiled_program(case):
    metric, predictions, targets, witness = CASES[case]
    found = jax.jit(metric.__call__)(predictions, targets, WEIGHTS["drawn"])
    assert float(found) == pytest.approx(witness(WEIGHTS["drawn"]), **CLOSE)


def test_macro_auc_is_that_of_scikit_learn():
    rows = PROBABILITIES.astype(float)
    expected = sk.roc_auc_score(CLASSES, rows / rows.sum(1, keepdims=True), multi_class="ovr", average="macro")
    assert float(metrics.AUC()(PROBABILITIES, CLASSES, WEIGHTS["equal"])) == pytest.approx(expected, **CLOSE)


def test_auc_leaves_out_classes_that_are_not_there():
    present = np.minimum(CLASSES, 2)
    expected = np.mean([sk.roc_auc_score(present == k, PROBABILITIES[:, k]) for k in range(3)])
    assert float(metrics.AUC()(PROBABILITIES, present, WEIGHTS["equal"])) == pytest.approx(expected, **CLOSE)
    assert float(metrics.AUC()(PAIR, np.zeros(ROWS, np.int32), WEIGHTS["equal"])) == 0.5


@pytest.mark.parametrize(("guess", "expected"), [(5.0, 1.0), (4.0, 0.0)])
def test_r2_of_a_constant_target(guess, expected):
    targets, guesses = np.full((6, 1), 5, np.float32), np.full((6, 1), guess, np.float32)
    assert sk.r2_score(targets, guesses) == expected
    assert float(metrics.R2()(guesses, targets, np.ones(6))) == expected


def test_log_loss_of_a_certain_mistake_is_clipped():
    found = metrics.LogLoss()(np.array([[1.0, 0.0]], np.float32), np.array([1]), np.ones(1))
    assert float(found) == pytest.approx(-np.log(1e-7), rel=1e-5)


@pytest.mark.parametrize("metric", [kind() for kind in metrics.ALL], ids=lambda metric: metric.key)
def test_what_a_metric_declares(metric):
    perfect = {"classes": (np.eye(4)[CLASSES], CLASSES), "numbers": (NUMBERS, NUMBERS)}[
        "numbers" if "numbers" in metric.tasks else "classes"
    ]
    poor = {"classes": (np.eye(4)[(CLASSES + 1) % 4], CLASSES), "numbers": (NUMBERS + 9, NUMBERS)}[
        "numbers" if "numbers" in metric.tasks else "classes"
    ]
    best, worse = (float(metric(*pair, np.ones(ROWS))) for pair in (perfect, poor))
    assert best == pytest.approx(metric.perfect, abs=1e-6)
    assert (best > worse) == metric.higher_is_better
    assert (best > metrics.worst(metric)) == metric.higher_is_better
    assert metric in [each for task in metric.tasks for each in metrics.for_task(task)]


@pytest.mark.parametrize(("task", "expected"), [("classes", "accuracy"), ("labels", "accuracy"), ("numbers", "r2")])
def test_the_metric_that_decides_when_none_is_named(task, expected):
    assert metrics.default(task).key == expected
