"""Searches over Ray: the same trials as in one process, whatever is lost, and words for what cannot be used."""

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import kilter as kl
from kilter import losses, nn, optim, strategies
from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.search import cluster
from kilter.search.runner import Here, Runner
from kilter.train.interrupt import Interrupt
from kilter.train.launch import fleets
from kilter.train.task import Task

ray = pytest.importorskip("ray")

RATE, MOMENTUM = kl.LogUniform(1e-3, 1.0), kl.Uniform(0.0, 0.9)

# One worker of xdist owns the cluster.
pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _two_cores():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="os.fork", category=RuntimeWarning)
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 << 20,
            log_to_driver=False,
            logging_level="ERROR",
        )
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a file of tests
    yield
    ray.shutdown()


class Trap(nn.Layer):
    """Does nothing but, when a worker compiles it, a deed, so many times in all."""

    deed: str = option(default="", kinds=str)
    folder: str = option(default="", kinds=str)
    spared: int = option(default=0, kinds=int)
    times: int = option(default=1, kinds=int)

    def init(self, key, shape):
        return {}, {}

    def apply(self, params, state, x, *, key=None):
        if key is not None and os.getpid() != self.spared:  # training, and not in the process of the test
            self._spring()
        return x, state

    def _spring(self):
        done = len(list(Path(self.folder).iterdir()))
        if done < self.times:
            (Path(self.folder) / str(done)).write_text(f"{jax.local_device_count()} {os.environ.get('NPROC')}")
            {"die": die, "stall": self._stall, "raise": fail, "tell": lambda: None}[self.deed]()

    def _stall(self):
        while not Path(f"{self.folder} over").exists():
            time.sleep(0.05)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise KeyError("what the training raised")


def trap(deed, tmp_path, times=1):
    return Trap(deed, str(tmp_path), os.getpid(), times)


def recipe(*layers, lr=RATE, momentum=MOMENTUM):
    net = nn.Chain(nn.Dense(8), nn.ReLU(), *layers, nn.Dropout(0.1), nn.Dense(3))
    return kl.Recipe(
        net, losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(optim.Cosine(lr), momentum=momentum), epochs=4
    )


def search(iris, space, runner=None, **given):
    given = {"trials": 4, "strategy": strategies.Random(), "progress": False} | given
    return kl.search(space, iris, runner=runner, **given)


def same_trials(one, other):
    """All but the time that they took."""
    columns = [name for name in one.trials if name != "seconds"]
    return one.trials[columns].equals(other.trials[columns])


@pytest.mark.parametrize(
    ("strategy", "given"),
    [
        (strategies.TPE(), {"trials": 20}),
        (strategies.Random(), {"trials": 3, "seeds": [3, 1]}),
        (strategies.Hyperband(4, 1, 2), {"trials": 30}),
    ],
    ids=["TPE", "seeds", "Hyperband"],
)
def test_a_search_over_ray_is_the_search_in_one_process(iris, strategy, given):
    here = search(iris, recipe(), strategy=strategy, **given)
    there = search(iris, recipe(), kl.search.Ray(fleet_size=3), strategy=strategy, **given)
    assert same_trials(there, here)
    assert (there.best.trial, there.best.recipe) == (here.best.trial, here.best.recipe)
    assert there.runs.keys() == here.runs.keys()
    for id, runs in here.runs.items():
        for one, other in zip(runs, there.runs[id], strict=True):
            # Fleets of other sizes multiply in another order.
            np.testing.assert_allclose(other.history["loss"], one.history["loss"], rtol=1e-4)
            x = iris.validation.x
            np.testing.assert_allclose(other.predict_proba(x), one.predict_proba(x), atol=1e-4)


class Backwards(Runner):
    """Trains the last trial first, each alone."""

    @contextmanager
    def crew(self, data, seeds, company):
        with Here().crew(data, seeds, company) as train:
            yield lambda groups, members, over: train(
                [part for group in groups for part in group.split(len(group.asks))][::-1], members, over
            )


def test_the_order_in_which_fleets_return_changes_nothing(iris):
    strategy = strategies.SuccessiveHalving(4, 1, 2)
    there = search(iris, recipe(), Backwards(), strategy=strategy, trials=9)
    assert same_trials(there, search(iris, recipe(), strategy=strategy, trials=9))


def test_a_worker_that_is_killed_costs_no_trial(iris, tmp_path):
    space = recipe(trap("die", tmp_path))
    there = search(iris, space, kl.search.Ray(retries=1))
    assert len(list(tmp_path.iterdir())) == 1  # it did die
    assert same_trials(there, search(iris, space))


def test_after_the_retries_the_trials_have_failed_and_the_search_goes_on(iris, tmp_path):
    space = recipe(kl.Choice(trap("die", tmp_path, times=99), nn.Tanh()))
    there = search(iris, space, kl.search.Ray(retries=1, fleet_size=4), trials=6)
    here = search(iris, space, trials=6).trials
    deadly = there.trials["net.layers[2]"].astype(str).str.contains("Trap")
    assert 0 < deadly.sum() < 6
    assert there.trials.loc[deadly, "outcome"].str.contains("failed: its Ray worker was lost 2 times").all()
    assert there.trials.loc[~deadly, "score"].equals(here.loc[~deadly, "score"])


def test_what_training_raises_is_raised(iris, tmp_path):
    with pytest.raises(KeyError, match="what the training raised"):
        search(iris, recipe(trap("raise", tmp_path)), kl.search.Ray())


def test_a_part_that_no_worker_can_import_is_named(iris, tmp_path):
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    try:
        with pytest.raises(InputError, match=r"No module named '.*test_ray'\); each node needs"):
            search(iris, recipe(trap("tell", tmp_path)), kl.search.Ray())
    finally:
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def stalling(tmp_path):
    """A space whose first two tasks go on until the test is over, and the folder that they write to."""
    held = tmp_path / "held"
    held.mkdir()
    yield recipe(trap("stall", held, times=2)), held
    Path(f"{held} over").touch()


def test_ctrl_c_gives_up_what_is_out_and_the_study_goes_on(iris, stalling, tmp_path):
    space, held = stalling

    def strike():
        while not any(held.iterdir()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=strike, daemon=True).start()
    begun = search(iris, space, kl.search.Ray(), storage=tmp_path / "study")  # would not end otherwise
    assert begun.state.pending
    assert same_trials(search(iris, space, storage=tmp_path / "study"), search(iris, space))


def test_a_study_out_of_time_gives_up_what_is_out(iris, stalling):
    begun = search(iris, stalling[0], kl.search.Ray(), time_limit=1.0)
    assert begun.state.pending
    assert len(search(iris, recipe(), kl.search.Ray(), time_limit=1e-9).trials) == 0


def test_a_worker_has_one_device_a_core_of_its_task(iris, tmp_path):
    search(iris, recipe(trap("tell", tmp_path)), kl.search.Ray(), trials=2)
    assert (tmp_path / "0").read_text() == "1 1"
    told = cluster.environment(4, 0.5)
    assert (told["JAX_NUM_CPU_DEVICES"], told["NPROC"], told["XLA_PYTHON_CLIENT_MEM_FRACTION"]) == ("4", "4", "0.45")
    assert "JAX_PLATFORMS" not in told
    assert cluster.environment(1, 0)["JAX_PLATFORMS"] == "cpu"


def test_parts_that_a_script_defines_travel_and_come_home(iris):
    class Doubled(nn.Activation):
        """Sent whole, as no worker can import it."""

        factor: float = option(default=2.0, kinds=float)

        def __call__(self, x):
            return self.factor * x

    there = search(iris, recipe(Doubled()), kl.search.Ray(), trials=2)
    assert type(there.best.run.recipe.net.layers[2]) is Doubled
    assert kl.Recipe.from_json(there.best.run.recipe.to_json()) == there.best.recipe
    assert same_trials(there, search(iris, recipe(Doubled()), trials=2))


def test_values_data_runs_and_members_travel_unchanged(iris, small_run):
    from ray import cloudpickle

    def sent(value):
        return pickle.loads(cloudpickle.dumps(value))

    table = pd.DataFrame({"size": np.arange(40.0), "color": ["red", "blue"] * 20, "sold": ["yes", "no"] * 20})
    data = kl.data.from_table(table, target="sold")
    for value in (recipe(), kl.recipes.opened(data), kl.recipes.suited(iris), optim.Adam(0.1)):
        assert sent(value) == value
        assert sent(value).to_json() == value.to_json()
        assert jax.tree.leaves(sent(value)) == jax.tree.leaves(value)  # decays as complements, to the last bit
    np.testing.assert_array_equal(sent(data).train.x, data.train.x)
    np.testing.assert_array_equal(sent(data).door.enter(table[["size", "color"]]), data.door.enter(table))
    x = iris.validation.x
    np.testing.assert_array_equal(sent(small_run).predict_proba(x), small_run.predict_proba(x))
    ((_, fleet),) = fleets(Task([(recipe(lr=0.1, momentum=0.5), 0)], iris, until=1))
    fleet.run(False, Interrupt())
    (member,) = fleet.paused()
    jax.tree.map(np.testing.assert_array_equal, sent(member).leaves, member.leaves)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fleet_size": 0}, "fleet_size must be a whole number of at least 1"),
        ({"fleet_size": 2.5}, "fleet_size must be"),
        ({"retries": -1}, "retries must be a whole number of at least 0"),
        ({"cpus": True}, "cpus must be"),
        ({"gpus": 1.5}, "gpus must be a share"),
        ({"gpus": -1}, "gpus must be a share"),
        ({"address": 6379}, "address must be text"),
    ],
)
def test_settings_out_of_range_get_one_sentence(given, told):
    with pytest.raises(InputError, match=told):
        kl.search.Ray(**given)


@pytest.mark.parametrize("runner", ["ray", kl.search.Ray, 3])
def test_what_is_no_runner_is_refused(iris, runner):
    with pytest.raises(InputError, match=r"runner must be kl.search.Ray\(...\), or left out"):
        search(iris, recipe(), runner)


def test_ray_that_is_missing_is_named(iris, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'kilter\[ray\]'"):
        search(iris, recipe(), kl.search.Ray())


def test_another_cluster_than_the_one_connected_to_is_refused(iris):
    with pytest.raises(InputError, match="this process is connected to"):
        search(iris, recipe(), kl.search.Ray("127.0.0.1:9"))


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "nowhere.invalid:6379", "nonsense"])
def test_a_cluster_that_cannot_be_reached_is_named(address, monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with (
        pytest.raises(InputError, match=f"no cluster can be reached at {address}"),
        cluster.joined(address, {"CPU": 1}),
    ):
        pass


def test_a_task_that_this_machine_cannot_hold_is_refused(monkeypatch):
    for name, answer in (("is_initialized", False), ("init", None), ("shutdown", None)):
        monkeypatch.setattr(ray, name, lambda *_, answer=answer, **__: answer)
    with (
        pytest.raises(InputError, match="this machine has not as many"),
        cluster.joined("local", {"CPU": 64, "GPU": 0}),
    ):
        pass


SCRIPT = """
import json, sys
import kilter as kl
from kilter import losses, nn, optim
import ray

class Halved(nn.Activation):
    def __call__(self, x):
        return x / 2

net = nn.Chain(nn.Dense(4), Halved(), nn.Dense(3))
space = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(kl.LogUniform(1e-3, 1.0)), epochs=2)
given = {"trials": 2, "strategy": kl.strategies.Random(), "progress": False}
here = kl.search(space, kl.data.iris(), **given)
there = kl.search(space, kl.data.iris(), runner=kl.search.Ray("local"), **given)
same = list(here.trials["score"]) == list(there.trials["score"])
# After its cluster has gone, a run must still stand on its own.
there.best.run.predict(kl.data.iris().validation.x)
print(json.dumps([same, ray.is_initialized()]))
"""


def test_a_search_without_a_cluster_starts_one_and_ends_it(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    found = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    same, connected = json.loads(found.stdout)
    assert same
    assert not connected
    assert found.stderr == ""
