"""The README's Python runs as it stands there."""

import re
from pathlib import Path

import numpy as np

README = Path(__file__).parent.parent / "README.md"


def test_the_python_of_the_readme_runs_and_scores(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 6
    names: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    score, test = map(float, capsys.readouterr().out.splitlines()[0].split())
    assert score > 0.96
    assert test > 0.96
    digits = names["data"].test.x
    assert np.array_equal(names["again"].predict_proba(digits), names["run"].predict_proba(digits))
    assert repr(names["kl"].diff(names["recipe"], names["slower"])) == "optimizer.lr.lr: 0.003 -> 0.001"
    assert len(names["runs"]) == 6
    assert names["check"].cause == "vanishing_gradient"
    assert names["cure"].healed
    assert (tmp_path / "report.html").exists()
    assert len(names["study"].trials) == 8
