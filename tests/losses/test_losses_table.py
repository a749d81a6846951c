"""Every loss through one table: values and gradients against PyTorch or scikit-learn, extremes, chance, reading, text."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import rel_entr
from scipy.special import softmax as scipy_softmax
from sklearn.metrics import hinge_loss, mean_pinball_loss
from torch.nn import functional as tf

from kilter import losses
from kilter.core.errors import InputError

torch.set_num_threads(1)
# A few float32 operations of order one.
CLOSE = {"rtol": 1e-5, "atol": 2e-6}
DRAW = np.random.default_rng(0)
ROWS = 14
LOGITS = (DRAW.normal(size=(ROWS, 4)) * 3).astype(np.float32)
CLASSES = np.r_[DRAW.integers(0, 4, ROWS - 4), 0, 1, 2, 3].astype(np.int32)
HOT = np.eye(4, dtype=np.float32)[CLASSES]
SOFT = DRAW.dirichlet(np.ones(4), ROWS).astype(np.float32)
LABELS = (DRAW.random((ROWS, 4)) > 0.5).astype(np.float32)
NUMBERS = DRAW.normal(size=(ROWS, 4)).astype(np.float32)
COUNTS = DRAW.poisson(3.0, (ROWS, 2)).astype(np.float32)
PAIR = (np.arange(ROWS) % 3 == 0).astype(np.int32)
SHARES = (scipy_softmax(LOGITS, 1) * 1.7).astype(np.float32)  # not normalized: Keras's form does it
UNIT = DRAW.uniform(0.01, 0.99, (ROWS, 4)).astype(np.float32)
WEIGHTS = (0.5, 2.0, 1.0, 3.0)


def none(function, **given):
    return lambda outputs, targets: function(outputs, targets, reduction="none", **given)


def rows(function, **given):
    return lambda outputs, targets: function(outputs, targets, reduction="none", **given).mean(-1)


def smoothed_sigmoid(outputs, targets):
    return tf.binary_cross_entropy_with_logits(outputs, targets * 0.8 + 0.1, reduction="none").mean(-1)


def uneven_sigmoid(outputs, targets):
    weight = torch.tensor(2.5)
    return tf.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weight, reduction="none").mean(-1)


def weighted(outputs, targets):
    return tf.cross_entropy(outputs, targets, torch.tensor(WEIGHTS), reduction="none", label_smoothing=0.1)


def categorical(outputs, targets):
    p = (outputs / outputs.sum(-1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
    return tf.nll_loss(p.log(), targets, reduction="none")


def focal(outputs, targets):
    p = torch.softmax(outputs, -1).gather(1, targets[:, None])[:, 0]
    return -((1 - p) ** 1.5) * p.log()


def focal_binary(outputs, targets):
    p = torch.sigmoid(outputs[:, 0])
    p = torch.where(targets == 1, p, 1 - p)
    return -((1 - p) ** 1.5) * p.log()


def hinge(power):
    def run(outputs, targets):
        right = outputs.gather(1, targets[:, None])[:, 0]
        rival = outputs.masked_fill(tf.one_hot(targets, 4) == 1, -torch.inf).max(-1).values
        return torch.relu(0.7 + rival - right) ** power

    return run


def hinge_binary(outputs, targets):
    return torch.relu(0.7 - (2 * targets - 1) * outputs[:, 0])


def hinge_rest(margin, power=1):
    def run(outputs, targets):
        signs = 2.0 * tf.one_hot(targets, outputs.shape[1]) - 1
        return (torch.relu(margin - signs * outputs) ** power).sum(-1)

    return run


def counted(witness):
    """The number of those above zero as the value, with the gradient of their sum."""

    def run(outputs, targets):
        lacks = witness(outputs, targets)
        signs = 2.0 * (tf.one_hot(targets, 4) if outputs.shape[1] == 4 else targets[:, None]) - 1
        return (signs * outputs <= 0).sum(-1) + lacks - lacks.detach()

    return run


def kl(outputs, targets):
    return tf.kl_div(torch.log_softmax(outputs, -1), targets, reduction="none").sum(-1)


def quantile(outputs, targets):
    e = targets - outputs
    return torch.maximum(0.8 * e, -0.2 * e).mean(-1)


def gaussian(full):
    def run(outputs, targets):
        mean, spread = outputs[:, :2], outputs[:, 2:]
        return tf.gaussian_nll_loss(mean, targets, spread.exp(), full=full, eps=1e-12, reduction="none").mean(-1)

    return run


L = losses
# Loss, outputs, targets, witness in torch, number of classes (0: none).
TABLE = {
    "softmax": (L.SoftmaxCrossEntropy(), LOGITS, CLASSES, none(tf.cross_entropy), 4),
    "softmax, smoothed": (L.SoftmaxCrossEntropy(0.2), LOGITS, CLASSES, none(tf.cross_entropy, label_smoothing=0.2), 4),
    "softmax, soft": (L.SoftmaxCrossEntropy(0.2), LOGITS, SOFT, none(tf.cross_entropy, label_smoothing=0.2), 0),
    "softmax, weighted": (L.SoftmaxCrossEntropy(0.1, weights=WEIGHTS), LOGITS, CLASSES, weighted, 4),
    "sigmoid": (L.SigmoidCrossEntropy(), LOGITS, LABELS, rows(tf.binary_cross_entropy_with_logits), 0),
    "sigmoid, smoothed": (L.SigmoidCrossEntropy(0.2), LOGITS, LABELS, smoothed_sigmoid, 0),
    "sigmoid, uneven": (L.SigmoidCrossEntropy(positive=2.5), LOGITS, LABELS, uneven_sigmoid, 0),
    "categorical": (L.CategoricalCrossEntropy(), SHARES, CLASSES, categorical, 4),
    "binary": (L.BinaryCrossEntropy(), UNIT, LABELS, rows(tf.binary_cross_entropy), 0),
    "focal": (L.Focal(1.5), LOGITS, CLASSES, focal, 4),
    "focal, binary": (L.Focal(1.5), LOGITS[:, :1], PAIR, focal_binary, 2),
    "focal, none": (L.Focal(0.0), LOGITS, CLASSES, none(tf.cross_entropy), 4),
    "kl": (L.KL(), LOGITS, SOFT, kl, 0),
    "kl, classes": (L.KL(), LOGITS, CLASSES, none(tf.cross_entropy), 4),
    "hinge": (L.Hinge(0.7), LOGITS, CLASSES, hinge(1), 4),
    "hinge, squared": (L.Hinge(0.7, squared=True), LOGITS, CLASSES, hinge(2), 4),
    "hinge, binary": (L.Hinge(0.7), LOGITS[:, :1], PAIR, hinge_binary, 2),
    "hinge, rest": (L.Hinge(0.7, rest=True), LOGITS, CLASSES, hinge_rest(0.7), 4),
    "hinge, rest, squared": (L.Hinge(0.7, squared=True, rest=True), LOGITS, CLASSES, hinge_rest(0.7, 2), 4),
    "hinge, perceptron": (
        *(L.Hinge(0.0, rest=True, counted=True), LOGITS, CLASSES),
        *(counted(hinge_rest(0.0)), 4),
    ),
    "hinge, perceptron, binary": (
        *(L.Hinge(0.0, rest=True, counted=True), LOGITS[:, :1], PAIR),
        *(counted(lambda o, t: torch.relu((1 - 2 * t) * o[:, 0])), 2),
    ),
    "squared": (L.SquaredError(), LOGITS, NUMBERS, rows(tf.mse_loss), 0),
    "absolute": (L.AbsoluteError(), LOGITS, NUMBERS, rows(tf.l1_loss), 0),
    "huber": (L.Huber(0.6), LOGITS, NUMBERS, rows(tf.huber_loss, delta=0.6), 0),
    "quantile": (L.Quantile(0.8), LOGITS, NUMBERS, quantile, 0),
    "poisson": (L.Poisson(), LOGITS[:, :2], COUNTS, rows(tf.poisson_nll_loss), 0),
    "poisson, full": (L.Poisson(full=True), LOGITS[:, :2], COUNTS, rows(tf.poisson_nll_loss, full=True), 0),
    "gaussian": (L.GaussianLikelihood(), LOGITS, NUMBERS[:, :2], gaussian(False), 0),
    "gaussian, full": (L.GaussianLikelihood(full=True), LOGITS, NUMBERS[:, :2], gaussian(True), 0),
}


def case(function):
    return pytest.mark.parametrize("name", TABLE)(function)


def test_every_loss_is_in_the_table():
    assert {type(row[0]) for row in TABLE.values()} == set(losses.ALL)


def value_and_gradient(loss, outputs, targets):
    """Loss of each row, and the gradient of their sum."""

    @jax.jit
    def both(outputs):
        values, back = jax.vjp(lambda o: loss(o, jnp.asarray(targets)), outputs)
        return values, back(jnp.ones_like(values))[0]

    return (np.asarray(array) for array in both(jnp.asarray(outputs)))


@case
def test_values_and_gradients_against_torch(name):
    loss, outputs, targets, witness, _ = TABLE[name]
    x = torch.tensor(outputs, requires_grad=True)
    theirs = torch.tensor(targets).long() if targets.dtype == np.int32 else torch.tensor(targets)
    expected = witness(x, theirs)
    expected.sum().backward()
    values, gradient = value_and_gradient(loss, outputs, targets)
    assert values.shape == (ROWS,)
    np.testing.assert_allclose(values, expected.detach().numpy(), **CLOSE)
    # Gradients of Poisson and Gaussian losses reach e^9; there a few units in the last place are more than 2e-6.
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=2e-5, atol=5e-6)


def test_values_against_scikit_learn_and_scipy():
    found = losses.Hinge(1.0)(LOGITS, jnp.asarray(CLASSES)).mean()
    assert found == pytest.approx(hinge_loss(CLASSES, LOGITS), rel=1e-5)
    found = losses.Quantile(0.3)(LOGITS[:, :1], jnp.asarray(NUMBERS[:, 0])).mean()
    assert found == pytest.approx(mean_pinball_loss(NUMBERS[:, 0], LOGITS[:, 0], alpha=0.3), rel=1e-5)
    expected = rel_entr(SOFT.astype(float), scipy_softmax(LOGITS.astype(float), 1)).sum(1)
    np.testing.assert_allclose(losses.KL()(LOGITS, jnp.asarray(SOFT)), expected, **CLOSE)


EXTREMES = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4], [0, 0], [1e4, 0], [-1e4, 0]], np.float32)


@case
def test_finite_at_extreme_outputs(name):
    loss, outputs, targets, _, _ = TABLE[name]
    extremes = np.tile(EXTREMES, (2, 2))[:, : outputs.shape[1]]
    values, gradient = value_and_gradient(loss, extremes, targets)
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()
    assert np.isfinite(np.asarray(loss.read(jnp.asarray(extremes), False))).all()


# Losses on logits grow straight, so that float64 tells what they must be.
@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (losses.SoftmaxCrossEntropy(), [0.0, 2e4, np.log(2)]),
        (losses.SoftmaxCrossEntropy(0.5), [0.25 * 2e4, 0.75 * 2e4, np.log(2)]),
        (losses.Focal(2.0), [0.0, 2e4, np.log(2) / 4]),
        (losses.KL(), [0.0, 2e4, np.log(2)]),
        (losses.Hinge(1.0), [0.0, 20001.0, 1.0]),
    ],
)
def test_exact_at_extreme_logits(loss, expected):
    values, _ = value_and_gradient(loss, EXTREMES[:3], np.zeros(3, np.int32))
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-9)


def to_probabilities(name):
    """Constants in a space without bounds: what the loss on probabilities is handed."""
    if name == "categorical":
        return jax.nn.softmax
    return jax.nn.sigmoid if name == "binary" else lambda constant: constant


@case
def test_chance_is_the_minimum_over_constants(name):
    loss, outputs, targets, _, classes = TABLE[name]
    onto = to_probabilities(name)

    @jax.jit
    def mean(constant):
        return loss(jnp.broadcast_to(onto(constant), outputs.shape), jnp.asarray(targets)).mean()

    both = jax.jit(jax.value_and_grad(mean))

    def objective(constant):
        value, slope = both(jnp.asarray(constant, jnp.float32))
        return float(value), np.asarray(slope, float)

    starts = [np.zeros(outputs.shape[1]), np.linspace(-0.5, 0.5, outputs.shape[1])]
    smooth = [minimize(objective, start, jac=True, tol=1e-7).fun for start in starts]
    # Kinks stop a method of gradients, but not those that only compare; Powell's takes one output at a time.
    bent = name.startswith(("hinge", "absolute", "quantile"))
    if bent:
        compare = {"maxiter": 1500, "xatol": 1e-5, "fatol": 1e-7}
        smooth += [minimize(lambda c: float(mean(c)), s, method="Nelder-Mead", options=compare).fun for s in starts]
        smooth += [minimize(lambda c: float(mean(c)), starts[0], method="Powell").fun]
    chance = loss.chance(targets, classes)
    # float32 losses of order one, and for kinks the steps of Nelder and Mead.
    assert chance == pytest.approx(min(smooth), abs=3e-3 if bent else 2e-5)
    assert chance <= min(smooth) + 1e-5


@case
def test_outputs_fit_and_others_are_named(name):
    loss, outputs, targets, _, classes = TABLE[name]
    assert outputs.shape[1] in loss.outputs(targets, classes)
    assert all(count >= 1 for count in loss.outputs(targets, classes))


@pytest.mark.parametrize(
    ("loss", "targets", "classes", "message"),
    [
        (losses.CategoricalCrossEntropy(), LABELS, 0, "needs classes or rows of shares that sum to one"),
        (losses.Focal(), LABELS, 0, "needs classes or rows of shares that sum to one"),
        (losses.Hinge(), NUMBERS, 0, "needs classes or rows of shares that sum to one"),
        (losses.Hinge(), NUMBERS[:, 0], 0, "needs targets from 0 to 1"),
        (losses.KL(), NUMBERS[:, :1], 0, "needs classes, but the targets are numbers"),
        (losses.BinaryCrossEntropy(), NUMBERS * 5, 0, "needs targets from 0 to 1, got -"),
        (losses.Poisson(), NUMBERS, 0, "needs counts, but a target is -"),
        (losses.Poisson(), CLASSES, 4, "needs numbers, but the targets are 4 classes"),
        (losses.GaussianLikelihood(), CLASSES, 4, "needs numbers, but the targets are 4 classes"),
        (losses.SoftmaxCrossEntropy(weights=(1.0, 2.0)), CLASSES, 4, "weights must be 4 numbers"),
        (losses.SoftmaxCrossEntropy(weights=2.0), CLASSES, 4, "weights must be 4 numbers"),
    ],
)
def test_targets_that_cannot_be_are_refused(loss, targets, classes, message):
    with pytest.raises(InputError, match=message):
        loss.outputs(targets, classes)


@case
def test_reading_gives_probabilities_or_values(name):
    loss, outputs, targets, _, classes = TABLE[name]
    read = np.asarray(loss.read(jnp.asarray(outputs), bool(classes)))
    if classes:
        assert read.shape == (ROWS, classes)
        assert ((read >= 0) & (read <= 1)).all()
        np.testing.assert_allclose(read.sum(1), 1, rtol=1e-5)
    else:
        assert read.shape == np.shape(targets)
        assert np.isfinite(read).all()


@pytest.mark.parametrize("kind", [losses.Focal, losses.Hinge])
def test_one_output_is_the_difference_of_two(kind):
    two = LOGITS[:, :2]
    one = two[:, 1:] - two[:, :1]
    np.testing.assert_allclose(kind()(one, jnp.asarray(PAIR)), kind()(two, jnp.asarray(PAIR)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(kind().read(one, True), kind().read(two, True), rtol=1e-4, atol=1e-6)


@case
def test_numbers_may_be_traced(name):
    loss, outputs, targets, _, _ = TABLE[name]
    expected = loss(jnp.asarray(outputs), jnp.asarray(targets))
    stacked = jax.tree.map(lambda leaf: jnp.stack([jnp.float32(leaf)] * 2), loss)
    members = jax.vmap(lambda one, o: one(o, jnp.asarray(targets)))(stacked, jnp.stack([outputs] * 2))
    np.testing.assert_allclose(members[1], expected, rtol=1e-5, atol=1e-6)


@case
def test_text_and_json_round_trips(name):
    loss = TABLE[name][0]
    assert eval(repr(loss), {"losses": losses}) == loss
    assert losses.Loss.from_json(loss.to_json()) == loss


@pytest.mark.parametrize("kind", losses.ALL)
def test_the_catalog_says_what_it_is(kind):
    assert all(vars(kind)[text] for text in ("formula", "source", "choose"))
    assert kind() == kind.build(**{name: getattr(kind(), name) for name in kind._specs})
