"""A training that is killed, wherever it is, and begun again ends bit for bit as one that nobody has killed."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import kills
from kilter.train.checkpoints import Checkpoints

pytestmark = pytest.mark.slow
# Of the longest networks; the full form, `python benchmarks/kills.py`, trains for longer and kills 36 times.
EPOCHS = 12


@pytest.mark.parametrize(("case", "times"), [("watched", 2), ("fleet", 1)])
def test_kills_leave_no_trace(case, times):
    told = kills.compared(case, EPOCHS, times, seed=1)
    assert sum(len(each.kills) for each in told) == times
    assert [each.differing for each in told] == [[]] * len(told)


def test_a_kill_while_a_checkpoint_is_written_leaves_no_trace(tmp_path):
    """The unfinished one is swept, and the training goes on from the one before."""
    folder = tmp_path / "killed"
    process = kills.begun("alone", EPOCHS, folder)
    checkpoints = folder / "kept" / "checkpoints"
    while not any(path.name == "3" for path in checkpoints.glob("*")):
        assert process.poll() is None
    assert kills.is_writing(process, folder)
    kills.kill(process)
    assert list(checkpoints.glob("*.orbax-checkpoint-tmp*"))
    for name in ("killed", "whole"):
        assert kills.ended(kills.begun("alone", EPOCHS, tmp_path / name))
    assert not list(checkpoints.glob("*.orbax-checkpoint-tmp*"))
    assert kills.differing(*(kills.outcome(tmp_path / name) for name in ("whole", "killed"))) == []


def test_a_kill_within_an_epoch_of_a_stream_leaves_no_trace(tmp_path):
    folder = tmp_path / "killed"
    meta = {}
    while "windows" not in meta:  # the last checkpoint was one at the end of an epoch
        process = kills.begun("streamed", EPOCHS // 3, folder)
        assert kills.reaches(process, folder, kills.newest(folder) + 2)
        kills.kill(process)
        meta = Checkpoints(folder / "kept" / "checkpoints").latest().meta
    for name in ("killed", "whole"):
        assert kills.ended(kills.begun("streamed", EPOCHS // 3, tmp_path / name))
    assert kills.differing(*(kills.outcome(tmp_path / name) for name in ("whole", "killed"))) == []


def test_a_difference_would_be_found():
    runs = {"runs": [{"params": "a", "history": "b"}], "journal": [1]}
    other = {"runs": [{"params": "c", "history": "b"}], "journal": [2]}
    assert kills.differing(runs, other) == ["0 params", "journal"]
