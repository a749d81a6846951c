"""Every remedy heals the fault that it is for: planted on small data, in the median of three seeds."""

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.doctor import remedies
from kilter.nn import initializers as draws

SEEDS = (0, 1, 2)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::kilter.core.errors.DoubtWarning")]


def quadrants(rows=320, scale=1.0):
    """Whether two numbers have the same sign: no line separates that."""
    x = np.random.default_rng(1).uniform(-1, 1, (rows, 2))
    return kl.data.from_arrays(scale * x, (x[:, 0] * x[:, 1] > 0).astype(int))


def plane(scale=1.0, offset=0.0, outliers=0):
    """A smooth function of three numbers; outliers are in the training rows alone."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 3))
    y = scale * (x[:, 0] + np.sin(2 * x[:, 1]) + 0.05 * rng.normal(size=400)) + offset
    y[:outliers] += 200 * scale
    return kl.data.from_arrays(x[:300], y[:300], validation=(x[300:], y[300:]))


QUADRANTS = quadrants()


def deep(count, activation, initializer=None):
    return tuple(layer for _ in range(count) for layer in (nn.Dense(8, initializer=initializer), activation))


RELU, TANH = (deep(4, activation, draws.Normal(0.05)) for activation in (nn.ReLU(), nn.Tanh()))
SIGMOID = deep(8, nn.Sigmoid())


def classes(*hidden, optimizer=None, loss=None, units=2, tail=(), **given):
    settings = {"batch_size": 32, "epochs": 40} | given
    net = nn.Chain(*hidden, nn.Dense(units), *tail)
    return kl.Recipe(net, loss or losses.SoftmaxCrossEntropy(), optimizer=optimizer or optim.Adam(0.01), **settings)


def numbers(optimizer=None, **given):
    net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(1))
    return kl.Recipe(net, losses.SquaredError(), optimizer=optimizer or optim.Adam(0.01), epochs=40, **given)


HIDDEN = (nn.Dense(16), nn.ReLU())
ALIKE = (nn.Dense(16, initializer=draws.Constant(0.1)), nn.ReLU())
BINARY = {"loss": losses.BinaryCrossEntropy(), "units": 1, "tail": (nn.Softmax(),)}
# Remedy: what it heals.
ON_QUADRANTS = {
    "output:logits": classes(*HIDDEN, **BINARY),
    "output:activation": classes(*HIDDEN, **BINARY),
    "learning_rate:absolute": classes(*HIDDEN, optimizer=optim.Adam(-0.01)),
    "learning_rate:usual": classes(*HIDDEN, optimizer=optim.SGD(1e-4)),
    "learning_rate:x0.01": classes(*HIDDEN, optimizer=optim.Adam(30.0)),
    "learning_rate:x0.1": classes(*HIDDEN, optimizer=optim.SGD(3.0, momentum=0.9)),
    "learning_rate:x10": classes(*HIDDEN, optimizer=optim.Adam(3e-4)),
    "learning_rate:x100": classes(*HIDDEN, optimizer=optim.Adam(1e-4)),
    "learning_rate:range_test": classes(*HIDDEN, optimizer=optim.Adam(1e-5)),
    "optimizer:adam": classes(*HIDDEN, *HIDDEN, optimizer=optim.SGD(1e-3)),
    "optimizer:momentum": classes(*HIDDEN, *HIDDEN, optimizer=optim.SGD(1e-3)),
    "initializer:matched": classes(*ALIKE, *ALIKE),
    "initializer:lsuv": classes(*TANH),
    "activation:relu": classes(*SIGMOID, optimizer=optim.Adam(3e-3)),
    "activation:tanh": classes(*SIGMOID, optimizer=optim.Adam(3e-3)),
    "missing_activation": classes(nn.Dense(16), nn.Dense(16)),
    "batch_norm": classes(*RELU),
    "layer_norm": classes(*RELU),
    "residual": classes(*SIGMOID, optimizer=optim.Adam(3e-3)),
    "depth:3": classes(*SIGMOID, optimizer=optim.Adam(3e-3)),
    "depth:+1": classes(),
    "width:x4": classes(nn.Dense(2), nn.ReLU()),
    "width:64": classes(nn.Dense(2), nn.ReLU()),
    "dropout:none": classes(*HIDDEN, nn.Dropout(0.95)),
    "dropout:half": classes(*HIDDEN, nn.Dropout(0.99)),
    "decay:none": classes(*HIDDEN, penalty=losses.L2(1.0)),
    "decay:x0.01": classes(*HIDDEN, optimizer=optim.Adam(0.01, weight_decay=10.0)),
    "epochs:x10": classes(*HIDDEN, epochs=2),
    "batch_size:/16": classes(*HIDDEN, batch_size=256, epochs=10),
}
ELSEWHERE = {
    "inputs:standardize": (classes(*HIDDEN, optimizer=optim.SGD(0.1)), quadrants(scale=1e-3)),
    "targets:standardize": (numbers(optim.SGD(0.05)), plane(1e4, 5e4)),
    "clip": (numbers(optim.SGD(0.05)), plane(100.0)),
    "loss:huber": (numbers(), plane(outliers=20)),
}


@pytest.fixture(scope="module")
def on_quadrants():
    """Scores before and after, by remedy, all trained in one fleet."""
    pairs = {name: (recipe, _only(name, recipe, QUADRANTS)(recipe)) for name, recipe in ON_QUADRANTS.items()}
    recipes = list(dict.fromkeys(recipe for pair in pairs.values() for recipe in pair))
    runs = kl.train_fleet(recipes, QUADRANTS, seeds=SEEDS, progress=False)
    medians = np.median(np.nan_to_num([run.score for run in runs]).reshape(-1, len(SEEDS)), axis=1)
    scores = dict(zip(recipes, medians.tolist(), strict=True))
    return {name: (scores[before], scores[after]) for name, (before, after) in pairs.items()}


def _only(name, recipe, data):
    (remedy,) = remedies.of(recipe, data, [name])
    return remedy


@pytest.mark.parametrize("name", ON_QUADRANTS)
def test_it_heals(name, on_quadrants):
    before, after = on_quadrants[name]
    assert after > before + 0.1, (before, after)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_it_heals_elsewhere(name):
    recipe, data = ELSEWHERE[name]
    runs = kl.train_fleet([recipe, _only(name, recipe, data)(recipe)], data, seeds=SEEDS, progress=False)
    before, after = np.median(np.nan_to_num([run.score for run in runs], nan=-9.0).reshape(2, len(SEEDS)), axis=1)
    assert after > before + 0.1, (before, after)
    assert after > 0.5


def test_a_falling_rate_settles():
    """Without validation rows the last epoch counts; a rate that stays high keeps its loss above what it could be."""
    data = kl.data.from_arrays(plane().train.x, plane().train.y, validation=0)
    recipe = numbers(optim.SGD(0.15))
    runs = kl.train_fleet([recipe, _only("schedule", recipe, data)(recipe)], data, seeds=SEEDS, progress=False)
    before, after = np.median(np.reshape([run.history["loss"][-1] for run in runs], (2, -1)), axis=1)
    assert after < 0.8 * before


def test_a_new_order_learns_from_sorted_rows():
    iris = kl.data.iris()
    order = np.argsort(iris.train.y, kind="stable")
    held = iris.validation
    data = kl.data.from_arrays(iris.train.x[order], iris.train.y[order], validation=(held.x, held.y))
    recipe = classes(*HIDDEN, units=3, optimizer=optim.SGD(3.0), batch_size=16, epochs=10, shuffle=False)
    recipe = recipe.replace(inputs=kl.data.Standardize())
    runs = kl.train_fleet([recipe, _only("shuffle", recipe, data)(recipe)], data, seeds=SEEDS, progress=False)
    before, after = np.median(np.reshape([run.score for run in runs], (2, -1)), axis=1)
    assert after > before + 0.1


@pytest.mark.parametrize("loss", [losses.SoftmaxCrossEntropy(), losses.SigmoidCrossEntropy()])
def test_weights_make_rare_classes_count(loss):
    rng = np.random.default_rng(3)
    y = (np.arange(600) % 25 == 0).astype(int)
    data = kl.data.from_arrays(rng.normal(size=(600, 2)) + y[:, None], y)
    recipe = classes(loss=loss, units=2 if isinstance(loss, losses.SoftmaxCrossEntropy) else 1)
    for each, least, most in ((recipe, 0.0, 0.5), (_only("class_weights", recipe, data)(recipe), 0.6, 1.0)):
        run = kl.train(each.replace(metric=kl.metrics.LogLoss()), data, progress=False)
        found = run.predict(data.train.x)[data.train.y == 1].mean()
        assert least <= found <= most
