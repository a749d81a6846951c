"""Journals: whole lines of plain JSON, an end that is told, and a full disk that ends the log alone."""

import json

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import DoubtWarning, FileError
from kilter.core.journal import ENDING, Journal, plain
from kilter.train.notes import CURVES, NUMBERS, note_epochs, noting
from kilter.train.task import Task

RECIPE = kl.Recipe(
    nn.Chain(nn.Dense(4), nn.ReLU(), nn.Dense(3)), losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01)
)


def lines(path):
    return [json.loads(line) for line in path.with_name(path.name + ENDING).read_text().splitlines()]


def test_numbers_that_are_not_finite_are_null(tmp_path):
    journal = Journal(tmp_path / "a", "training", "<b>")
    journal.add(first=0, lines={"loss": np.array([[1.0, np.nan, np.inf]])}, score=float("nan"))
    head, line = lines(tmp_path / "a")
    assert (head["kind"], head["title"]) == ("training", "<b>")
    assert line == {"first": 0, "lines": {"loss": [[1.0, None, None]]}, "score": None}


def test_the_end_is_told(tmp_path):
    with Journal.kept(tmp_path / "a", "training", "x"):
        pass
    with pytest.raises(ValueError, match="no luck"), Journal.kept(tmp_path / "b", "training", "x"):
        raise ValueError("no luck")
    assert "error" not in lines(tmp_path / "a")[-1]
    assert lines(tmp_path / "b")[-1]["error"] == "no luck"


def test_no_path_is_no_journal():
    with Journal.kept(None, "training", "x") as journal:
        assert journal is None


def test_a_full_disk_is_warned_of_once(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "a", "training", "x")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kilter.core.journal._present", full)
    with pytest.warns(DoubtWarning, match=r"a\.log\.jsonl ends here: No space left on device"):
        journal.add(first=0)
    journal.add(first=1)


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot write"):
        Journal(tmp_path / "file" / "a", "training", "x")


def test_a_logged_fleet_is_the_plain_one_and_its_log_the_history(tmp_path, iris):
    recipes = [RECIPE.replace(epochs=7), RECIPE.replace(epochs=4)]
    plain = kl.train_fleet(recipes, iris, seeds=[0, 1], progress=False)
    logged = kl.train_fleet(recipes, iris, seeds=[0, 1], log=tmp_path / "fleet", progress=False)
    head, *rest = lines(tmp_path / "fleet")
    assert [member["epochs"] for member in head["members"]] == [7, 7, 4, 4]
    for index, (a, b) in enumerate(zip(plain, logged, strict=True)):
        np.testing.assert_array_equal(a.history["loss"], b.history["loss"])
        noted = {}
        for line in rest:
            if index in line.get("members", ()):
                column = line["lines"]["loss"][line["members"].index(index)]
                noted |= dict(enumerate(column, line["first"]))
        told = [noted[epoch] for epoch in range(len(b.history["loss"]))]
        np.testing.assert_allclose(told, b.history["loss"], rtol=1e-5)
    ends = {line["member"]: line["score"] for line in rest if "member" in line}
    np.testing.assert_allclose([ends[index] for index in range(4)], [run.score for run in logged], rtol=1e-6)


def test_searches_and_watched_trainings_are_noted(tmp_path, iris):
    kl.search(
        RECIPE.put("optimizer.lr", kl.LogUniform(1e-3, 1e-1)).replace(epochs=2),
        iris,
        trials=3,
        log=tmp_path / "s",
        progress=False,
    )
    assert [line["result"] for line in lines(tmp_path / "s") if "result" in line] == [0, 1, 2]
    with pytest.warns(kl.FindingWarning):
        kl.train(
            RECIPE.put("optimizer.lr", -0.1).replace(epochs=3),
            iris,
            watch="default",
            log=tmp_path / "w",
            progress=False,
        )
    noted = [line for line in lines(tmp_path / "s") if "lines" in line]
    assert {member for line in noted for member in line["members"]} == {0, 1, 2}
    told = [line["found"] for line in lines(tmp_path / "w") if "found" in line]
    assert told[0].startswith("after epoch 1: optimizer.lr: the learning rate is negative")
    noted = [line["first"] for line in lines(tmp_path / "w") if "lines" in line]
    assert noted == [0, 1, 2]


def test_a_member_that_has_ended_is_noted_no_more(tmp_path):
    class Kept:
        done, best = 0, None

        def add(self, **line):
            self.line = plain(line)

    task, lasted = Task([(RECIPE, 0), (RECIPE, 1)], None, journal=Kept()), np.array([[0.1, 0.1], [0.1, np.nan]])
    note_epochs(task, 4, {"lr": lasted, "loss": np.array([[2.0, 1.0], [np.inf, np.nan]])})
    assert task.journal.line["lines"]["loss"] == [[2.0, 1.0], [None]]
    note_epochs(task, 6, {"lr": np.where(lasted.T > 0, lasted.T, np.nan)[:, 1:], "loss": np.ones((2, 1))})
    assert task.journal.line["members"] == [0]


def test_a_note_is_bounded_for_fleets_and_epochs_of_any_number(tmp_path):
    class Kept:
        done, best = 0, None

        def add(self, **line):
            self.line = plain(line)

    count, epochs = 5000, 700
    loss = np.random.default_rng(0).random((count, epochs))
    loss[0, 77] = 9.0
    task = noting(Task([(RECIPE, seed) for seed in range(count)], None), Kept(), range(count))
    note_epochs(task, 100, {"lr": np.ones((count, epochs)), "loss": loss})
    line = task.journal.line
    assert len(line["members"]) <= CURVES
    assert sum(len(each) for columns in line["lines"].values() for each in columns) <= NUMBERS
    assert line["lines"]["loss"][0][line["epochs"]["loss"][0].index(177)] == 9.0
    assert line["reached"] == 800


def test_a_journal_that_another_has_begun_anew_is_left_to_it(tmp_path):
    first = Journal(tmp_path / "a", "training", "first")
    Journal(tmp_path / "a", "training", "second")
    with pytest.warns(DoubtWarning, match="another process has begun it anew"):
        first.add(told="late")
    assert [line["title"] for line in lines(tmp_path / "a")] == ["second"]
    (tmp_path / f"a{ENDING}").unlink()
    first.add(told="later")
    assert not (tmp_path / f"a{ENDING}").exists()
