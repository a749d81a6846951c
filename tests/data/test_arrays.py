"""Arrays as users hand them over: hostile ones refused in one sentence, splits and targets."""

import re

import numpy as np
import pytest

import kilter as kl
from kilter.core.errors import InputError

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(20, 3))
Y = np.arange(20) % 2


def spoiled(value, place=(4, 1), dtype=np.float64):
    x = X.astype(dtype)
    x[place] = value
    return x


RAGGED = [[1.0], [1.0, 2.0]] * 10
REFUSED = {
    "nan": (
        spoiled(np.nan),
        Y,
        {},
        "x holds 1 values that are not finite, the first is nan at [4, 1]; fill or drop them",
    ),
    "inf": (spoiled(-np.inf), Y, {}, "x holds 1 values that are not finite, the first is -inf at [4, 1]"),
    "none": (spoiled(None, dtype=object), Y, {}, "x holds 1 values that are not finite"),
    "text": (X.astype(str), Y, {}, "x holds text, but numbers are needed; encode it first"),
    "text among numbers": (spoiled("red", dtype=object), Y, {}, "x holds text"),
    "objects": (np.full((20, 1), object()), Y, {}, "x holds object objects, but numbers are needed"),
    "complex": (X * 1j, Y, {}, "x holds complex numbers"),
    "dates": (np.full((20, 1), "2020-01-01", "M8[D]"), Y, {}, "x holds dates"),
    "ragged": (RAGGED, Y, {}, "x has rows of unequal length"),
    "one axis": (X[:, 0], Y, {}, "x has shape (20,), but needs a row an example"),
    "a number": (3.0, Y, {}, "x has shape ()"),
    "empty": (X[:0], Y[:0], {}, "x is empty, its shape is (0, 3)"),
    "no features": (X[:, :0], Y, {}, "x is empty, its shape is (20, 0)"),
    "beyond float32": (spoiled(1e300), Y, {}, "x holds 1e+300, beyond what float32 can hold; scale it down"),
    "other length": (X, Y[:-1], {}, "x and y have 20 and 19 rows; every example needs its target"),
    "a single target": (X, 1, {}, "x and y must have a row an example, but the target is a single value"),
    "one row": (X[:1], [0.5], {}, "1 rows are too few to hold out a share of 0.2 for validation; give validation=0"),
    "one class": (X, np.zeros(20, int), {}, "y holds one class only, 0; at least two are needed"),
    "one class of text": (X, ["a"] * 20, {}, "y holds one class only, 'a'"),
    "nan target": (X, np.where(Y, np.nan, 0.5), {}, "y holds 10 values that are not finite"),
    "nan class": (
        X,
        np.where(Y, np.nan, 1.0),
        {"task": "classes"},
        "y has missing or infinite values; drop these rows",
    ),
    "missing text": (X, np.where(Y, None, "a"), {}, "y has missing values; drop these rows"),
    "fractions as classes": (X, X[:, 0].round(2), {"task": "classes"}, "which are no classes"),
    "cubes as targets": (
        X,
        np.zeros((20, 2, 2)),
        {},
        "y has shape (20, 2, 2); targets are one value or one row of numbers",
    ),
    "rows as classes": (X, X[:, :2], {"task": "classes"}, "y has 2 columns; classes are one column, or one-hot rows"),
    "text as numbers": (X, Y.astype(str), {"task": "numbers"}, "y holds text"),
    "huge target": (X, np.where(Y, 1e300, 0.5), {}, "y holds 1e+300, beyond what float32 can hold"),
    "unknown task": (
        X,
        Y,
        {"task": "regression"},
        "task must be one of 'classes', 'labels', 'numbers', or None to guess",
    ),
    "share of one": (
        X,
        Y,
        {"validation": 1.0},
        "validation must be a share in [0, 1) or a pair of arrays (x, y), got 1.0",
    ),
    "negative share": (X, Y, {"test": -0.1}, "test must be a share in [0, 1)"),
    "share nan": (X, Y, {"test": float("nan")}, "test must be a share in [0, 1)"),
    "share of text": (X, Y, {"test": "half"}, "test must be a share in [0, 1)"),
    "all held out": (X, Y, {"validation": 0.5, "test": 0.5}, "leave nothing to train on"),
    "a share below a row": (
        X,
        Y,
        {"validation": 0.01},
        "20 rows are too few to hold out a share of 0.01 for validation",
    ),
    "weights of other length": (
        X,
        Y,
        {"weights": np.ones(3)},
        "weights has shape (3,), but one weight an example is needed",
    ),
    "negative weights": (X, Y, {"weights": X[:, 0]}, "weights must be at least 0 and not all 0"),
    "no weight": (X, Y, {"weights": np.zeros(20)}, "weights must be at least 0 and not all 0"),
    "own pair of other shape": (
        X,
        Y,
        {"validation": (X[:, :2], Y)},
        "validation x has examples of shape (2,), the training",
    ),
    "own pair of other length": (X, Y, {"validation": (X, Y[:5])}, "validation x and y have 20 and 5 rows"),
    "own pair with nan": (X, Y, {"test": (spoiled(np.nan), Y)}, "test x holds 1 values that are not finite"),
    "own pair of other classes": (X, Y, {"test": (X, np.full(20, "a"))}, "unknown so far"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_sentence(case):
    x, y, given, message = REFUSED[case]
    with pytest.raises(InputError, match=re.escape(message)) as error:
        kl.data.from_arrays(x, y, **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("target", [Y * 1j, RAGGED], ids=["complex", "ragged"])
def test_odd_targets_are_refused(target):
    with pytest.raises(InputError):
        kl.data.from_arrays(X, target)


def test_bytes_as_classes():
    assert kl.data.from_arrays(X, np.array([b"a", b"b"])[Y]).target.classes == ("a", "b")


def test_one_row_without_a_split_is_enough():
    data = kl.data.from_arrays(X[:1], [0.5], validation=0)
    assert (len(data.train), data.validation, data.test) == (1, None, None)


TARGETS = {
    "whole numbers": (np.array([5, 7])[Y], "classes", (5, 7), Y),
    "small bytes": (np.array([5, 7], np.uint8)[Y], "classes", (5, 7), Y),
    "truth": (Y == 1, "classes", (False, True), Y),
    "text": (np.array(["no", "yes"])[Y], "classes", ("no", "yes"), Y),
    "a list of text": (["yes" if y else "no" for y in Y], "classes", ("no", "yes"), Y),
    "zeros and ones in float": (Y.astype(float), "classes", (0, 1), Y),
    "a column": (Y[:, None], "classes", (0, 1), Y),
    "one-hot": (np.eye(2)[Y], "classes", (0, 1), Y),
    "one-hot whole numbers": (np.eye(2, dtype=int)[Y], "classes", (0, 1), Y),
    "labels": (np.stack([Y, 1 - Y, np.ones(20)], 1), "labels", (), np.stack([Y, 1 - Y, np.ones(20)], 1)),
    "float": (X[:, 0], "numbers", (), X[:, :1]),
    "rows of float": (X[:, :2], "numbers", (), X[:, :2]),
    "few different floats": (Y + 0.5, "numbers", (), Y[:, None] + 0.5),
    "whole floats": (Y + 2.0, "numbers", (), Y[:, None] + 2.0),
}


@pytest.mark.parametrize("case", TARGETS)
def test_what_targets_are_taken_for(case):
    y, task, classes, encoded = TARGETS[case]
    data = kl.data.from_arrays(X, y, validation=0)
    assert (data.target.task, data.target.classes) == (task, classes)
    assert data.train.y.dtype == (np.int32 if task == "classes" else np.float32)
    np.testing.assert_allclose(data.train.y, encoded, rtol=1e-6)


def test_many_whole_numbers_are_numbers_and_a_task_overrules():
    many = np.arange(20 * 3).reshape(-1)
    x = np.zeros((60, 1)) + np.arange(60)[:, None]
    assert kl.data.from_arrays(x, many).target.task == "numbers"
    assert kl.data.from_arrays(x, many % 3, task="numbers").target.task == "numbers"
    assert kl.data.from_arrays(x, (many % 3).astype(float), task="classes").target.classes == (0, 1, 2)


@pytest.mark.parametrize("case", TARGETS)
def test_decoding_gives_what_was_encoded(case):
    y, task, _, encoded = TARGETS[case]
    target = kl.data.from_arrays(X, y, validation=0).target
    predictions = np.eye(2)[encoded] if task == "classes" else np.asarray(encoded)
    expected = np.asarray(y).argmax(1) if "one-hot" in case else np.asarray(y)
    found = target.decode(predictions)
    np.testing.assert_array_equal(found, expected.ravel() if task == "classes" else expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8, np.uint16, np.int64, bool, object])
def test_inputs_of_any_type_become_float32(dtype):
    x = DRAW.integers(0, 2, (20, 3)).astype(dtype)
    train = kl.data.from_arrays(x, Y, validation=0).train
    assert train.x.dtype == np.float32
    np.testing.assert_array_equal(train.x, x.astype(float))


def test_the_users_arrays_are_never_changed():
    x, y = X.astype(np.float32), Y.astype(np.int32)
    before = x.copy(), y.copy()
    data = kl.data.from_arrays(x, y)
    data.train.x[:] = 0
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_a_class_that_only_the_own_validation_pair_has_counts():
    data = kl.data.from_arrays(X, Y, validation=(X[:3], np.array([0, 1, 2])))
    assert data.target.classes == (0, 1, 2)
    np.testing.assert_array_equal(data.validation.y, [0, 1, 2])


def test_a_class_unseen_until_evaluation_is_refused(small_run):
    with pytest.raises(InputError, match="y holds the class 'rose', unknown so far; known are 'setosa', 'versicolor'"):
        small_run.evaluate(np.zeros((2, 4)), ["rose", "setosa"])


@pytest.mark.parametrize("wrong", [np.zeros((2, 5)), np.zeros(4), np.full((2, 4), np.nan), [["a"] * 4]])
def test_rows_to_predict_are_checked_as_well(small_run, wrong):
    with pytest.raises(InputError):
        small_run.predict(wrong)


IDS = np.arange(400.0)[:, None]
SKEWED = np.random.default_rng(1).choice(4, 400, p=[0.6, 0.25, 0.1, 0.05])


@pytest.mark.parametrize("shares", [(0.2, 0.0), (0.2, 0.2), (0.1, 0.33), (0.5, 0.05)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_splits_keep_the_shares_of_classes_within_a_row(shares, seed):
    data = kl.data.from_arrays(IDS, SKEWED, validation=shares[0], test=shares[1], seed=seed)
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    rows = np.concatenate([part.x[:, 0] for part in parts])
    np.testing.assert_array_equal(np.sort(rows), IDS[:, 0])
    for part, share in zip(parts, (1 - sum(shares), *shares), strict=False):
        assert len(part) == pytest.approx(400 * share, abs=1)
        np.testing.assert_array_equal(part.y, SKEWED[part.x[:, 0].astype(int)])
        for kind in range(4):
            # A stretch between two cuts is off by less than a row at either end.
            assert abs((part.y == kind).sum() - share * (kind == SKEWED).sum()) <= 1 + 1e-9


def test_splits_depend_on_the_seed_alone():
    def held(seed):
        return kl.data.from_arrays(IDS, SKEWED, seed=seed).validation.x[:, 0].tolist()

    assert held(3) == held(3)
    assert held(3) != held(4)


def test_weights_go_with_their_rows():
    data = kl.data.from_arrays(IDS, SKEWED, weights=IDS[:, 0] + 1)
    for part in (data.train, data.validation):
        np.testing.assert_array_equal(part.weights, part.x[:, 0] + 1)
