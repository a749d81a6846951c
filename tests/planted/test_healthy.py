"""Healthy trainings, among them many that crude rules flag: nothing is found on them, with seeds 0 to 2."""

import numpy as np
import pytest
from planted_charts import EXAMINE, chart_of
from planted_faults import DIGITS, classes
from planted_faults import X as FOUR
from planted_faults import Y as WAVE

import kilter as kl
from kilter import losses, nn, optim
from kilter.doctor import Severity
from kilter.nn import initializers as draws

pytestmark = pytest.mark.filterwarnings("ignore::kilter.core.errors.DoubtWarning")
SOFTMAX, SIGMOID = losses.SoftmaxCrossEntropy(), losses.SigmoidCrossEntropy()
STANDARD = kl.data.Standardize()


def recipe(loss, *layers, optimizer=None, batch_size=32, epochs=30, **given):
    optimizer = optimizer or optim.Adam(3e-3)
    return kl.Recipe(nn.Chain(*layers), loss, optimizer=optimizer, batch_size=batch_size, epochs=epochs, **given)


def images():
    whole = kl.data.digits(seed=0, images=True)
    held = whole.validation
    return kl.data.from_arrays(whole.train.x[:600], whole.train.y[:600], validation=(held.x, held.y))


def sequences():
    """Whether a walk of eight steps ends above zero."""
    steps = np.random.default_rng(0).normal(size=(500, 8, 1))
    return kl.data.from_arrays(steps, (steps.sum((1, 2)) > 0).astype(int), validation=0.3)


def several():
    """Three labels of a row, any of which may be on."""
    x = np.random.default_rng(1).normal(size=(500, 6))
    y = np.stack([x[:, 0] > 0, x[:, 1] + x[:, 2] > 0.5, x[:, 3] > -0.5], 1)
    return kl.data.from_arrays(x, y.astype(np.float32), validation=0.3, task="labels")


def uneven():
    """Three rows of one class for each of the other; inputs with heavy tails, standardized."""
    rng = np.random.default_rng(2)
    y = (np.arange(600) % 4 == 0).astype(int)
    x = rng.standard_t(3, size=(600, 5)) / np.sqrt(3) + 3.0 * y[:, None] * np.array([1, -1, 1, 0, 0])
    return kl.data.from_arrays(x, y, validation=0.3)


def line(bounded=False):
    """A curve over one number; or one within -0.9 and 0.9."""
    x = np.linspace(-1.7, 1.7, 400)[np.random.default_rng(3).permutation(400)]
    y = np.sin(2 * x) + 0.05 * np.random.default_rng(4).normal(size=400)
    return kl.data.from_arrays(x[:, None], np.clip(0.9 * y, -0.9, 0.9) if bounded else y, validation=0.3)


def mixed():
    """Rows in random order, and none held out."""
    return kl.data.from_arrays(FOUR, WAVE, validation=0.0)


def norm(units):
    return nn.Dense(units, bias=True), nn.BatchNorm(), nn.ReLU()


ADAM, CALM = optim.Adam(0.01), optim.Adam(1e-3)
COSINE = optim.SGD(optim.Cosine(0.05), momentum=0.9, nesterov=True)
BLOCK = nn.Residual(nn.Chain(nn.LayerNorm(), nn.Dense(32), nn.ELU(), nn.Dense(32)))
HE = draws.HeUniform()
ALL = {
    "sparse rectifiers": (classes(bias=-0.2), DIGITS),
    "converged long ago": (classes(epochs=150), DIGITS),
    "batches of eight": (classes(lr=0.03, batch_size=8), DIGITS),
    "momentum, schedule, little decay": (
        recipe(SOFTMAX, nn.Dense(32), nn.ReLU(), nn.Dense(10), optimizer=COSINE, penalty=losses.L2(1e-4)),
        DIGITS,
    ),
    "dropout of 0.6": (
        recipe(SOFTMAX, nn.Dense(256), nn.ReLU(), nn.Dropout(0.6), nn.Dense(10), optimizer=CALM),
        DIGITS,
    ),
    "ten layers": (recipe(SOFTMAX, *(10 * (nn.Dense(64), nn.ReLU())), nn.Dense(10), optimizer=CALM, epochs=40), DIGITS),
    "biases in front of batch norms": (recipe(SOFTMAX, *norm(64), *norm(64), nn.Dense(10)), DIGITS),
    "probabilities and squashed outputs": (
        recipe(
            losses.CategoricalCrossEntropy(),
            *(nn.Dense(64, initializer=HE), nn.Sigmoid(), nn.Dense(10), nn.Softmax()),
            optimizer=ADAM,
            epochs=40,
        ),
        DIGITS,
    ),
    "convolutions": (
        recipe(
            SOFTMAX,
            *(nn.Conv(8, bias=True), nn.BatchNorm(), nn.ReLU(), nn.MaxPool(2), nn.Conv(16), nn.ReLU(), nn.MaxPool(2)),
            *(nn.Flatten(), nn.Dense(10)),
        ),
        images(),
    ),
    "residual blocks": (recipe(SOFTMAX, nn.Dense(32), BLOCK, BLOCK, nn.Dense(10), optimizer=CALM), DIGITS),
    "a recurrent layer": (recipe(SIGMOID, nn.LSTM(8), nn.Dense(1), optimizer=ADAM), sequences()),
    "several labels": (recipe(SIGMOID, nn.Dense(32), nn.ReLU(), nn.Dense(3)), several()),
    "classes of 1 to 3, tails": (recipe(SIGMOID, nn.Dense(16), nn.Tanh(), nn.Dense(1)), uneven()),
    "raw iris, one row at a time": (
        recipe(SOFTMAX, nn.Dense(16), nn.ReLU(), nn.Dense(3), batch_size=1, optimizer=CALM),
        kl.data.iris(),
    ),
    "wine": (recipe(SOFTMAX, nn.Dense(32), nn.SELU(), nn.Dense(3), inputs=STANDARD), kl.data.wine()),
    "tumors": (recipe(SIGMOID, nn.Dense(32), nn.GELU(), nn.Dense(1), inputs=STANDARD), kl.data.breast_cancer()),
    "one feature, a robust loss": (
        recipe(losses.Huber(), nn.Dense(32), nn.ReLU(), nn.Dense(32), nn.ReLU(), nn.Dense(1), epochs=80),
        line(),
    ),
    "bounded outputs, bounded targets": (
        recipe(
            losses.SquaredError(),
            *(nn.Dense(32), nn.Tanh(), nn.Dense(32), nn.Tanh(), nn.Dense(1), nn.Tanh()),
            optimizer=ADAM,
            epochs=80,
        ),
        line(bounded=True),
    ),
    "nothing held out, not shuffled": (
        recipe(
            losses.SquaredError(),
            *(nn.Dense(64), nn.ReLU(), nn.Dense(64), nn.ReLU(), nn.Dense(1)),
            optimizer=optim.Adam(optim.Cosine(5e-3)),
            epochs=80,
            shuffle=False,
        ),
        mixed(),
    ),
}


# Those that are trained; each takes some seconds for programs of its own.
TRAINED = (
    *(
        "sparse rectifiers",
        "converged long ago",
        "batches of eight",
        "momentum, schedule, little decay",
        "dropout of 0.6",
    ),
    *("convolutions", "a recurrent layer", "classes of 1 to 3, tails", "raw iris, one row at a time", "wine"),
    *("bounded outputs, bounded targets", "nothing held out, not shuffled"),
)


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_seen_in_design_and_rows(name):
    """Not even what would count only if the training went badly."""
    chart = chart_of(*ALL[name])
    assert not [each for _, each in EXAMINE.seen(chart) if each.severity is not Severity.NOTE]


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_nothing_is_found(name):
    check = kl.examine(*ALL[name])
    assert check.verdict == "healthy", f"{name}, seeds {check.chart.course.seeds}:\n{check}"
