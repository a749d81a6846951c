"""A network is the same on one device, on many, and over processes; a job of several processes ends together."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.distributed import cluster, rendezvous
from kilter.train.checkpoints import Checkpoints
from kilter.train.layout import Layout, arrange, shrunk

HERE = Path(__file__).parent
# Seconds within which the others of a lost process must have ended, on a machine that does much else.
SOON = 60


def started(*command, devices=1):
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": str(devices),
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    whole = [sys.executable, *map(str, command)]
    return subprocess.Popen(whole, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process, within=900):
    """Exit code, and what it wrote."""
    try:
        out, err = process.communicate(timeout=within)
    finally:
        process.kill()
    return process.returncode, out, err


def free_address():
    with socket.create_server(("localhost", 0)) as server:
        return f"localhost:{server.getsockname()[1]}"


# One process of eight devices.


@pytest.fixture(scope="module")
def eight():
    code, out, err = ended(started(HERE / "mesh_in_one.py", devices=8))
    assert code == 0, err
    return json.loads(out)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        "dense", "in shards", "convolution", "recurrent", "members and batches", "watched", "stream", "stream in shards",
        "stream of members and batches",
    ],
)  # fmt: skip
def test_eight_devices_train_the_network_of_one(eight, case):
    found = eight[case]
    assert found["alike"]
    assert found["moved"] > 0.1, "weights that have not learned prove nothing"
    assert found["weights"] < 2e-5
    assert found["history"] < 1e-5
    assert found["metrics"] < 1e-5


# Two processes.


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes has trained, and how they ended when one was killed in its next training."""
    folder, address = tmp_path_factory.mktemp("job"), free_address()
    pair = [started(HERE / "mesh_job.py", number, address, folder, devices=2) for number in (0, 1)]
    until = time.monotonic() + 900
    while not any(step.name.isdigit() for step in (folder / "kept" / "checkpoints").glob("*")):
        for process in pair:
            assert process.poll() is None, ended(process)
        assert time.monotonic() < until
        time.sleep(0.05)
    pair[1].kill()
    began = time.monotonic()
    code, _, err = ended(pair[0])
    ended(pair[1])
    found = [[*np.load(folder / f"found{number}.npz").values()] for number in (0, 1)]
    return found, code, err, time.monotonic() - began, folder


@pytest.mark.slow
def test_two_processes_train_the_networks_of_one(two):
    (first, second), *_ = two
    from mesh_job import trained

    alone = [leaf for run in trained() for leaf in jax.tree.leaves((run.params, run.state, run.history, run.score))]
    assert len(alone) == len(first) == len(second)
    for mine, theirs, others in zip(alone, first, second, strict=True):
        np.testing.assert_array_equal(theirs, others)
        np.testing.assert_allclose(theirs, mine, rtol=1e-4, atol=2e-5)


@pytest.mark.slow
def test_only_the_first_process_writes(two):
    *_, folder = two
    assert len(kl.load(folder / "run0").history["loss"]) == 4
    assert not (folder / "run1").exists()


@pytest.mark.slow
def test_a_stream_that_breaks_in_one_process_ends_in_all_with_what_was_trained(two):
    *_, folder = two
    mine, others = ((folder / f"broken{number}.txt").read_text() for number in (1, 0))
    assert mine.startswith("1 source only 80 rows came, but there were 186")
    assert others.startswith("1 another process of the job could not read its next rows")


@pytest.mark.slow
def test_a_lost_process_ends_the_job_with_a_sentence(two):
    _, code, err, seconds, _ = two
    assert code == 1
    assert "kilter: process 1 of 2 was lost, which ends the job" in err
    assert "Traceback" not in err
    assert "Check failure" not in err
    assert seconds < SOON


@pytest.mark.slow
def test_the_checkpoint_of_a_lost_job_goes_on_with_another_number_of_devices(two):
    from mesh_job import kept

    *_, folder = two
    saved = Checkpoints(folder / "kept" / "checkpoints").latest()
    done = saved.meta["done"]
    assert 0 < done < 400
    assert Layout(*saved.meta["layout"]).batch == 4
    run, straight = kept(folder / "kept"), kept(None)
    assert len(run.history["loss"]) == 400
    np.testing.assert_array_equal(run.history["loss"][:done], saved.state["history.loss"][0])
    np.testing.assert_allclose(run.history["loss"], straight.history["loss"], atol=1e-3)
    assert run.epoch == pytest.approx(straight.epoch, abs=20)


@pytest.mark.slow
def test_a_lost_first_process_ends_the_job_too(tmp_path):
    script, address = tmp_path / "waiting.py", free_address()
    script.write_text(
        "import sys, time, kilter as kl\n"
        f"kl.distributed.start({address!r}, processes=2, process=int(sys.argv[1]), timeout=120)\n"
        "print('together', flush=True)\n"
        "time.sleep(600)\n"
    )
    pair = [started(script, number) for number in (0, 1)]
    assert all(process.stdout.readline() == "together\n" for process in pair)
    pair[0].kill()
    code, _, err = ended(pair[1], SOON)
    ended(pair[0])
    assert code == 1
    assert err.splitlines()[-1].startswith("kilter: process 0 of 2 was lost")
    assert "Check failure" not in err


@pytest.mark.slow
def test_the_command_fits_in_a_job_and_says_who_did_not_come(tmp_path):
    table, address = tmp_path / "t.csv", free_address()
    draw = np.random.default_rng(0).normal(size=(60, 3))
    table.write_text("a,b,c\n" + "".join(f"{a:.3f},{b:.3f},{c + a:.3f}\n" for a, b, c in draw))
    fit = ["-m", "kilter", "fit", table, "--target", "c", "--epochs", 2, "--distributed", "--processes", 2]
    pair = [
        started(*fit, "--coordinator", address, "--process", number, "--out", tmp_path / str(number), "--timeout", 120)
        for number in (0, 1)
    ]
    nobody = started(*fit, "--coordinator", free_address(), "--process", 1, "--timeout", 2)
    lonely = started(*fit, "--coordinator", free_address(), "--process", 0, "--timeout", 2)
    for process, said in ((nobody, "cannot be reached"), (lonely, "did not come to localhost")):
        code, out, err = ended(process)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert said in err
    (code, out, err), (other, silent, _) = ended(pair[0]), ended(pair[1])
    assert (code, other) == (0, 0), err
    assert "The run is in" in out
    assert "The run is in" not in silent
    assert (tmp_path / "0" / "run.json").exists()
    assert not (tmp_path / "1").exists()


# What needs no other process.


@pytest.mark.parametrize("devices", [0, -1, 1.5, True, "some", 1 << 20])
def test_devices_that_cannot_be_are_refused(small_recipe, iris, devices):
    with pytest.raises(kl.InputError, match="devices="):
        kl.train(small_recipe, iris, devices=devices)


def test_more_devices_than_there_are_are_told_apart(small_recipe, iris):
    there = jax.device_count()
    told = f"devices={there + 1}: this process has {there}; take 'all' or at most {there}"
    with pytest.raises(kl.InputError, match=told):
        kl.plan([small_recipe], iris, devices=there + 1)


def test_a_job_begins_before_anything_is_computed():
    jax.devices()
    with pytest.raises(kl.InputError, match="JAX has computed something already"):
        kl.distributed.start("localhost:1", processes=2, process=0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((None, None, None), "no cluster"),
        (("localhost", 2, 0), "'host:port'"),
        (("localhost:x", 2, 0), "'host:port'"),
        (("localhost:70000", 2, 0), "'host:port'"),
        (("localhost:1", 2, 2), "from 0 to processes - 1"),
        (("localhost:1", 0, 0), "from 0 to processes - 1"),
        (("localhost:1", 2.0, 0), "whole number"),
    ],
)
def test_places_that_cannot_be_are_refused(given, said):
    with pytest.raises(kl.InputError, match=said):
        cluster.place(*given, timeout=1)


def test_a_cluster_says_who_is_who(monkeypatch):
    for name, value in {
        "SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "node[03-04]", "SLURM_NTASKS": "4", "SLURM_PROCID": "3",
        "SLURM_LOCALID": "1", "SLURM_STEP_NUM_NODES": "2",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    place, _ = cluster.place(None, None, None, timeout=1)
    assert (place.address[0], place.processes, place.process) == ("node03", 4, 3)


def test_processes_that_count_differently_do_not_begin():
    address = free_address()
    first = cluster.Place(("localhost", int(address.split(":")[1])), 3, 0)

    def wait():
        with pytest.raises(kl.InputError, match="of 3 processes these did not come"):
            rendezvous.gather(first, ("localhost", 1), time.monotonic() + 3, 5)

    waiting = threading.Thread(target=wait)
    waiting.start()
    with pytest.raises(kl.InputError, match="process 1 says that there are 2 processes, process 0 says 3"):
        rendezvous.come(first._replace(processes=2, process=1), time.monotonic() + 3, 5)
    waiting.join()


def test_a_stranger_at_the_port_is_no_coordinator():
    with socket.create_server(("localhost", 0)) as server:

        def greet():
            with server.accept()[0] as connection:
                connection.sendall(b"220 mail\n")

        threading.Thread(target=greet, daemon=True).start()
        place = cluster.Place(("localhost", server.getsockname()[1]), 2, 1)
        with pytest.raises(kl.InputError, match="no coordinator of Kilter"):
            rendezvous.come(place, time.monotonic() + 3, 5)


def test_layouts_leave_no_device_out():
    assert arrange(3, 8, devices=8, batch=2) == Layout(3, 1, batch=2)
    assert arrange(100, 8, devices=8, batch=4) == Layout(2, 8, batch=4)
    assert shrunk(Layout(4, 8, batch=2, sharded=True), 3) == Layout(3, 1, batch=2, sharded=True)


def test_a_plan_knows_of_devices(small_recipe, iris):
    alone, spread = (kl.plan([small_recipe], iris, devices=count) for count in (1, "all"))
    count = jax.device_count()
    assert alone.groups[0].layout.batch == 1
    assert spread.groups[0].layout.batch == count
    assert count == 1 or f"each batch spread over {count} of them" in repr(spread)


@pytest.mark.skipif(jax.device_count() < 2, reason="needs two devices")
def test_the_optimizers_state_lies_in_shards_where_memory_asks(iris, monkeypatch):
    net = nn.Chain(nn.Dense(512), nn.ReLU(), nn.Dense(512), nn.ReLU(), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01))
    whole, sharded = (kl.plan([recipe], iris, devices=2, shard=shard).bytes for shard in (False, True))
    assert sharded < whole
    for room, expected in ((1.1 * whole, False), ((whole + sharded) / 2, True)):
        monkeypatch.setattr(
            sys.modules["kilter.train.plan"], "free_memory", lambda room=room: int((room - (16 << 20)) / 0.8)
        )
        assert kl.plan([recipe], iris, devices=2).groups[0].layout.sharded is expected
