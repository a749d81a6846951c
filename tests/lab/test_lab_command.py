"""``kilter lab``: settings from words, a page of all, and one sentence for what cannot be."""

import json
import os
import subprocess
import sys

import pytest

import kilter as kl
from kilter import cli


@pytest.fixture
def kilter(monkeypatch, capsys, tmp_path):
    """Call the command in this process: words in, exit code, output and errors out."""
    monkeypatch.chdir(tmp_path)

    def call(words):
        monkeypatch.setattr(sys, "argv", ["kilter", *words.split()])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_settings_are_read_as_their_defaults_are(kilter, tmp_path):
    code, out, _ = kilter("lab gain --depth 30 --gains 0.8,1 --scalars=2")
    assert (code, "weight 2: 1.1e+09" in out) == (0, True)
    told = json.loads((tmp_path / "runs/lab/gain/experiment.json").read_text())
    assert (told["settings"]["depth"], told["settings"]["gains"]) == (30, [0.8, 1.0])
    assert (tmp_path / "runs/lab/gain/figure.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "runs/lab/gain/table.csv").read_text().startswith("chain,layer,seen,predicted")


def test_without_a_name_all_are_listed_with_their_settings(kilter):
    code, out, _ = kilter("lab")
    assert code == 0
    assert all(name in out for name in kl.lab.ALL)
    assert "--scalars 0.5,1.5" in out


def test_all_of_them_make_a_page(kilter, tmp_path, monkeypatch):
    monkeypatch.setattr(kl.lab, "ALL", {name: kl.lab.ALL[name] for name in ("gain", "softmax")})
    assert kilter("lab --all --out page")[0] == 0
    page = (tmp_path / "page/index.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "kilter lab softmax" in page
    assert "http" not in page


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("gainn", "there is no experiment 'gainn'; near it: gain"),
        ("gain --depth 0", "depth must be at least 2, got 0"),
        ("gain --depth deep", "--depth needs a whole number, got 'deep'"),
        ("gain --seed -1", "seed must be a whole number from 0 to 2**32 - 1, got -1"),
        ("gain --depth", "--depth needs a value"),
        ("gain --layers 3", "kilter lab gain has no setting '--layers'; it has --depth"),
        ("activations --layers 0", "layers must be at least 1, got 0"),
        ("activations --pairs rilu:he_normal", "activation must be one of"),
        ("symmetry --data missing.csv", "there is no set 'missing.csv'; there are digits, iris, wine, breast_cancer"),
        ("softmax --logits nan,1", "logits must be a finite number, got nan"),
        ("gain --all", "kilter lab --all takes neither a name nor settings, got 'gain'"),
        ("--all --depth 3", "kilter lab --all takes neither a name nor settings, got '--depth'"),
    ],
)
def test_what_cannot_be_is_one_sentence(kilter, words, sentence):
    code, _, err = kilter(f"lab {words}")
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1


def test_a_folder_of_something_else_is_refused_before_the_work(kilter, tmp_path):
    (tmp_path / "mine/gain").mkdir(parents=True)
    (tmp_path / "mine/gain/thesis.tex").write_text("all of it")
    code, _, err = kilter("lab gain --out mine")
    assert (code, err.count("\n")) == (2, 1)
    assert "something else stands there" in err


def test_no_display_is_needed(tmp_path):
    """With a backend of windows asked for and no screen to open one on."""
    plain = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, "-c", "from kilter.cli import main; main()", "lab", "gain", "--out", str(tmp_path)]
    ended = subprocess.run(command, check=False, env=plain | {"MPLBACKEND": "TkAgg"}, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "gain/figure.png").is_file()
