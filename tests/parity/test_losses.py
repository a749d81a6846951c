"""Losses against PyTorch (values and gradients), at extreme logits, and against the best constant prediction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch.nn import functional as tf

from kilter import losses
from kilter.core.errors import InputError

torch.set_num_threads(1)
# A few float32 operations of order one.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
DRAW = np.random.default_rng(0)
LOGITS = (DRAW.normal(size=(12, 4)) * 3).astype(np.float32)
CLASSES = DRAW.integers(0, 4, 12).astype(np.int32)
HOT = np.eye(4, dtype=np.float32)[CLASSES]
SOFT = DRAW.dirichlet(np.ones(4), 12).astype(np.float32)
LABELS = (DRAW.random((12, 4)) > 0.5).astype(np.float32)
NUMBERS = DRAW.normal(size=(12, 4)).astype(np.float32)
BINARY = (np.arange(12) % 3 == 0).astype(np.int32)
ALL = {kind.__name__: kind() for kind in (losses.SoftmaxCrossEntropy, losses.SigmoidCrossEntropy, losses.SquaredError)}


def softmax(outputs, targets):
    return tf.cross_entropy(outputs, targets, reduction="none")


def sigmoid(outputs, targets):
    return tf.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(-1)


def squared(outputs, targets):
    return tf.mse_loss(outputs, targets, reduction="none").mean(-1)


CASES = {
    "softmax, classes": ("SoftmaxCrossEntropy", LOGITS, CLASSES, softmax, CLASSES.astype(np.int64)),
    "softmax, one-hot": ("SoftmaxCrossEntropy", LOGITS, HOT, softmax, HOT),
    "softmax, soft": ("SoftmaxCrossEntropy", LOGITS, SOFT, softmax, SOFT),
    "sigmoid, labels": ("SigmoidCrossEntropy", LOGITS, LABELS, sigmoid, LABELS),
    "sigmoid, classes": ("SigmoidCrossEntropy", LOGITS, CLASSES, sigmoid, HOT),
    "sigmoid, two classes, one output": ("SigmoidCrossEntropy", LOGITS[:, :1], BINARY, sigmoid, BINARY[:, None]),
    "sigmoid, soft": ("SigmoidCrossEntropy", LOGITS, SOFT, sigmoid, SOFT),
    "squared, numbers": ("SquaredError", LOGITS, NUMBERS, squared, NUMBERS),
    "squared, a column": ("SquaredError", LOGITS[:, :1], NUMBERS[:, 0], squared, NUMBERS[:, :1]),
    "squared, classes": ("SquaredError", LOGITS, CLASSES, squared, HOT),
    "squared, two classes, one output": ("SquaredError", LOGITS[:, :1], BINARY, squared, BINARY[:, None]),
}


def value_and_gradient(loss, outputs, targets):
    """Loss of each row, and the gradient of their sum."""

    def total(outputs):
        values = loss(outputs, targets)
        return values.sum(), values

    (_, values), gradient = jax.value_and_grad(total, has_aux=True)(jnp.asarray(outputs))
    return np.asarray(values), np.asarray(gradient)


def test_every_loss_has_a_witness():
    assert {case[0] for case in CASES.values()} == set(ALL)


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case):
    name, outputs, targets, witness, theirs = CASES[case]
    x = torch.tensor(outputs, requires_grad=True)
    theirs = torch.tensor(theirs if name == "SoftmaxCrossEntropy" else theirs.astype(np.float32))
    expected = witness(x, theirs)
    expected.sum().backward()
    values, gradient = value_and_gradient(ALL[name], outputs, jnp.asarray(targets))
    assert values.shape == (12,)
    np.testing.assert_allclose(values, expected.detach().numpy(), **CLOSE)
    np.testing.assert_allclose(gradient, x.grad.numpy(), **CLOSE)


def test_softmax_at_extreme_logits():
    outputs = np.array([[1e4, -1e4, 0], [1e4, -1e4, 0], [1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]], np.float32)
    values, gradient = value_and_gradient(ALL["SoftmaxCrossEntropy"], outputs, jnp.array([0, 1, 0, 2]))
    np.testing.assert_allclose(values, [0, 2e4, np.log(2), np.log(3)], rtol=1e-6)
    shares = np.array([[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3])
    np.testing.assert_allclose(gradient, shares - np.eye(3)[[0, 1, 0, 2]], atol=1e-6)


def test_sigmoid_at_extreme_logits():
    outputs = np.array([[1e4], [1e4], [-1e4], [-1e4], [0.0]], np.float32)
    values, gradient = value_and_gradient(ALL["SigmoidCrossEntropy"], outputs, jnp.array([1, 0, 1, 0, 1]))
    np.testing.assert_allclose(values, [0, 1e4, 1e4, 0, np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(gradient[:, 0], [0, 1, -1, 0, -0.5], atol=1e-6)


def test_squared_at_extreme_outputs():
    values, gradient = value_and_gradient(ALL["SquaredError"], [[1e4], [-1e4]], jnp.zeros((2, 1)))
    np.testing.assert_allclose(values, 1e8)
    np.testing.assert_allclose(gradient[:, 0], [2e4, -2e4])


@pytest.mark.parametrize("name", ALL)
def test_one_hot_rows_equal_class_indices(name):
    np.testing.assert_array_equal(ALL[name](LOGITS, jnp.asarray(CLASSES)), ALL[name](LOGITS, jnp.asarray(HOT)))


SEVEN = np.array([0, 0, 0, 0, 1, 1, 2], np.int32)
PAIR = np.array([1, 1, 1, 1, 0, 1, 1], np.int32)
CHANCES = [
    ("SoftmaxCrossEntropy", SEVEN, 3),
    ("SoftmaxCrossEntropy", SOFT, 4),
    ("SigmoidCrossEntropy", PAIR, 1),
    ("SigmoidCrossEntropy", PAIR, 2),
    ("SigmoidCrossEntropy", SEVEN, 3),
    ("SigmoidCrossEntropy", LABELS, 4),
    ("SquaredError", NUMBERS, 4),
    ("SquaredError", NUMBERS[:, 0], 1),
    ("SquaredError", PAIR, 2),
    ("SquaredError", SEVEN, 3),
]


@pytest.mark.parametrize(("name", "targets", "outputs"), CHANCES)
def test_chance_is_the_loss_of_the_best_constant_prediction(name, targets, outputs):
    loss = ALL[name]

    @jax.jit
    def mean(constant):
        return loss(jnp.broadcast_to(constant, (len(targets), outputs)), jnp.asarray(targets)).mean()

    gradient = jax.jit(jax.grad(mean))
    best = minimize(lambda c: float(mean(c)), np.zeros(outputs), jac=lambda c: np.asarray(gradient(c), float), tol=1e-6)
    # float32 losses of order one: the minimum is found to a few 1e-6.
    assert loss.chance(targets) == pytest.approx(best.fun, abs=1e-5)


def test_chance_where_all_targets_are_equal_is_zero():
    assert ALL["SoftmaxCrossEntropy"].chance(np.zeros(5, int)) == 0
    assert ALL["SigmoidCrossEntropy"].chance(np.ones(5, int)) == 0
    assert ALL["SquaredError"].chance(np.full((5, 1), 3.0)) == 0


OUTPUTS = [
    ("SoftmaxCrossEntropy", CLASSES, 4, (4,)),
    ("SoftmaxCrossEntropy", BINARY, 2, (2,)),
    ("SoftmaxCrossEntropy", LABELS, 0, (4,)),
    ("SigmoidCrossEntropy", BINARY, 2, (1, 2)),
    ("SigmoidCrossEntropy", CLASSES, 4, (4,)),
    ("SigmoidCrossEntropy", LABELS, 0, (4,)),
    ("SquaredError", BINARY, 2, (1, 2)),
    ("SquaredError", CLASSES, 4, (4,)),
    ("SquaredError", NUMBERS, 0, (4,)),
    ("SquaredError", NUMBERS[:, 0], 0, (1,)),
]


@pytest.mark.parametrize(("name", "targets", "classes", "expected"), OUTPUTS)
def test_outputs_that_fit(name, targets, classes, expected):
    assert ALL[name].outputs(targets, classes) == expected


@pytest.mark.parametrize(
    ("name", "targets", "message"),
    [
        (
            "SoftmaxCrossEntropy",
            NUMBERS[:, :1],
            r"needs classes, but the targets are numbers: use losses.SquaredError\(\)",
        ),
        ("SigmoidCrossEntropy", NUMBERS * 5, "needs targets from 0 to 1, got -"),
    ],
)
def test_outputs_refuse_targets_that_cannot_be(name, targets, message):
    with pytest.raises(InputError, match=message):
        ALL[name].outputs(targets, 0)


EXTREME = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [2.0, 0.5, -1.0], [1e4, 1e4, 1e4]], np.float32)


COLUMNS = [(name, columns) for name in ALL for columns in (1, 2, 3) if (name, columns) != ("SoftmaxCrossEntropy", 1)]


@pytest.mark.parametrize(("name", "columns"), COLUMNS)
def test_read_gives_probabilities_of_classes(name, columns):
    shares = np.asarray(ALL[name].read(jnp.asarray(EXTREME[:, :columns]), True))
    assert shares.shape == (4, max(columns, 2))
    assert ((shares >= 0) & (shares <= 1)).all()
    # Float32 shares add up to one within a few units in the last place.
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)


def test_read_against_closed_forms():
    x = LOGITS[:, :3]
    s = 1 / (1 + np.exp(-x.astype(float)))
    found = ALL["SigmoidCrossEntropy"].read(jnp.asarray(x), True)
    np.testing.assert_allclose(found, s / s.sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(ALL["SigmoidCrossEntropy"].read(jnp.asarray(x), False), s, rtol=1e-5)
    one = ALL["SigmoidCrossEntropy"].read(jnp.asarray(x[:, :1]), True)
    np.testing.assert_allclose(one, np.hstack([1 - s[:, :1], s[:, :1]]), rtol=1e-5)
    e = np.exp(x.astype(float))
    np.testing.assert_allclose(
        ALL["SoftmaxCrossEntropy"].read(jnp.asarray(x), True), e / e.sum(1, keepdims=True), rtol=1e-5
    )
    np.testing.assert_array_equal(ALL["SquaredError"].read(jnp.asarray(x), False), x)
    half = ALL["SquaredError"].read(jnp.array([[0.25], [1.5], [-2.0]]), True)
    np.testing.assert_allclose(half, [[0.75, 0.25], [0, 1], [1, 0]], atol=1e-6)
