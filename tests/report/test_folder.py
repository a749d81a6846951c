"""Pages of folders: what was saved there is shown, what is broken is named, and what is nothing is told in a sentence."""

import shutil

import numpy as np
import pytest

import kilter as kl
from kilter import cli, losses, nn, optim
from kilter.core.errors import FileError
from kilter.doctor import Cure
from kilter.report.folder import of_folder

NET = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
RECIPE = kl.Recipe(NET, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.02), epochs=4)


@pytest.fixture(scope="module")
def data():
    return kl.data.iris()


@pytest.fixture
def run(data):
    return kl.train(RECIPE, data, progress=False)


def titles(report):
    return [section.title for section in report.sections]


def test_a_run(run, tmp_path):
    assert titles(of_folder(run.save(tmp_path / "run")))[0] == "Did it learn?"


def test_broken_runs_are_named_and_the_others_shown(run, tmp_path):
    for name in ("good", "torn", "half", "corrupt"):
        run.save(tmp_path / name)
    (tmp_path / "torn" / "weights.safetensors").write_bytes(b"\x08\0\0")
    (tmp_path / "half" / "run.json").unlink()
    (tmp_path / "corrupt" / "run.json").write_text('{"version": 1}')
    (tmp_path / "lost.log.jsonl").write_text('{"kilter": 1}\n')
    report = of_folder(tmp_path)
    assert titles(report)[:2] == ["Did they learn?", "What is left out"]
    assert [row[0] for row in report.sections[0].blocks[1].rows] == ["good"]
    told = [notice.words for notice in report.sections[1].blocks]
    assert [name for name in ("torn", "half", "corrupt", "lost") if not any(name in words for words in told)] == []


def test_runs_of_other_kinds_are_not_ranked(run, tmp_path):
    rng = np.random.default_rng(0)
    other = kl.data.from_arrays(rng.normal(size=(40, 4)), rng.normal(size=40))
    recipe = RECIPE.replace(net=nn.Dense(1), loss=losses.SquaredError(), epochs=1)
    run.save(tmp_path / "a")
    run.save(tmp_path / "b")
    kl.train(recipe, other, progress=False).save(tmp_path / "c")
    report = of_folder(tmp_path)
    assert [row[0] for row in report.sections[0].blocks[1].rows] == ["a", "b"]
    assert "1 of 3 runs" in report.sections[1].blocks[0].words


def test_a_study_without_its_rows(data, tmp_path):
    space = RECIPE.put("optimizer.lr", kl.LogUniform(1e-3, 1e-1))
    study = kl.search(space, data, trials=4, storage=tmp_path / "study", progress=False)
    report = of_folder(tmp_path / "study")
    assert titles(report)[0] == "What was found?"
    assert [row[0] for row in report.sections[0].blocks[1].rows] == [str(trial.id) for trial in study.ranked]
    shutil.rmtree(tmp_path / "study" / "runs")
    with pytest.raises(FileError, match="cannot read"):
        of_folder(tmp_path / "study")


def test_a_checkup_and_a_cure(data, tmp_path):
    check = kl.examine(RECIPE.put("optimizer.lr", -0.02), data)
    assert [notice.severity for notice in of_folder(check.save(tmp_path / "check.json")).sections[0].blocks] == [
        "error"
    ]
    rows = [
        {"kind": kind, "change": "batch_norm", "score": (0.5,), "mean": 0.5, "effect": 0.1, "low": low, "high": 1.0,
         "verdict": "", "seconds": 0.1} for kind, low in (("remedy", 0.0), ("random", -np.inf))
    ]  # fmt: skip
    cure = Cure(RECIPE, RECIPE, None, None, None, None, check, tuple(rows), (0.5, np.nan), "accuracy", 1.0)
    report = of_folder(cure.save(tmp_path / "cure"))
    assert report.html.count("batch_norm") > 1
    assert titles(report) == titles(kl.report(cure, data))
    for text in ("[]", "{}", "no json"):
        (tmp_path / "cure" / "cure.json").write_text(text)
        with pytest.raises(FileError, match=r"cannot read .*cure\.json: it is no checkup or cure"):
            of_folder(tmp_path / "cure")


def test_what_is_nothing_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="there is no run, ensemble, study or cure"):
        of_folder(tmp_path / "empty")
    with pytest.raises(FileError, match="no such folder"):
        of_folder(tmp_path / "nowhere")


def test_the_command_says_in_a_sentence_what_is_wrong(run, tmp_path, monkeypatch, capsys):
    saved = run.save(tmp_path / "run")
    (tmp_path / "file").write_text("")
    for given in ([str(tmp_path / "nowhere")], [str(saved), "--out", str(tmp_path / "file" / "page.html")]):
        monkeypatch.setattr("sys.argv", ["kilter", "report", *given])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
