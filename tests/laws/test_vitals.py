"""Laws of watching: it changes nothing, tells of each member what it would tell alone, and stays small."""

import jax
import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.train import launch
from kilter.train.interrupt import Interrupt
from kilter.train.launch import fleets
from kilter.train.plan import plan_of
from kilter.train.program import held
from kilter.train.task import Task
from kilter.train.watching import looking
from kilter.vitals.watch import RECORDS

# What the doctor says of these small trainings is of no interest here.
pytestmark = pytest.mark.filterwarnings("ignore::kilter.FindingWarning")
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(50, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] ** 2 + 0.3 * DRAW.normal(size=50) > 0.5).astype(int) + (X[:, 2] > 1)
DATA = kl.data.from_arrays(X, Y, seed=0)  # 40 rows to train on, 10 to validate
IMAGES = kl.data.from_arrays(DRAW.normal(size=(30, 6, 6, 1)), np.arange(30) % 3, seed=0)
DENSE = nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
CONV = nn.Chain(nn.Conv(4), nn.ReLU(), nn.MaxPool(), nn.Flatten(), nn.Dense(3))
EACH = kl.Watch(every=1, rows=32)
measure = jax.jit(kl.vitals.measure)
# The same sums in another order, over some dozens of updates in float32.
CLOSE = {"rtol": 2e-4, "atol": 1e-5}


def recipe(net=DENSE, lr=0.05, **given):
    given = {"optimizer": optim.SGD(lr, momentum=0.9), "epochs": 6, "batch_size": 16} | given
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), **given)


def train(recipe, data=DATA, seed=0, watch=EACH):
    return kl.train(recipe, data, seed=seed, watch=watch, progress=False)


def assert_identical(a, b):
    """Bit for bit."""
    assert (a.outcome, a.epoch, a.metrics) == (b.outcome, b.epoch, b.metrics)
    jax.tree.map(np.testing.assert_array_equal, (a.history, a.params, a.state), (b.history, b.params, b.state))


def assert_same_trace(a, b):
    assert (a.layers, a.arrays, a.epochs.tolist()) == (b.layers, b.arrays, b.epochs.tolist())
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE), a.vitals, b.vitals)


@pytest.fixture(scope="module")
def watched():
    return train(recipe())


@pytest.mark.parametrize(("net", "data"), [(DENSE, DATA), (CONV, IMAGES)], ids=["dense", "conv"])
def test_a_watched_run_is_the_plain_one_bit_for_bit(net, data):
    plain, watched = train(recipe(net), data, watch=None), train(recipe(net), data)
    assert plain.vitals is None
    assert watched.vitals.epochs.tolist() == list(range(7))
    assert_identical(plain, watched)


def test_a_fleets_members_are_the_plain_ones_bit_for_bit_and_their_traces_those_of_solo_runs(watched):
    recipes = [recipe(), recipe(lr=0.2), recipe(epochs=4)]
    plain = kl.train_fleet(recipes, DATA, seeds=[0, 1], progress=False)
    fleet = kl.train_fleet(recipes, DATA, seeds=[0, 1], watch=EACH, progress=False)
    for a, b in zip(plain, fleet, strict=True):
        assert_identical(a, b)
    assert_same_trace(fleet[0].vitals, watched.vitals)
    assert_same_trace(fleet[3].vitals, train(recipe(lr=0.2), seed=1).vitals)
    assert fleet[4].vitals.epochs.tolist() == list(range(5))
    assert_same_trace(fleet[5].vitals, train(recipe(epochs=4), seed=1).vitals)


def test_watched_members_are_not_cast_in_molds(monkeypatch):
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    recipes, planned = [recipe(net), recipe(net.put("layers[0].units", 5))], []

    def spy(*given, **named):
        planned.append([group.mold is None for group in plan_of(*given, **named).groups])
        raise InterruptedError

    monkeypatch.setattr(launch, "plan_of", spy)
    for watch in (None, EACH):
        with pytest.raises(InterruptedError):
            kl.train_fleet(recipes, DATA, watch=watch, progress=False)
    assert planned == [[False], [True, True]]


def test_a_record_is_what_measuring_the_weights_tells(watched):
    """The first is of the weights that the seed draws; the last of those that the run ends with (no best epoch)."""
    data = kl.data.from_arrays(X, Y, validation=0)
    run = kl.train(recipe(nn.Chain(nn.Dense(8), nn.Tanh(), nn.Dense(3))), data, watch=kl.Watch(every=3), progress=False)
    trace, net = run.vitals, run.recipe.net
    assert trace.layers == ("layers[0]", "layers[1]", "layers[2]")
    start, _ = net.init(kl.core.keys.named(jax.random.key(0), "init"), (4,))
    for index, params in ((0, start), (-1, run.params)):
        found = measure(net, run.recipe.loss, params, ((),) * 3, data.train.x, data.train.y, start=start)
        for name in ("mean", "rms", "saturated", "rank", "examples", "backward", "histogram"):
            np.testing.assert_allclose(getattr(trace.signals, name)[index], getattr(found.signals, name), **CLOSE)
        for name in ("rms", "gradient", "moved", "growth"):
            np.testing.assert_allclose(getattr(trace.weights, name)[index], getattr(found.weights, name), **CLOSE)
        np.testing.assert_allclose(trace.whole.loss[index], found.whole.loss, **CLOSE)
    assert (trace.weights.moved[0][1], trace.weights.growth[0][1]) == (0.0, 1.0)
    assert trace.weights.moved[-1][1] > 0.01
    gradient, size = trace.weights.gradient[0][1::2], trace.weights.rms[0][1::2]  # of kernels; biases begin with 0
    np.testing.assert_allclose(trace.weights.update[0][1::2], 0.05 * gradient / size, rtol=1e-4)


def test_records_differ_by_the_weights_alone_though_dropout_draws():
    run = train(recipe(DENSE.put("layers[3].rate", 0.7), lr=1e-9))
    spread = np.ptp(run.vitals.whole.loss) + np.ptp(run.vitals.signals.rms, axis=0).max()
    assert spread < 1e-5
    np.testing.assert_array_equal(run.vitals.signals.mean[:, 3], run.vitals.signals.mean[:, 2])  # nothing is dropped
    # Norms see the rows, not their averages, which start at 0 and 1.
    assert run.vitals.signals.std[0, 1] == pytest.approx(1.0, rel=1e-3)


def test_a_second_call_does_not_compile_again(watched):
    before = looks(), held()
    train(recipe(lr=0.01), seed=3)
    train(recipe(epochs=5))
    assert (looks(), held()) == before


def looks():
    """Number of programs that measure."""
    return sum(looking(quickly).held() for quickly in (False, True))


def test_memory_is_bounded_whatever_the_length():
    run = train(recipe(epochs=200))
    epochs = run.vitals.epochs
    assert len(epochs) <= RECORDS
    assert epochs[0] == 0
    assert epochs[-1] == 200
    assert set(np.diff(epochs[:-1])) == {4}  # 64 records of every epoch, then of every second, then of every fourth
    assert all(leaf.shape[0] == len(epochs) for leaf in jax.tree.leaves(run.vitals.vitals))


def test_the_default_is_sparse_and_has_the_first_and_the_last_weights():
    epochs = 1000  # of 40 rows, which take less than ten probes
    assert train(recipe(epochs=epochs), watch="default").vitals.epochs.tolist() == [0, 1000]


def test_members_that_end_early_keep_their_records_and_are_recorded_at_their_end():
    never, long = kl.EarlyStopping(patience=2, min_delta=2.0), kl.EarlyStopping(patience=9)
    stops, diverges, lasts = recipe(stopping=never), recipe(lr=1e25, stopping=long), recipe(stopping=long)
    sparse = kl.Watch(every=5)
    runs = kl.train_fleet([stops, diverges, lasts], DATA, watch=sparse, progress=False)
    assert [run.outcome.name for run in runs] == ["STOPPED_EARLY", "DIVERGED", "FINISHED"]
    for run in runs:
        lasted = len(run.history["loss"])
        assert run.vitals.epochs.tolist() == sorted({*range(0, lasted, 5), lasted})
        assert_same_trace(run.vitals, train(run.recipe, watch=sparse).vitals)
    assert not np.isfinite(runs[1].vitals.weights.rms[-1]).all()


def test_a_paused_member_goes_on_with_its_records():
    """As if it had gone straight through, weights before the first epoch included."""
    whole = recipe(epochs=6)
    straight = in_one_fleet(Task([(whole, 0), (whole, 1)], DATA, watch=EACH.replace(every=2)))[0]
    first, paused = in_one_fleet(Task([(whole, 0), (whole, 1)], DATA, watch=EACH.replace(every=2), until=3))
    assert [run.vitals.epochs.tolist() for run in first] == [[0, 2], [0, 2]]
    again = in_one_fleet(Task([(whole, 0), (whole, 1)], DATA, watch=EACH.replace(every=2), paused=paused))[0]
    for a, b in zip(straight, again, strict=True):
        assert_identical(a, b)
        assert_same_trace(a.vitals, b.vitals)


def in_one_fleet(task):
    [(_, fleet)] = fleets(task)
    runs = fleet.run(False, Interrupt())
    return runs, fleet.paused()


def test_an_interrupted_member_keeps_its_records():
    [(_, fleet)] = fleets(Task([(recipe(), 0)], DATA, watch=EACH))
    stop = Interrupt()
    stop.asked = True
    [run] = fleet.run(False, stop)
    assert (run.outcome.name, run.vitals.epochs.tolist()) == ("INTERRUPTED", [0])


def test_no_epochs_have_one_record():
    run = train(recipe(epochs=0))
    assert run.vitals.epochs.tolist() == [0]


def test_only_what_is_asked_for_is_kept():
    run = train(recipe(), watch=kl.Watch(every=2, what="gradients", where=r"layers\[0\]"))
    assert run.vitals.layers == ("layers[0]",)
    assert run.vitals.arrays == ("layers[0].kernel",)  # its bias is left out in front of the norm
    assert run.vitals.signals.backward.shape == run.vitals.weights.gradient.shape == (4, 1)
    assert run.vitals.signals.mean is None
    assert run.vitals.whole.loss is None


@pytest.mark.parametrize("watch", ["all", 3, kl.Watch(where="nowhere")], ids=repr)
def test_what_cannot_be_watched_is_refused(watch):
    with pytest.raises(InputError, match=r"watch=|finds nothing in this network, which has layers"):
        train(recipe(), watch=watch)


def test_optimizers_that_search_along_the_loss_are_watched_too():
    run = train(recipe(nn.Chain(nn.Dense(8), nn.Tanh(), nn.Dense(3)), optimizer=optim.LBFGS(), batch_size=40, epochs=2))
    assert np.isfinite(run.vitals.weights.update[0][[1, 3]]).all()


def test_a_saved_run_keeps_its_trace(watched, tmp_path):
    again = kl.load(watched.save(tmp_path / "run"))
    jax.tree.map(np.testing.assert_array_equal, again.vitals.vitals, watched.vitals.vitals)
    assert (again.vitals.layers, again.vitals.arrays) == (watched.vitals.layers, watched.vitals.arrays)
    assert kl.load(train(recipe(), watch=None).save(tmp_path / "plain")).vitals is None
