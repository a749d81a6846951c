"""The store of checkpoints: what goes in comes out, the last and the best stay, and what is spoiled or full is survived."""

import resource
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import jax
import ml_dtypes
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kilter.core.errors import DoubtWarning, FileError, InputError
from kilter.train import checkpoints, packing
from kilter.train.checkpoints import Checkpoints
from kilter.train.every import Every

TREE = {
    "weights": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array([np.nan, -0.0, np.inf], np.float32)],
    "half": np.arange(3).astype(ml_dtypes.bfloat16),
    "counts": {"a.b[0]": np.uint32(7), "empty": np.zeros((0, 4), np.float32), "flag": np.array(True)},
    "double": np.float64(0.1),
}


@pytest.fixture
def store(tmp_path):
    made = Checkpoints(tmp_path / "own", keep=2, every=1)
    yield made
    made.close()


def numbered(store, values, scores=()):
    for place, value in enumerate(values):
        store.save({"x": np.full(3, value)}, {"value": value}, score=scores[place] if scores else None)
    store.wait()


def spoil(folder):
    """Change a byte in every file that holds numbers."""
    for file in folder.rglob("*"):
        if file.is_file() and file.parent.name == "d":
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 255
            file.write_bytes(bytes(content))


def test_a_tree_comes_back_bit_for_bit(store):
    store.save(TREE, {"epoch": 3, "words": ["a", None]})
    store.wait()
    again = store.latest(TREE)
    assert again.meta == {"epoch": 3, "words": ["a", None]}
    assert jax.tree.structure(again.state) == jax.tree.structure(TREE)
    for own, other in zip(jax.tree.leaves(TREE), jax.tree.leaves(again.state), strict=True):
        assert (np.asarray(own).dtype, np.shape(own)) == (other.dtype, other.shape)
        assert np.asarray(own).tobytes() == other.tobytes()
    assert store.latest().state["weights.0"].tolist() == TREE["weights"][0].tolist()


def test_arrays_may_change_while_they_are_written(store):
    changing = np.zeros(1 << 20, np.float32)
    store.save({"x": changing}, {})
    changing[:] = 1.0
    store.wait()
    assert not store.latest().state["x"].any()


def test_arrays_spread_over_devices_are_kept_whole_and_go_to_any_others(store):
    if jax.device_count() == 1:
        pytest.skip("one device")
    mesh = Mesh(np.array(jax.devices()), ("member",))
    spread = jax.device_put(np.arange(8.0), NamedSharding(mesh, PartitionSpec("member")))
    store.save({"x": spread}, {})
    store.wait()
    assert store.latest({"x": 0}).state["x"].tolist() == list(range(8))


def test_what_no_process_has_whole_is_left_to_orbax(store, monkeypatch):
    mesh = Mesh(np.array(jax.devices()), ("member",))
    spread = jax.device_put(np.arange(8.0), NamedSharding(mesh, PartitionSpec("member")))
    is_spread = lambda leaf: isinstance(leaf, jax.Array)  # noqa: E731
    monkeypatch.setattr(packing, "_own", lambda leaf: None if is_spread(leaf) else np.asarray(leaf))
    monkeypatch.setattr(checkpoints, "_is_spread", is_spread)
    store.save({"x": spread, "y": np.ones(2)}, {})
    store.wait()
    elsewhere = jax.device_put(np.zeros(8), jax.devices()[-1])
    again = store.latest({"x": elsewhere, "y": 0}).state
    assert again["x"].sharding == elsewhere.sharding
    assert (again["x"].tolist(), again["y"].tolist()) == (list(range(8)), [1, 1])


def test_the_last_and_the_best_stay(store):
    numbered(store, range(6), scores=[0.0, 5.0, 1.0, 2.0, 3.0, 4.0])
    assert store.steps == [2, 5, 6]
    assert store.latest().meta == {"value": 5}


def test_a_spoiled_one_is_passed_over(store):
    numbered(store, range(3))
    spoil(store.folder / "3")
    with pytest.warns(DoubtWarning, match=r"own/3 is corrupt \(.*\); it is passed over"):
        assert store.latest().meta == {"value": 1}
    shutil.rmtree(store.folder / "2" / "whole")
    refused = pytest.raises(
        FileError, match=r"^cannot read .*own: all its checkpoints are corrupt; name another folder"
    )
    with pytest.warns(DoubtWarning, match="is corrupt") as warned, refused:
        store.latest()
    assert len(warned) == 2


@contextmanager
def small_files():
    """Let no file grow beyond 16 KiB, so that writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_once_and_the_last_good_one_stays(store):
    numbered(store, [0])
    large = {"x": np.random.default_rng(0).normal(size=1 << 16)}

    def fill(value):
        store.save(large, {"value": value})
        store.wait()

    with (
        small_files(),
        pytest.warns(DoubtWarning, match=r"cannot write a checkpoint to .*own \(.*\); the work") as warned,
    ):
        [fill(value) for value in (1, 2)]
    assert len(warned) == 1
    assert "\n" not in str(warned[0].message)
    assert [path.name for path in store.folder.iterdir()] == ["1"]
    assert store.latest().meta == {"value": 0}
    fill(3)
    assert store.latest().meta == {"value": 3}


def test_nothing_is_said_on_standard_error(tmp_path):
    """Orbax logs what fails over hundreds of lines; one sentence is enough."""
    script = f"""
import numpy as np, resource, warnings
from kilter.train.checkpoints import Checkpoints
store = Checkpoints({str(tmp_path / "own")!r})
store.save({{"x": np.zeros(3)}}, {{}})
store.wait()
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, resource.RLIM_INFINITY))
store.save({{"x": np.random.default_rng(0).normal(size=1 << 16)}}, {{}})
store.close()
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "cannot write a checkpoint" in found.stderr
    assert len(found.stderr.splitlines()) <= 3


def test_due_by_seconds(store):
    now = time.monotonic()
    assert not store.due(now, 1)
    assert store.due(now + 1.5, 1)
    numbered(store, [0])
    assert not store.due(now, 1)


def test_due_by_epochs(tmp_path):
    store = Checkpoints(tmp_path / "own", every="3 epochs")
    assert [epoch for epoch in range(1, 8) if store.due(0.0, epoch)] == [3, 6]
    store.save({"x": np.zeros(1)}, {}, epoch=6)
    assert not store.due(0.0, 6)
    assert [store.every.next(epoch) for epoch in (0, 2, 3)] == [3, 3, 6]
    store.close()


@pytest.mark.parametrize(
    ("given", "expected"),
    [(2, 2.0), (0.5, 0.5), ("30s", 30.0), ("5min", 300.0), ("1h", 3600.0), ("1.5 min", 90.0), ("7", 7.0)],
)
def test_seconds_in_words(given, expected):
    assert Every.of(given) == Every(seconds=expected)


def test_epochs_in_words():
    assert Every.of("10 epochs") == Every(epochs=10)
    assert Every.of("1 epoch") == Every(epochs=1)


@pytest.mark.parametrize(
    "given", [0, -1, True, None, "", "soon", "5 parsecs", "0s", "1.5 epochs", float("nan"), "1..5s", []]
)
def test_what_is_no_time_gets_a_sentence(given):
    with pytest.raises(InputError, match=r"^every=.*: every must be a number of seconds above 0, or words such as"):
        Every.of(given)
