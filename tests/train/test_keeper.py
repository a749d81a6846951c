"""Trainings that are kept: what ends in between goes on bit for bit, what is done is done, what does not fit is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings

import jax
import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core import files
from kilter.core.errors import DoubtWarning, FileError, InputError
from kilter.train import checkpoints, layout, regrouping
from kilter.train import fleet as engine
from kilter.train.keeper import Keeper

pytestmark = pytest.mark.filterwarnings("ignore::kilter.FindingWarning")
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(100, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] ** 2 + 0.3 * DRAW.normal(size=100) > 0.5).astype(int) + (X[:, 2] > 1)
DATA = kl.data.from_arrays(X, Y, seed=0)
NET = nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
RECIPE = kl.Recipe(
    NET, losses.SoftmaxCrossEntropy(), optimizer=optim.ReduceOnPlateau(optim.Adam(0.02), patience=1), epochs=8,
    batch_size=16, stopping=kl.EarlyStopping(patience=5),
)  # fmt: skip
LENGTHS = [RECIPE.replace(epochs=epochs) for epochs in (2, 4, 8)]


class KilledError(BaseException):
    """Ends a training as a kill would, but for the process."""


def train(folder=None, recipe=RECIPE, data=DATA, **given):
    return kl.train(recipe, data, **{"checkpoint": folder, "every": "1 epoch", "progress": False} | given)


def fleet(folder, **given):
    own = {"seeds": range(3), "bootstrap": True, "every": "1 epoch", "progress": False} | given
    return kl.train_fleet(LENGTHS, DATA, checkpoint=folder, **own)


@pytest.fixture
def kill(monkeypatch):
    """Kills the call that is given right after so many checkpoints."""
    keep = Keeper.keep

    def killed(count, call, *given, **more):
        left = [count]

        def counted(*arguments):
            keep(*arguments)
            left[0] -= 1
            if not left[0]:
                raise KilledError

        monkeypatch.setattr(Keeper, "keep", counted)
        with pytest.raises(KilledError):
            call(*given, **more)
        monkeypatch.setattr(Keeper, "keep", keep)

    return killed


@pytest.fixture
def begun(monkeypatch):
    """The first epochs of all chunks that are trained."""
    noted, chunk = [], engine.Fleet._chunk

    def note(self, mesh, first, count):
        noted.append(first)
        return chunk(self, mesh, first, count)

    monkeypatch.setattr(engine.Fleet, "_chunk", note)
    return noted


@pytest.fixture(scope="module")
def plain():
    return train()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder of a training that was killed after three checkpoints. Never change it."""
    patch = pytest.MonkeyPatch()
    folder, keep, left = tmp_path_factory.mktemp("kept") / "own", Keeper.keep, [3]

    def counted(*given):
        keep(*given)
        left[0] -= 1
        if not left[0]:
            raise KilledError

    patch.setattr(Keeper, "keep", counted)
    with pytest.raises(KilledError):
        train(folder)
    patch.undo()
    return folder


@pytest.fixture
def own(kept, tmp_path):
    """A copy of it, free to be spoiled."""
    return shutil.copytree(kept, tmp_path / "own")


def assert_same(a, b):
    """Bit for bit, but for the seconds."""
    assert (a.recipe, a.seed, a.outcome, a.epoch, a.score, a.metrics) == (
        b.recipe, b.seed, b.outcome, b.epoch, b.score, b.metrics,
    )  # fmt: skip
    jax.tree.map(np.testing.assert_array_equal, (a.history, a.params, a.state), (b.history, b.params, b.state))
    assert (a.vitals is None) == (b.vitals is None)
    if a.vitals is not None and b.vitals is not None:
        assert a.vitals.epochs.tolist() == b.vitals.epochs.tolist()
        jax.tree.map(np.testing.assert_array_equal, a.vitals.vitals, b.vitals.vitals)


def test_a_kept_training_is_the_plain_one(plain, tmp_path):
    assert_same(train(tmp_path / "own"), plain)


def test_it_goes_on_where_it_was(plain, kill, begun, tmp_path):
    kill(2, train, tmp_path)
    kill(3, train, tmp_path)
    del begun[:]
    assert_same(train(tmp_path), plain)
    assert [first for first in begun if first] == [5, 6, 7][: len(plain.history["loss"]) - 5]


def test_one_that_is_done_gives_its_run_at_once(plain, begun, tmp_path):
    train(tmp_path, log=tmp_path / "log")
    journal = (tmp_path / "log.log.jsonl").read_bytes()
    del begun[:]
    assert_same(train(tmp_path, log=tmp_path / "log"), plain)
    assert not begun
    assert (tmp_path / "log.log.jsonl").read_bytes() == journal
    assert_same(kl.load(tmp_path / "runs" / "0"), plain)


def test_a_watched_one_goes_on_in_its_parts_and_says_nothing_twice(kill, tmp_path):
    fast = RECIPE.replace(optimizer=optim.SGD(30.0), stopping=None)

    def said(call, *given, **more):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", kl.FindingWarning)
            found = call(*given, **more)
        return found, [str(each.message) for each in caught if each.category is kl.FindingWarning]

    watch = {"recipe": fast, "watch": kl.Watch(every=1)}
    whole, expected = said(train, None, **watch, log=tmp_path / "whole")
    assert expected
    told = said(kill, 5, train, tmp_path / "own", **watch, log=tmp_path / "log")[1]
    told += said(kill, 2, train, tmp_path / "own", **watch, log=tmp_path / "log")[1]
    run, rest = said(train, tmp_path / "own", **watch, log=tmp_path / "log")
    assert_same(run, whole)
    assert told + rest == expected
    assert parted(tmp_path / "log") == parted(tmp_path / "whole")
    assert said(train, tmp_path / "own", **watch)[1] == []


def test_the_journal_goes_on(kill, tmp_path):
    train(tmp_path / "whole", log=tmp_path / "a")
    kill(3, train, tmp_path / "own", log=tmp_path / "b")
    with (tmp_path / "b.log.jsonl").open("a") as file:
        file.write('{"first":3,"members":[0],"lines":{"loss":[[1.0')  # killed while it wrote
    train(tmp_path / "own", log=tmp_path / "b")
    assert parted(tmp_path / "a") == parted(tmp_path / "b")
    head = json.loads((tmp_path / "b.log.jsonl").read_text().splitlines()[0])
    assert head["pid"] == os.getpid()


@pytest.mark.parametrize("watch", [None, kl.Watch(every=2)], ids=["plain", "watched"])
def test_a_fleet_stands_as_it_stood(kill, begun, tmp_path, monkeypatch, watch):
    monkeypatch.setattr(
        sys.modules["kilter.train.plan"], "width_for", lambda cost: 1
    )  # several stacks, which get fewer
    whole = fleet(tmp_path / "whole", watch=watch)
    for count in (1, 3, 3):
        kill(count, fleet, tmp_path / "own", watch=watch)
    del begun[:]
    for a, b in zip(fleet(tmp_path / "own", watch=watch), whole, strict=True):
        assert_same(a, b)
    assert min(first for first in begun if first) == 7


def test_smaller_stacks_are_found_again(kill, tmp_path, monkeypatch):
    monkeypatch.setattr(regrouping, "_PAYS", 0.0)  # always compile
    whole = fleet(tmp_path / "whole")
    for count in (2, 4):
        kill(count, fleet, tmp_path / "own")
    for a, b in zip(fleet(tmp_path / "own"), whole, strict=True):
        assert_same(a, b)


def test_fewer_devices_take_what_more_have_left(kill, tmp_path, monkeypatch):
    if jax.local_device_count() == 1:
        pytest.skip("one device")
    whole = fleet(tmp_path / "whole")
    kill(3, fleet, tmp_path / "own")
    monkeypatch.setattr(layout.jax, "local_device_count", lambda: 1)
    for a, b in zip(fleet(tmp_path / "own"), whole, strict=True):
        assert a.outcome == b.outcome
        np.testing.assert_allclose(a.history["loss"], b.history["loss"], rtol=1e-3)


def test_groups_that_have_ended_are_not_trained_again(kill, begun, tmp_path):
    recipes = [
        RECIPE.replace(epochs=4),
        RECIPE.replace(epochs=4, net=nn.Chain(nn.Dense(4), nn.LayerNorm(), nn.Dense(3))),
    ]

    def both(folder):
        return kl.train_fleet(recipes, DATA, checkpoint=folder, every="1 epoch", progress=False)

    whole = both(tmp_path / "whole")
    kill(6, both, tmp_path / "own")
    del begun[:]
    for a, b in zip(both(tmp_path / "own"), whole, strict=True):
        assert_same(a, b)
    assert [first for first in begun if first] == [2, 3]


def test_ctrl_c_leaves_a_checkpoint_and_the_run(plain, tmp_path, monkeypatch):
    def press(line, done, history):
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(engine.Line, "advance", press)
        patch.setattr(engine, "_LOOK", 1e-9)  # look after every epoch
        run = train(tmp_path, every="1h")
    assert run.outcome is kl.Outcome.INTERRUPTED
    assert len(run.history["loss"]) == 3
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    assert_same(train(tmp_path), plain)


def test_a_spoiled_checkpoint_is_passed_over(own, plain, begun):
    shutil.rmtree(own / "checkpoints" / "3" / "whole")
    with pytest.warns(DoubtWarning, match=r"checkpoints/3 is corrupt"):
        assert_same(train(own), plain)
    assert begun[1] == 2


def test_a_full_disk_does_not_end_it(plain, tmp_path, monkeypatch):
    def full(*given):
        raise FileError("cannot write a file: No space left on device")

    write = files.write

    monkeypatch.setattr(checkpoints, "_saving", full)
    monkeypatch.setattr(
        files, "write", lambda path, content: write(path, content) if path.parent == tmp_path else full()
    )
    with pytest.warns(DoubtWarning) as warned:
        assert_same(train(tmp_path), plain)
    told = [str(each.message) for each in warned]
    assert len(told) == 2
    assert told[0].startswith("cannot write a checkpoint to ")
    assert told[1] == "cannot write a file: No space left on device; what was trained is not kept there"


OTHERS = {
    "another recipe": {"recipe": RECIPE.replace(epochs=9)},
    "another seed": {"seed": 1},
    "other data": {"data": kl.data.from_arrays(X + 1, Y, seed=0)},
    "another watch": {"watch": "default"},
    "another heal": {"heal": True},
}


@pytest.mark.parametrize("told", OTHERS)
def test_another_training_is_refused(kept, begun, told):
    with pytest.raises(
        InputError, match=rf"^checkpoint: .*own holds a training of {told}; name another folder"
    ) as error:
        train(kept, **OTHERS[told])
    assert "\n" not in str(error.value)
    assert not begun


def test_another_start_is_refused(kept, plain):
    with pytest.raises(InputError, match="holds a training of another start"):
        train(kept, start=plain)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            {"version": 0},
            r"^cannot read .*: it was written by an older Kilter \(format 0, this one reads 1\); go on with",
        ),
        ({"version": 99}, r"^cannot read .*: it was written by a newer Kilter"),
        (
            {"made": {"kilter": "0.0.1"}},
            r"^checkpoint: .* was written with kilter 0.0.1, which may not train to the same bits",
        ),
        ({"made": {"jax": "0.1"}}, r"^checkpoint: .* was written with jax 0.1, which may not"),
        ({"version": None}, r"^cannot read .*: training.json is not the description of a training"),
        ({"made": None}, r"^cannot read .*training.json: the file is corrupt"),
    ],
)
def test_other_versions_are_refused(own, facts, sentence):
    whole = json.loads((own / "training.json").read_text())
    (own / "training.json").write_text(json.dumps(whole | facts))
    with pytest.raises(InputError, match=sentence) as error:
        train(own)
    assert "\n" not in str(error.value)


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").write_text("")
    with pytest.raises(FileError, match=r"^cannot write .*own: something else stands there"):
        train(tmp_path / "own")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"^cannot write .*file: something else stands there"):
        train(tmp_path / "file")


def test_a_spoiled_description_gets_a_sentence(own):
    (own / "training.json").write_text('{"version": 1, ')
    with pytest.raises(FileError, match=r"^cannot read .*training.json: the file is corrupt"):
        train(own)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"every": "soon"}, "every='soon': every must be a number of seconds above 0"),
        ({"keep": 0}, "keep=0: keep must be a whole number, at least 1"),
    ],
)
def test_settings_out_of_range_get_a_sentence(tmp_path, given, sentence):
    with pytest.raises(InputError, match=sentence):
        train(tmp_path / "own", **given)
    assert not (tmp_path / "own").exists()


HOLDER = """
import sys
from pathlib import Path
from kilter.core.lock import alone
with alone(Path(sys.argv[1]), ".training.json.lock", "checkpoint", "training"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time_trains_in_a_folder(plain, own):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(own)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(FileError, match=r"^checkpoint: another training is at work in .*own; wait until"):
            train(own)
    finally:
        other.kill()
        other.communicate()
    assert_same(train(own), plain)


def test_the_best_stays(own):
    train(own, keep=1)
    left = sorted(int(path.name) for path in (own / "checkpoints").iterdir())
    assert 1 <= len(left) <= 2


@pytest.mark.parametrize("lr", [1e4, 1e-9], ids=["diverges", "learns nothing"])
def test_healing_goes_on_where_it_was(lr, kill, tmp_path, monkeypatch):
    hopeless = RECIPE.replace(optimizer=optim.SGD(lr), stopping=None, epochs=40)
    given = {"recipe": hopeless, "heal": True, "every": "10 epochs"}
    whole = train(tmp_path / "whole", **given, log=tmp_path / "a")
    assert whole.recipe != hopeless
    assert_same(train(None, **given), whole)
    lost = len(list((tmp_path / "whole" / "checkpoints").iterdir()))
    for count in (1, lost + 2, 1):  # within the lost training, and twice within the second one
        kill(count, train, tmp_path / "own", **given, log=tmp_path / "b")
        if (tmp_path / "own" / "cure.json").exists():
            monkeypatch.setattr("kilter.doctor.healing.cure", None)  # not made again
    assert_same(train(tmp_path / "own", **given, log=tmp_path / "b"), whole)
    assert [path.name for path in (tmp_path / "own" / "healed" / "runs").iterdir()] == ["0"]
    assert parted(tmp_path / "a") == parted(tmp_path / "b")
    assert_same(train(tmp_path / "own", **given), whole)


def parted(path):
    """Lines of a journal but for times and processes, and the epochs of each member in one list."""
    found, epochs = [], {}
    for line in map(json.loads, path.with_suffix(".log.jsonl").read_text().splitlines()):
        if "lines" in line:
            (member,) = line["members"]
            own = epochs.setdefault(member, [])
            assert line["first"] == len(own)
            own += zip(*(column for columns in line["lines"].values() for column in columns), strict=True)
        else:
            found.append({name: each for name, each in line.items() if name not in ("started", "pid", "born", "ended")})
    return found, epochs
