"""The command line on a folder of Parquet files: rows are streamed, and what broke off is kept."""

import sys
import warnings

import numpy as np
import pytest
from pyarrow import parquet, table

import kilter as kl
from kilter import cli
from kilter.cli import common

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(600, 3))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows").mkdir()
    for number, part in enumerate(np.array_split(np.arange(600), 3)):
        columns = {f"x{index}": X[part, index] for index in range(3)} | {"y": np.where(X[part, 0] > 0, "yes", "no")}
        parquet.write_table(table(columns), tmp_path / "rows" / f"{number}.parquet")
    return tmp_path / "rows"


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["kilter", *map(str, arguments)])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    code = 0
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code or 0
    return code, capsys.readouterr()


def test_a_folder_is_streamed(folder, monkeypatch, capsys):
    code, said = call(monkeypatch, capsys, "fit", folder, "--target", "y", "--epochs", "2", "--memory", "64MiB")
    assert code == 0, said.err
    assert "Stream(rows: train" in said.out
    run = kl.load("runs/rows")
    assert set(run.predict(folder / "0.parquet")) == {"no", "yes"}


def test_what_was_trained_before_a_file_broke_is_saved(folder, monkeypatch, capsys):
    feed = kl.data.stream(folder, target="y").feed
    orders, bad = type(feed).order, folder / "1.parquet"

    def order(feed, epoch):
        if epoch == 1:
            bad.write_bytes(bad.read_bytes()[:500])
        return orders(feed, epoch)

    monkeypatch.setattr(type(feed), "order", order)
    code, said = call(monkeypatch, capsys, "fit", folder, "--target", "y", "--epochs", "2")
    assert code == 2
    assert str(bad) in said.err
    assert "1 of 2 epochs were trained" in said.err
    assert len(kl.load("runs/rows").history["loss"]) == 1


def test_a_file_is_streamed_where_it_would_take_the_memory(folder, monkeypatch):
    file = folder / "0.parquet"
    assert not common.is_large(file)
    monkeypatch.setattr(common, "free_memory", lambda: 1000)
    assert common.is_large(file)
    assert common.is_large(folder)
