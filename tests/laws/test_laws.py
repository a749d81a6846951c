"""Laws of training: what must hold between runs, whatever the numbers."""

import os
import signal
import threading

import jax
import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.keys import named
from kilter.train import fleet as engine
from kilter.train.order import permutation
from kilter.train.program import held

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(50, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] ** 2 + 0.3 * DRAW.normal(size=50) > 0.5).astype(int) + (X[:, 2] > 1)
DATA = kl.data.from_arrays(X, Y, seed=0)  # 40 rows to train on, 10 to validate
IMAGES = kl.data.from_arrays(DRAW.normal(size=(30, 6, 6, 1)), np.arange(30) % 3, seed=0)
DENSE = nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
CONV = nn.Chain(nn.Conv(4), nn.ReLU(), nn.MaxPool(), nn.Flatten(), nn.Dense(3))
# The same sums in another order, over some dozens of updates in float32.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def recipe(net, lr=0.05, **given):
    given = {"optimizer": optim.SGD(lr, momentum=0.9), "epochs": 6, "batch_size": 16} | given
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), **given)


def train(recipe, data=DATA, seed=0):
    return kl.train(recipe, data, seed=seed, progress=False)


def train_fleet(recipes, data=DATA, seeds=(0,)):
    return kl.train_fleet(recipes, data, seeds=seeds, progress=False)


def assert_identical(a, b):
    """Bit for bit."""
    assert (a.outcome, a.epoch, a.metrics) == (b.outcome, b.epoch, b.metrics)
    jax.tree.map(np.testing.assert_array_equal, (a.history, a.params, a.state), (b.history, b.params, b.state))


def assert_same_run(a, b):
    """Equal within rounding, with equal decisions."""
    assert (a.recipe, a.seed, a.outcome, a.epoch) == (b.recipe, b.seed, b.outcome, b.epoch)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **CLOSE), (a.history, a.params), (b.history, b.params))


@pytest.fixture(scope="module")
def alone():
    return train(recipe(DENSE))


def test_the_same_seed_gives_the_same_run(alone):
    assert_identical(alone, train(recipe(DENSE)))


def test_another_seed_gives_another_run(alone):
    other = train(recipe(DENSE), seed=1)
    assert not np.array_equal(alone.params[0]["kernel"], other.params[0]["kernel"])
    assert not np.array_equal(alone.history["loss"], other.history["loss"])


def test_a_saved_run_predicts_the_same(alone, tmp_path):
    again = kl.load(alone.save(tmp_path / "run"))
    assert_identical(alone, again)
    np.testing.assert_array_equal(alone.predict_proba(X), again.predict_proba(X))
    assert again.score == alone.score


@pytest.mark.parametrize(("net", "x"), [(DENSE, X[:5]), (CONV, IMAGES.train.x[:5])], ids=["dense", "conv"])
@pytest.mark.parametrize("key", [None, jax.random.key(3)], ids=["inference", "training"])
def test_jit_equals_eager(net, x, key):
    params, state = jax.jit(lambda k: net.init(k, x.shape[1:]))(jax.random.key(0))
    eager = net.apply(params, state, x, key=key)
    compiled = jax.jit(lambda p, s, x: net.apply(p, s, x, key=key))(params, state, x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), eager, compiled)


def test_other_numbers_need_no_compile(alone):
    before = held()
    numbers = recipe(
        DENSE.put("layers[3].rate", 0.5).put("layers[1].momentum", 0.5), optimizer=optim.SGD(0.01, momentum=0.1)
    )
    train(numbers, seed=7)
    assert held() == before
    train(recipe(DENSE.put("layers[0].units", 9)))
    assert held() == before + 1


def test_numbers_matter_without_a_compile(alone):
    """Each number of a recipe reaches the compiled program, momentum and decays among them."""
    for path, value in {
        "optimizer.lr": 0.01,
        "optimizer.momentum": 0.1,
        "net.layers[1].momentum": 0.5,
        "net.layers[1].epsilon": 1.0,
        "net.layers[3].rate": 0.6,
    }.items():
        other = train(recipe(DENSE).put(path, value))
        assert not np.array_equal(other.history["val_loss"], alone.history["val_loss"]), path


def initial(net, shape=(4,)):
    return jax.jit(lambda key: net.init(key, shape))(jax.random.key(5))[0]


BASE = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(6), nn.ReLU(), nn.Dense(3))
GROWN = {
    "batch norm": ((nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dense(6), nn.ReLU(), nn.Dense(3)), [0, 3, 5]),
    "dropout": ((nn.Dense(8), nn.ReLU(), nn.Dropout(0.5), nn.Dense(6), nn.ReLU(), nn.Dense(3)), [0, 3, 5]),
    "both": ((nn.Dropout(), nn.Dense(8), nn.ReLU(), nn.Dense(6), nn.BatchNorm(), nn.ReLU(), nn.Dense(3)), [1, 3, 6]),
    "a dense layer within": (
        (nn.Dense(8), nn.ReLU(), nn.Dense(8), nn.ReLU(), nn.Dense(6), nn.ReLU(), nn.Dense(3)),
        [0, 4, 6],
    ),
    "a dense layer behind": ((nn.Dense(8), nn.ReLU(), nn.Dense(6), nn.ReLU(), nn.Dense(3), nn.Dense(3)), [0, 2, 4]),
}


@pytest.mark.parametrize("case", GROWN)
def test_adding_a_layer_changes_no_other_layers_weights(case):
    layers, places = GROWN[case]
    before, after = initial(BASE), initial(nn.Chain(*layers))
    for mine, place in zip((0, 2, 4), places, strict=True):
        # The same draws; a compiler may round the scale of the weights once more.
        # A bias in front of a batch norm is left out.
        for name in after[place]:
            np.testing.assert_allclose(before[mine][name], after[place][name], rtol=1e-5, atol=1e-7)


def test_equal_layers_draw_different_weights():
    params = initial(nn.Chain(nn.Dense(4), nn.Dense(4), nn.Residual(nn.Dense(4), nn.Dense(4))))
    kernels = [params[0], params[1], params[2]["body"], params[2]["shortcut"]]
    for i, one in enumerate(kernels):
        for other in kernels[:i]:
            assert not np.array_equal(one["kernel"], other["kernel"])


@pytest.mark.parametrize(("net", "data"), [(DENSE, DATA), (CONV, IMAGES)], ids=["mlp by vmap", "conv net by map"])
def test_a_fleet_member_equals_its_solo_run(net, data):
    rates = [0.02, 0.05, 0.1]
    together = train_fleet([recipe(net, lr) for lr in rates], data, seeds=[0, 3])
    smaller = train_fleet([recipe(net, lr) for lr in rates[:2]], data, seeds=[0])
    assert [(run.recipe.optimizer.lr, run.seed) for run in together] == [(lr, seed) for lr in rates for seed in (0, 3)]
    assert_same_run(together[0], smaller[0])
    assert_same_run(together[2], smaller[1])
    assert_same_run(together[2], train(recipe(net, 0.05), data))
    assert_same_run(together[3], train(recipe(net, 0.05), data, seed=3))


def test_recipes_of_other_structure_in_one_call_change_nothing(alone):
    runs = train_fleet([recipe(BASE, epochs=2), recipe(DENSE), recipe(DENSE, batch_size=40, epochs=1)])
    assert [run.recipe.epochs for run in runs] == [2, 6, 1]
    assert_identical(runs[1], alone)


def test_a_diverging_member_leaves_its_neighbors_alone():
    rates = [0.05, 1e30, 0.02]
    runs = train_fleet([recipe(BASE, lr, optimizer=optim.SGD(lr)) for lr in rates])
    healthy = train_fleet([recipe(BASE, lr, optimizer=optim.SGD(lr)) for lr in [0.05, 0.03, 0.02]])
    assert [run.outcome for run in runs] == [kl.Outcome.FINISHED, kl.Outcome.DIVERGED, kl.Outcome.FINISHED]
    assert np.isnan(runs[1].score)
    assert len(runs[1].history["loss"]) < 6
    for index in (0, 2):
        assert_identical(runs[index], healthy[index])
        assert np.isfinite(runs[index].score)


NUMBERS = kl.data.from_arrays(X, X[:, 0] * 3 + 1, seed=0)


def regression(lr, epochs):
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(1))
    given = {"optimizer": optim.SGD(lr), "epochs": epochs, "targets": kl.data.Standardize()}
    return train(kl.Recipe(net, losses.SquaredError(), **given), NUMBERS)


@pytest.mark.parametrize("lr", [1e10, 1e30])
def test_a_diverging_regression_is_an_outcome(lr):
    run = regression(lr, 4)
    assert run.outcome is kl.Outcome.DIVERGED
    assert np.isnan(run.score)


def test_measuring_errors_beyond_the_root_of_float32_warns_of_nothing():
    run = regression(0.01, 4)
    measured = run.evaluate(X, np.full(50, 3e38))
    assert measured["r2"] <= 0


def test_early_stopping_keeps_the_best_epoch():
    patient = recipe(BASE, 0.2, stopping=kl.EarlyStopping(3), epochs=80)
    run = train(patient)
    scores = run.history["val_accuracy"]
    assert run.outcome is kl.Outcome.STOPPED_EARLY
    assert len(scores) == run.epoch + 3 < 80
    assert run.score == pytest.approx(scores.max(), rel=1e-6)
    assert scores[run.epoch - 1] == scores.max()
    # The kept weights are those of that epoch: a run that ends there has the same.
    jax.tree.map(np.testing.assert_array_equal, run.params, train(patient.replace(epochs=run.epoch)).params)
    # And what the history holds is what the same recipe gives without stopping.
    free = train(patient.replace(stopping=None, epochs=len(scores)))
    np.testing.assert_allclose(free.history["loss"], run.history["loss"], rtol=1e-5)


def test_an_improvement_below_min_delta_does_not_count():
    run = train(recipe(BASE, 0.05, stopping=kl.EarlyStopping(2, min_delta=1.0), epochs=80))
    assert (run.outcome, run.epoch, len(run.history["loss"])) == (kl.Outcome.STOPPED_EARLY, 1, 3)


def test_a_member_that_stops_leaves_the_others_going():
    patient = recipe(BASE, 0.2, stopping=kl.EarlyStopping(3), epochs=30)
    still = patient.put("stopping.patience", 100)
    stopped, going = train_fleet([patient, still])
    assert stopped.outcome is kl.Outcome.STOPPED_EARLY
    assert (going.outcome, len(going.history["loss"])) == (kl.Outcome.FINISHED, 30)
    count = len(stopped.history["loss"])
    assert count < 30
    np.testing.assert_array_equal(stopped.history["loss"], going.history["loss"][:count])


LINEAR = nn.Chain(nn.Dense(3))


def by_hand(x, y, weights, batch, epochs, lr, seed=0):
    """Gradient descent on a linear softmax model in float64, each batch the mean over its real rows alone."""
    params = jax.jit(lambda k: LINEAR.init(named(k, "init"), x.shape[1:]))(jax.random.key(seed))[0][0]
    kernel, bias = np.asarray(params["kernel"], float), np.asarray(params["bias"], float)
    weights = np.ones(len(x)) if weights is None else weights / weights.mean()
    for epoch in range(epochs):
        order = permutation(seed, epoch, len(x))
        for start in range(0, len(x), batch):
            rows = order[start : start + batch]
            logits = x[rows] @ kernel + bias
            shares = np.exp(logits - logits.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            slope = (shares - np.eye(3)[y[rows]]) * weights[rows, None] / len(rows)
            kernel, bias = kernel - lr * x[rows].T @ slope, bias - lr * slope.sum(0)
    return {"kernel": kernel, "bias": bias}


def plain_data(x=X, y=Y, weights=None):
    return kl.data.from_arrays(x, y, validation=0, weights=weights)


@pytest.mark.parametrize("batch", [7, 25, 49, 50, 64, 10**9])
@pytest.mark.parametrize("weighted", [False, True])
def test_epochs_equal_a_loop_by_hand_also_where_batches_do_not_divide_the_rows(batch, weighted):
    weights = np.random.default_rng(1).random(50).astype(np.float32) if weighted else None
    linear = recipe(LINEAR, optimizer=optim.SGD(0.3), batch_size=batch, epochs=2)
    found = train(linear, plain_data(weights=weights)).params[0]
    expected = by_hand(X, Y, weights, batch, 2, 0.3)
    for name, value in expected.items():
        # Float32 against float64 over at most 16 updates.
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5)


def test_a_weight_of_two_is_a_row_given_twice():
    twice = np.arange(50) % 3 == 0
    full = recipe(BASE, optimizer=optim.SGD(0.3), batch_size=1000, epochs=4)
    weighted = train(full, plain_data(weights=np.where(twice, 2.0, 1.0)))
    doubled = train(full, plain_data(np.vstack([X, X[twice]]), np.hstack([Y, Y[twice]])))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE), weighted.params, doubled.params)
    for name in ("loss", "accuracy", "log_loss"):
        assert weighted.metrics[name] == pytest.approx(doubled.metrics[name], rel=1e-4)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_validation_rows_that_weigh_nothing():
    weights = np.r_[np.ones(5), np.zeros(45)]
    splits = (kl.data.from_arrays(X, Y, weights=weights, seed=seed) for seed in range(50))
    data = next(split for split in splits if split.validation.weights is None)  # they then count alike
    run = train(recipe(LINEAR, epochs=1), data)
    assert run.outcome is kl.Outcome.FINISHED


def test_no_epochs_give_the_initial_weights():
    run = train(recipe(BASE, epochs=0))
    assert (run.outcome, run.epoch) == (kl.Outcome.FINISHED, 0)
    assert {name: len(column) for name, column in run.history.items()} == dict.fromkeys(run.history, 0)
    assert 0 <= run.score <= 1
    fresh = jax.jit(lambda k: BASE.init(named(k, "init"), (4,)))(jax.random.key(0))[0]
    # The same draws; a compiler may round the scale of the weights once more.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), run.params, fresh)


def test_a_schedule_left_open_spans_the_run():
    cosine = train(recipe(LINEAR, optimizer=optim.SGD(optim.Cosine(0.1)), epochs=5, batch_size=40))
    expected = [0.05 * (1 + np.cos(np.pi * step / 5)) for step in range(5)]
    np.testing.assert_allclose(cosine.history["lr"], expected, rtol=1e-5)


def test_the_score_is_the_deciding_metric_on_validation(alone):
    assert alone.score == alone.metrics["accuracy"]
    assert alone.score == pytest.approx(alone.history["val_accuracy"][alone.epoch - 1], rel=1e-6)
    assert alone.score == np.mean(alone.predict(DATA.validation.x) == np.array(alone.classes)[DATA.validation.y])
    assert alone.metrics["loss"] == pytest.approx(alone.history["val_loss"][alone.epoch - 1], rel=1e-5)


def press_ctrl_c():
    """As a user does it, from outside of the main thread, and not before Python has seen it."""
    presser = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
    presser.start()
    presser.join()


@pytest.mark.parametrize("epochs_before", [0, 2])
def test_ctrl_c_ends_a_run_that_stays_usable(monkeypatch, tmp_path, epochs_before):
    calls = [None] if epochs_before else []  # the progress line is entered before the first epoch

    def press_when_due(line, *given):
        if len(calls) == epochs_before:
            press_ctrl_c()
        calls.append(given)

    if not epochs_before:
        monkeypatch.setattr(engine.Line, "__enter__", lambda line: press_when_due(line) or line)
    monkeypatch.setattr(engine.Line, "advance", press_when_due)
    monkeypatch.setattr(engine, "_LOOK", 1e-9)  # look after every epoch
    handler = signal.getsignal(signal.SIGINT)
    run = train(recipe(LINEAR, optimizer=optim.SGD(1e-3), epochs=400))
    assert run.outcome is kl.Outcome.INTERRUPTED
    assert signal.getsignal(signal.SIGINT) is handler
    assert len(run.history["loss"]) == epochs_before
    assert (0 if epochs_before == 0 else 1) <= run.epoch <= epochs_before
    assert np.isfinite(run.score)
    again = kl.load(run.save(tmp_path / "run"))
    assert again.outcome is kl.Outcome.INTERRUPTED
    np.testing.assert_array_equal(again.predict_proba(X), run.predict_proba(X))
    expected = train(recipe(LINEAR, optimizer=optim.SGD(1e-3), epochs=400).replace(epochs=epochs_before))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), run.params, expected.params)


def test_a_second_ctrl_c_ends_at_once(monkeypatch):
    monkeypatch.setattr(engine.Line, "__enter__", lambda line: (press_ctrl_c(), press_ctrl_c()))
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(recipe(LINEAR, optimizer=optim.SGD(1e-3), epochs=400))
    assert signal.getsignal(signal.SIGINT) is handler
