"""Every benchmark runs in its quick form, so that none rots; no time is asserted."""

import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
NAMES = [
    *("page", "estimators", "masks", "draws", "kernels", "sequences", "depth", "strategies", "recipes", "layers"),
    *("search", "importance", "fleet", "growth", "many_models", "molds", "vitals", "seeing", "checkpoints"),
    *("streaming", "scaling"),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_quick_form_runs(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, "--quick"])
    monkeypatch.syspath_prepend(str(FOLDER))
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert len(capsys.readouterr().out.splitlines()) >= 2
