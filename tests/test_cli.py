"""The command line on real tables, and what it answers to bad input: one sentence, exit code 2, no traceback."""

import json
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest

import kilter as kl
from kilter import cli, losses, nn, optim


def wages(rows: int, seed: int = 0) -> pd.DataFrame:
    """A table with numbers, categories, dates and missing values; the wage follows from them."""
    rng = np.random.default_rng(seed)
    job = rng.choice(["nurse", "clerk", "pilot"], rows)
    hired = pd.Timestamp("2010-01-01") + pd.to_timedelta(rng.integers(0, 4000, rows), unit="D")
    school = rng.integers(8, 20, rows).astype(float)
    base = pd.Series(job).map({"nurse": 30.0, "clerk": 20.0, "pilot": 60.0}).to_numpy()
    wage = base + 2 * (school - 12) - (hired - hired.min()).days.to_numpy() / 400 + rng.normal(0, 2, rows)
    school[rng.random(rows) < 0.1] = np.nan
    frame = pd.DataFrame({"job": job, "hired": hired.strftime("%Y-%m-%d"), "school": school, "wage": wage.round(2)})
    frame.loc[rng.random(rows) < 0.05, "job"] = None
    return frame


@pytest.fixture
def kilter(monkeypatch, capsys, tmp_path):
    """Call the command in this process: arguments in, exit code, output and errors out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["kilter", *map(str, arguments)])
        code = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default")
                cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def table(tmp_path):
    wages(400).to_csv(tmp_path / "wages.csv", index=False)
    return tmp_path / "wages.csv"


def test_regression_from_table_to_predictions(kilter, table, tmp_path):
    code, out, err = kilter("fit", table, "--target", "wage", "--out", "run", "--epochs", "30")
    assert (code, err) == (0, "")
    assert "r2" in out
    assert "kilter predict run" in out
    new = wages(50, seed=1)
    new.drop(columns="wage").to_parquet(tmp_path / "new.parquet")
    code, out, _ = kilter("predict", "run", "new.parquet", "--out", "predictions.csv")
    assert code == 0
    predicted = pd.read_csv(tmp_path / "predictions.csv")
    assert np.corrcoef(predicted["prediction"], new["wage"])[0, 1] > 0.9
    assert (tmp_path / "run" / "report.html").read_text().count('<figure class="chart"') >= 3


def test_classes_come_with_probabilities_and_the_recipe_can_be_used_again(kilter, table, tmp_path):
    frame = wages(400)
    frame["paid"] = np.where(frame["wage"] > frame["wage"].median(), "well", "<b>badly</b>")
    frame.drop(columns="wage").to_csv(table, index=False)
    code, out, _ = kilter("fit", table, "--target", "paid", "--out", "run", "--epochs", "20")
    assert code == 0
    assert "accuracy" in out
    assert "<b>badly" not in (tmp_path / "run" / "report.html").read_text()
    code, _, _ = kilter("predict", "run", table, "--out", "p.parquet")
    assert code == 0
    found = pd.read_parquet(tmp_path / "p.parquet")
    assert list(found.columns) == ["prediction", "probability of <b>badly</b>", "probability of well"]
    assert np.allclose(found.iloc[:, 1:].sum(axis=1), 1, atol=1e-5)
    assert (found["prediction"] == frame["paid"]).mean() > 0.85
    code, _, _ = kilter("fit", table, "--target", "paid", "--recipe", "run/recipe.json", "--epochs", "2", "--out", "b")
    assert code == 0
    assert json.loads((tmp_path / "b" / "recipe.json").read_text())["value"]["epochs"] == 2


def test_a_search_keeps_its_best_run_and_goes_on(kilter, table, tmp_path):
    net = nn.Chain(nn.Dense(4), nn.ReLU(), nn.Dense(1))
    small = kl.Recipe(net, losses.SquaredError(), optimizer=optim.Adam(), epochs=2, inputs=kl.data.Standardize())
    (tmp_path / "space.json").write_text(kl.space(small, "optimizer.lr").to_json())
    search = ["search", table, "--target", "wage", "--out", "run", "--trials"]
    code, out, err = kilter(*search, 4, "--space", "space.json", "--storage", "study", "--seed", 3)
    assert (code, err) == (0, "")
    assert "4 trials" in out
    assert "importance" in out
    code, out, _ = kilter(*search, 5, "--resume", "study")
    assert (code, "5 trials" in out) == (0, True)
    assert kilter("predict", "run", table)[0] == 0
    for more in (
        ["--seed", 4, "--storage", "study", "--space", "space.json"],
        ["--strategy", "none"],
        ["--resume", "no"],
        ["--objective", "size"],
    ):
        code, _, err = kilter(*search, 5, *more)
        assert (code, len(err.splitlines())) == (2, 1)
    assert kilter(*search, 5, "--resume", "study", "--strategy", "tpe")[0] == 2
    assert kilter(*search, 5, "--resume", "study", "--objective", "parameters")[0] == 2
    code, out, _ = kilter(*search, 2, "--space", "space.json", "--objective", "parameters")
    assert (code, "parameters" in out) == (0, True)


def test_predictions_go_to_standard_output_without_a_file(kilter, table):
    assert kilter("fit", table, "--target", "wage", "--out", "run", "--epochs", "1")[0] == 0
    code, out, _ = kilter("predict", "run", table)
    assert code == 0
    assert out.startswith("prediction\n")
    assert len(out.splitlines()) == 401


def test_version_and_help(kilter):
    code, out, _ = kilter("--version")
    assert code == 0
    assert out.startswith("kilter 0.")
    code, out, _ = kilter("fit", "--help")
    assert code == 0
    assert "kilter fit wages.csv --target wage" in " ".join(out.split())


def test_catalog_prints_text_and_the_page(kilter):
    code, out, _ = kilter("catalog")
    assert code == 0
    assert out.startswith("LAYER\n")
    code, out, _ = kilter("catalog", "--markdown")
    assert code == 0
    assert out.startswith("# How to choose\n")


BAD_FITS = {
    "no such file": (["fit", "none.csv", "--target", "wage"], "none.csv"),
    "missing target": (["fit", "wages.csv", "--target", "wages"], "wage"),
    "one class": (["fit", "one.csv", "--target", "y"], "one class"),
    "empty file": (["fit", "empty.csv", "--target", "y"], "empty.csv"),
    "only a head": (["fit", "head.csv", "--target", "y"], "head.csv"),
    "junk": (["fit", "junk.parquet", "--target", "y"], "junk.parquet"),
    "no recipe file": (["fit", "wages.csv", "--target", "wage", "--recipe", "none.json"], "none.json"),
    "recipe of junk": (["fit", "wages.csv", "--target", "wage", "--recipe", "wages.csv"], "JSON"),
    "negative epochs": (["fit", "wages.csv", "--target", "wage", "--epochs", "-1"], "epochs"),
    "share over one": (["fit", "wages.csv", "--target", "wage", "--test", "1.5"], "test"),
    "negative seed": (["fit", "wages.csv", "--target", "wage", "--seed", "-1"], "seed"),
    "unwritable folder": (
        ["fit", "wages.csv", "--target", "wage", "--epochs", "1", "--out", "wages.csv/run"],
        "wages.csv",
    ),
    "no run": (["predict", "nowhere", "wages.csv"], "nowhere"),
    "foreign folder": (["predict", ".", "wages.csv"], "not a run"),
}


@pytest.mark.parametrize("name", BAD_FITS)
def test_bad_input_gets_one_sentence(kilter, table, tmp_path, name):
    (tmp_path / "one.csv").write_text("x,y\n" + "1,a\n" * 30)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "head.csv").write_text("x,y\n")
    (tmp_path / "junk.parquet").write_bytes(bytes(range(256)))
    arguments, said = BAD_FITS[name]
    before = sorted(path.name for path in tmp_path.iterdir())
    code, _, err = kilter(*arguments)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_missing_column_at_predict(kilter, table, tmp_path):
    assert kilter("fit", table, "--target", "wage", "--out", "run", "--epochs", "1")[0] == 0
    wages(5).drop(columns="job").to_csv(tmp_path / "new.csv", index=False)
    code, _, err = kilter("predict", "run", "new.csv", "--out", "p.csv")
    assert code == 2
    assert "job" in err
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_learned(table, tmp_path):
    command = [sys.executable, "-m", "kilter", "fit", str(table), "--target", "wage", "--epochs", "1000000"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "run")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    first = process.stdout.readline()
    assert first.startswith("Dataset(")
    time.sleep(20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "interrupted" in out
    assert (tmp_path / "run" / "weights.safetensors").is_file()
    assert "Traceback" not in err


def test_a_folder_that_cannot_be_written_is_refused_before_the_training(kilter, table, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    monkeypatch.setattr(cli.kl, "train", lambda *_, **__: pytest.fail("trained for nothing"))
    for folder in ("mine", "wages.csv", "/proc/runs/a"):
        code, _, err = kilter("fit", table, "--target", "wage", "--out", folder)
        assert code == 2
        assert folder in err
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_fit_goes_on_from_a_checkpoint(kilter, table, tmp_path):
    given = ("fit", table, "--target", "wage", "--epochs", "6", "--checkpoint", "kept", "--every", "2 epochs")
    assert kilter(*given, "--out", "run")[0] == 0
    assert list((tmp_path / "kept" / "checkpoints").iterdir())
    assert kilter(*given, "--out", "again")[0] == 0  # at once
    assert (tmp_path / "run" / "history.csv").read_text() == (tmp_path / "again" / "history.csv").read_text()
    code, _, err = kilter(*given, "--seed", "1")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "holds a training of other data" in err or "holds a training of another seed" in err
    code, _, err = kilter("fit", table, "--target", "wage", "--checkpoint", "kept", "--every", "soon")
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith("kilter: every='soon': every must be a number of seconds above 0")
