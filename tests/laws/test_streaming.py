"""Laws of streams: the rows decide, not how they come; what is begun can go on; what breaks off is not lost."""

import itertools
import os
import shutil
import signal
import threading
from collections import Counter

import jax
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import kilter as kl
from kilter import data, losses, nn, optim
from kilter.core import pages
from kilter.core.errors import FileError, InputError
from kilter.train.ahead import ahead
from kilter.train.checkpoints import Checkpoints
from kilter.train.interrupt import Interrupt
from kilter.train.keeper import Keeper
from kilter.train.launch import fleets
from kilter.train.progress import Line
from kilter.train.streaming import Streamed, StreamError
from kilter.train.task import Task
from kilter.train.window_program import programs

DRAW = np.random.default_rng(4)
ROWS, LEAST = 5003, "1MiB"  # a prime number of rows: no batch divides them
EVERY = DRAW.normal(size=(ROWS + 300, 20)).astype(np.float32)
LABELS = (EVERY[:, 0] + EVERY[:, 1] ** 2 > 1).astype(int)
X, Y = EVERY[:ROWS], LABELS[:ROWS]
WEIGHTS = DRAW.choice(np.array([0.5, 1.0, 1.5], np.float32), ROWS)  # whose sums are exact
HELD = EVERY[ROWS:], LABELS[ROWS:]


def recipe(*layers, epochs=3, shuffle=False, **given):
    between = layers or (nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2))
    given = {"optimizer": optim.Adam(optim.Cosine(0.01)), "batch_size": 64, **given}
    net = nn.Chain(nn.Dense(8), *between, nn.Dense(2))
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), epochs=epochs, shuffle=shuffle, **given)


def train(recipe, rows, **given):
    return kl.train(recipe, rows, progress=False, **given)


def same(one, other):
    leaves = zip(jax.tree.leaves((one.params, one.state)), jax.tree.leaves((other.params, other.state)), strict=True)
    return all(np.array_equal(a, b) for a, b in leaves)


@pytest.fixture(scope="module")
def stream():
    return data.stream((X, Y), validation=HELD, memory=LEAST)


@pytest.fixture(scope="module")
def run(stream):
    return train(recipe(shuffle=True), stream)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
@pytest.mark.parametrize("inputs", [None, data.MinMax()], ids=["plain", "scaled"])
def test_in_the_order_of_the_source_a_stream_trains_as_memory_does(weights, inputs):
    whole = train(recipe(inputs=inputs), data.from_arrays(X, Y, validation=HELD, weights=weights))
    found = train(recipe(inputs=inputs), data.stream((X, Y), validation=HELD, weights=weights, memory=LEAST))
    assert same(found, whole)
    np.testing.assert_allclose(found.history["loss"], whole.history["loss"], rtol=1e-5)
    np.testing.assert_allclose(found.history["val_loss"], whole.history["val_loss"], rtol=1e-5)
    np.testing.assert_array_equal(found.history["lr"], whole.history["lr"])
    assert (found.epoch, found.score) == (whole.epoch, whole.score)


def test_numbers_are_scaled_as_in_memory(tmp_path):
    y = (100 + 10 * X[:, 0]).astype(np.float32)
    columns = {f"x{index}": X[:, index] for index in range(20)} | {"y": y}
    parquet.write_table(pa.table(columns), tmp_path / "rows.parquet", row_group_size=700)
    own = recipe().replace(
        net=nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(1)),
        loss=losses.SquaredError(),
        inputs=data.Standardize(),
        targets=data.Standardize(),
    )
    whole = train(own, data.from_arrays(X, y, validation=(X[:300], y[:300])))
    found = train(
        own, data.stream(tmp_path, target="y", validation=lambda: [pa.table(columns).slice(0, 300)], memory=LEAST)
    )
    np.testing.assert_allclose(found.predict(tmp_path / "rows.parquet"), whole.predict(X), rtol=1e-5)
    assert found.metrics["rmse"] == pytest.approx(whole.metrics["rmse"], rel=1e-4)


def test_the_memory_does_not_decide(stream):
    large = data.stream((X, Y), validation=HELD)
    assert same(train(recipe(), stream), train(recipe(), large))


def test_the_seed_decides(stream, run):
    assert same(train(recipe(shuffle=True), stream), run)
    assert not same(train(recipe(shuffle=True), stream, seed=1), run)
    assert not same(train(recipe(), stream), run)


def test_it_learns_from_a_shuffled_stream(run):
    assert run.score > 0.75
    assert run.outcome is kl.Outcome.FINISHED


def test_members_of_a_fleet_share_the_rows_and_are_what_they_are_alone(stream, run):
    rates = [recipe(shuffle=True, optimizer=optim.Adam(optim.Cosine(rate))) for rate in (0.01, 0.02)]
    runs = kl.train_fleet([*rates, recipe(nn.Tanh(), shuffle=True)], stream, seeds=[0, 1], progress=False)
    alone = [run, train(rates[0], stream, seed=1), train(rates[1], stream)]
    for member, own in zip(runs[:3], alone, strict=True):
        for one, other in zip(jax.tree.leaves(member.params), jax.tree.leaves(own.params), strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)
        assert member.score == pytest.approx(own.score, abs=0.01)


def test_validation_stops_early_and_keeps_the_best_epoch(stream):
    own = recipe(nn.ReLU(), epochs=12, optimizer=optim.SGD(1.0), stopping=kl.EarlyStopping(2))
    found, whole = (train(own, rows) for rows in (stream, data.from_arrays(X, Y, validation=HELD)))
    assert (found.outcome, found.epoch) == (whole.outcome, whole.epoch)
    assert len(found.history["loss"]) == len(whole.history["loss"])


def test_a_run_is_saved_and_predicts(run, tmp_path):
    loaded = kl.load(run.save(tmp_path / "run"))
    np.testing.assert_array_equal(loaded.predict(X), run.predict(X))
    assert run.metrics["train_accuracy"] > 0.75


def test_it_is_watched(stream):
    (found,) = kl.train_fleet([recipe(shuffle=True)], stream, watch=kl.Watch(every=1), progress=False)
    assert len(found.vitals.epochs) == 4


class KilledError(BaseException):
    """Ends a training as a kill would, but for the process."""


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A training that leaves a checkpoint behind every window; it is killed right after so many, or goes to its end."""

    def trained(own, rows, checkpoints=None, **given):
        left, keep = [checkpoints], Keeper.keep

        def counted(*arguments):
            keep(*arguments)
            if checkpoints is not None:
                left[0] -= 1
            if left[0] == 0:
                raise KilledError

        with monkeypatch.context() as patch:
            patch.setattr(Keeper, "keep", counted)
            patch.setattr(Checkpoints, "due", lambda *_: True)
            return train(own, rows, checkpoint=tmp_path / "own", **given)

    return trained


@pytest.fixture
def first_updates(monkeypatch):
    """The number of the first update in every window that is trained on."""
    numbers, window = [], Streamed._window

    def noted(self, *given):
        numbers.append(int(given[-2]))
        return window(self, *given)

    monkeypatch.setattr(Streamed, "_window", noted)
    return numbers


def assert_same(found, expected):
    """Bit for bit, but for the seconds."""
    for name in ("outcome", "epoch", "score", "metrics"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("params", "state", "history"):
        jax.tree.map(np.testing.assert_array_equal, getattr(found, name), getattr(expected, name))
    if expected.vitals is not None:
        jax.tree.map(np.testing.assert_array_equal, found.vitals.vitals, expected.vitals.vitals)


# Eight windows an epoch, and a checkpoint behind each.
@pytest.mark.parametrize("checkpoints", [[1], [3, 10], [8, 7]], ids=["first epoch", "twice", "last of an epoch"])
def test_what_is_killed_within_an_epoch_goes_on_at_the_window(stream, run, kept, first_updates, checkpoints):
    for count in checkpoints:
        with pytest.raises(KilledError):
            kept(recipe(shuffle=True), stream, count)
    del first_updates[:]
    assert_same(kept(recipe(shuffle=True), stream), run)
    done, windows = divmod(sum(checkpoints), 8)
    assert min(number for number in first_updates if number) == done * 79 + windows * 11  # after the compile's 0


def test_plateaus_and_vitals_go_on_within_an_epoch(stream, kept):
    optimizer = optim.ReduceOnPlateau(optim.Adam(0.05), patience=0)
    own, watch = recipe(nn.Dropout(0.3), shuffle=True, epochs=5, optimizer=optimizer), kl.Watch(every=1)
    whole = train(own, stream, watch=watch)
    assert len(set(whole.history["lr"].tolist())) > 1
    for count in (21, 5):
        with pytest.raises(KilledError):
            kept(own, stream, count, watch=watch)
    assert_same(kept(own, stream, watch=watch), whole)


def test_members_of_a_fleet_go_on_within_an_epoch(stream, tmp_path, monkeypatch):
    rates = [recipe(shuffle=True, epochs=epochs, optimizer=optim.Adam(0.01)) for epochs in (1, 2, 3)]

    def fleet(folder):
        return kl.train_fleet(rates, stream, seeds=[0, 1], checkpoint=tmp_path / folder, progress=False)

    whole, keep, left = fleet("whole"), Keeper.keep, [13]

    def counted(*arguments):
        keep(*arguments)
        left[0] -= 1
        if not left[0]:
            raise KilledError

    monkeypatch.setattr(Checkpoints, "due", lambda *_: True)
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "keep", counted)
        with pytest.raises(KilledError):
            fleet("own")
    for found, expected in zip(fleet("own"), whole, strict=True):
        assert_same(found, expected)


@pytest.mark.parametrize("window", [2, 11], ids=["first epoch", "second epoch"])
def test_ctrl_c_within_an_epoch_loses_nothing_of_a_training_that_is_kept(stream, run, tmp_path, monkeypatch, window):
    windows = itertools.count(1)

    def press(line, done):
        if next(windows) == window:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Line, "within", press)
        found = train(recipe(shuffle=True), stream, checkpoint=tmp_path / "own", every="1h")
    assert found.outcome is kl.Outcome.INTERRUPTED
    assert len(found.history["loss"]) == window // 8
    assert Checkpoints(tmp_path / "own" / "checkpoints").latest().meta["windows"] == window % 8
    assert_same(train(recipe(shuffle=True), stream, checkpoint=tmp_path / "own"), run)


def test_epochs_that_are_counted_are_kept_at_their_ends(stream, tmp_path):
    train(recipe(shuffle=True), stream, checkpoint=tmp_path / "own", every="1 epochs")
    assert Checkpoints(tmp_path / "own" / "checkpoints").steps == [1, 2, 3]


def test_another_memory_or_other_rows_are_refused(stream, kept, tmp_path):
    with pytest.raises(KilledError):
        kept(recipe(shuffle=True), stream, 1)
    for given, told in (((X, Y), "another memory"), ((X[:-1], Y[:-1]), "other data")):
        memory = "2MiB" if told == "another memory" else LEAST
        other = data.stream(given, validation=HELD, memory=memory)
        with pytest.raises(InputError, match=f"holds a training of {told}"):
            train(recipe(shuffle=True), other, checkpoint=tmp_path / "own")


@pytest.mark.skipif(jax.device_count() < 2, reason="needs two devices")
def test_devices_share_its_batches_and_go_on_within_an_epoch(stream, run, kept, tmp_path):
    two = {"devices": 2, "shard": True}
    whole = train(recipe(shuffle=True), stream, **two)
    assert_close(whole, run)
    with pytest.raises(KilledError):
        kept(recipe(shuffle=True), stream, 10, **two)
    shutil.copytree(tmp_path / "own", tmp_path / "other")
    assert_same(kept(recipe(shuffle=True), stream, **two), whole)
    assert_close(train(recipe(shuffle=True), stream, checkpoint=tmp_path / "other"), run)  # on one of them


def assert_close(found, expected):
    """Within what sums in another order change."""
    for name in ("params", "history"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-4),
            getattr(found, name),
            getattr(expected, name),
        )


@pytest.fixture
def files(tmp_path):
    for number, part in enumerate(np.array_split(np.arange(ROWS), 4)):
        columns = {f"x{index}": X[part, index] for index in range(20)} | {"y": Y[part]}
        parquet.write_table(pa.table(columns), tmp_path / f"part-{number}.parquet")
    return tmp_path


def spoiled_after(stream, epochs, spoil):
    """The stream, one of whose files is spoiled before the epoch of this number."""
    orders = type(stream.feed).order

    def order(feed, epoch):
        if epoch == epochs:
            spoil()
        return orders(feed, epoch)

    return order


@pytest.mark.parametrize("epochs", [0, 2])
def test_what_was_trained_before_a_file_broke_is_kept(files, epochs, monkeypatch):
    stream = data.stream(files, target="y", validation=0.1, memory=LEAST)
    whole = train(recipe(shuffle=True, epochs=2), stream) if epochs else None
    bad = files / "part-2.parquet"
    spoil = spoiled_after(stream, epochs, lambda: bad.write_bytes(bad.read_bytes()[:3000] + bytes(200_000)))
    monkeypatch.setattr(type(stream.feed), "order", spoil)
    with pytest.raises(FileError, match=r"part-2\.parquet.*corrupt") as caught:
        train(recipe(shuffle=True, epochs=4, optimizer=optim.Adam(0.01)), stream)
    assert "\n" not in str(caught.value)
    if not epochs:
        assert not isinstance(caught.value, StreamError)
        return
    assert "2 of 4 epochs were trained" in str(caught.value)
    (kept,) = caught.value.runs
    assert kept.outcome is kl.Outcome.INTERRUPTED
    assert len(kept.history["loss"]) == 2
    assert kept.score == pytest.approx(whole.score, abs=0.1)
    assert np.isfinite(kept.predict({f"x{index}": X[:, index] for index in range(20)})).all()


def test_a_file_that_is_mended_goes_on_behind_the_windows_before_it(files, tmp_path, monkeypatch):
    stream, own = data.stream(files, target="y", validation=0.1, memory=LEAST), recipe(shuffle=True)
    whole, bad = train(own, stream), files / "part-2.parquet"
    content = bad.read_bytes()
    with monkeypatch.context() as patch:
        spoil = spoiled_after(stream, 1, lambda: bad.write_bytes(content[:3000] + bytes(200_000)))
        patch.setattr(type(stream.feed), "order", spoil)
        with pytest.raises(StreamError, match=r"part-2\.parquet.*corrupt"):
            train(own, stream, checkpoint=tmp_path / "own", every="1h")
    assert Checkpoints(tmp_path / "own" / "checkpoints").latest().meta["windows"] > 0
    bad.write_bytes(content)
    assert_same(train(own, stream, checkpoint=tmp_path / "own"), whole)


def test_ctrl_c_closes_the_epoch_in_flight(stream, monkeypatch):
    windows, stop = itertools.count(1), Interrupt()
    monkeypatch.setattr(Line, "within", lambda line, done: setattr(stop, "asked", next(windows) == 9))
    ((_, fleet),) = fleets(Task([(recipe(shuffle=True, epochs=50), 0)], stream))
    (found,) = fleet.run(False, stop)
    assert found.outcome is kl.Outcome.INTERRUPTED
    assert len(found.history["loss"]) == 2


def test_no_second_compile(stream, run):
    def held():
        return [each._cache_size() for quickly in (False, True) for each in programs(quickly)]

    before = held()
    train(recipe(shuffle=True, epochs=2, optimizer=optim.Adam(optim.Cosine(0.03))), stream)
    assert held() == before


def test_a_bootstrap_needs_all_rows_in_memory(stream):
    with pytest.raises(InputError, match="bootstrap needs all rows in memory"):
        kl.train_fleet([recipe()], stream, bootstrap=True)


def test_what_needs_rows_in_memory_takes_the_sample_or_says_so(stream):
    assert type(stream.sample) is kl.data.Dataset
    assert stream.sample.train is stream.train
    with pytest.raises(InputError, match=r"stream\.sample"):
        kl.cross_validate(recipe(), stream)


def test_no_more_windows_are_there_than_the_memory_holds(stream, run, monkeypatch):
    made, mapped = [], pages.mmap.mmap
    monkeypatch.setattr(pages.mmap, "mmap", lambda place, size: made.append(size) or mapped(place, size))
    train(recipe(shuffle=True, epochs=1, optimizer=optim.Adam(optim.Cosine(0.03))), stream)
    assert max(Counter(made).values()) * max(made) <= stream.passing


def test_work_ahead_is_bounded_and_ends():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    before = threading.active_count()
    with ahead(items()) as given:
        assert [next(given), next(given)] == [0, 1]
    assert len(made) <= 5
    assert threading.active_count() == before


def test_what_goes_wrong_ahead_is_raised_where_it_is_used():
    def items():
        yield 1
        raise ValueError("no more")

    with ahead(items()) as given:
        assert next(given) == 1
        with pytest.raises(ValueError, match="no more"):
            next(given)
