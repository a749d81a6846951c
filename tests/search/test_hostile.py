"""Folders and databases that a study cannot be kept in: one sentence each, and nothing is lost."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import optuna
import pytest

import kilter as kl
from kilter import losses, nn, optim, strategies
from kilter.core.errors import DoubtWarning, FileError
from kilter.core.lock import alone

SPACE = kl.Recipe(
    nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3)),
    losses.SoftmaxCrossEntropy(),
    optimizer=optim.SGD(kl.LogUniform(1e-3, 1.0), momentum=0.5),
    epochs=2,
)


def search(iris, **given):
    return kl.search(SPACE, iris, **{"trials": 2, "strategy": strategies.Random(), "progress": False} | given)


def test_folders_that_cannot_be_written_get_one_sentence(iris, tmp_path):
    (tmp_path / "file").write_text("")
    places = [tmp_path / "file" / "study", tmp_path / "file", "/proc/none/study"]
    if os.geteuid() != 0:  # no one forbids root to write
        (tmp_path / "closed").mkdir(mode=0o500)
        places += [tmp_path / "closed" / "study", tmp_path / "closed"]
    for place in places:
        with pytest.raises(FileError, match=r"^cannot write .*: ") as error:
            search(iris, storage=place)
        assert "\n" not in str(error.value)


HOLDER = """
import sys
from pathlib import Path
from kilter.core.lock import alone
with alone(Path(sys.argv[1]), ".study.json.lock", "storage", "search"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_search_at_a_time_works_in_a_folder(iris, tmp_path):
    folder = tmp_path / "study"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(FileError, match=r"^storage: another search is at work in .*study; wait until it has ended"):
            search(iris, storage=folder)
    finally:
        other.kill()  # as kill -9 does; the folder is free again
        other.communicate()
    assert len(search(iris, storage=folder).trials) == 2
    held = alone(folder, ".study.json.lock", "storage", "search")
    with held, pytest.raises(FileError, match="another search is at work"):
        search(iris, storage=folder)
    assert len(search(iris, storage=folder, trials=3).trials) == 3


def test_a_search_that_fails_lets_go_of_its_folder(iris, tmp_path):
    folder = tmp_path / "study"
    search(iris, storage=folder)
    whole = (folder / "study.json").read_text()
    (folder / "study.json").write_text(whole[:50])
    with pytest.raises(FileError, match="corrupt"):
        search(iris, storage=folder)
    (folder / "study.json").write_text(whole)
    assert len(search(iris, storage=folder).trials) == 2


@pytest.mark.parametrize("url", ["nonsense", "postgresql://none.invalid/studies", "sqlite:////none/where/studies.db"])
def test_optuna_storages_that_cannot_be_reached_get_one_sentence(iris, url):
    with pytest.raises(FileError, match=r"^optuna: the storage .* cannot be used \(") as error:
        search(iris, optuna=url)
    assert "\n" not in str(error.value)


def test_an_optuna_database_that_another_holds_gets_one_sentence(iris, tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    search(iris, trials=1, optuna=url)
    with closing(sqlite3.connect(tmp_path / "studies.db")) as held:
        held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FileError, match=r"cannot be used \(.*locked"):
            search(iris, optuna=f"{url}?timeout=0.1")
        held.rollback()


def test_a_search_outlives_an_optuna_storage_that_fails_for_a_while(iris, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    add, calls = optuna.Study.add_trial, []

    def shaky(study, trial):
        calls.append(trial)
        if len(calls) == 2:
            raise OSError("disk I/O error")
        return add(study, trial)

    monkeypatch.setattr(optuna.Study, "add_trial", shaky)
    monkeypatch.setattr(strategies.Random, "batch", 2)
    with pytest.warns(DoubtWarning, match="disk I/O error.*the search goes on and tries again"):
        study = search(iris, trials=4, optuna=url)
    assert len(study.trials) == 4
    (name,) = optuna.get_all_study_names(url)
    told = optuna.load_study(study_name=name, storage=url).trials
    assert sorted(trial.user_attrs["kilter_trial"] for trial in told) == [0, 1, 2, 3]
