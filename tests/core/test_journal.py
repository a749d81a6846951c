"""Journals: whole lines of plain JSON, an end that is told, and a full disk that ends the log alone."""

import json

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import DoubtWarning, FileError
from kilter.core.journal import ENDING, Journal

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
    told = [line["found"] for line in lines(tmp_path / "w") if "found" in line]
    assert told[0].startswith("after epoch 1: optimizer.lr: the learning rate is negative")
    noted = [line["first"] for line in lines(tmp_path / "w") if "lines" in line]
    assert noted == [0, 1, 2]
