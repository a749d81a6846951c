"""Makes docs/lab.md and its pictures of what ``kilter lab --all`` wrote: ``python docs/pictures/lab.py runs/lab``."""

import json
import shutil
import sys
from pathlib import Path

from kilter import lab

HERE = Path(__file__).parent
HEAD = """# The lab

Classic experiments that show why each technique exists. Each states its question, runs as a fleet, and gives a table, a
figure and a sentence that its numbers support. Repeat one with `kilter lab NAME`, with settings of your own such as
`kilter lab gain --depth 100`, or all with `kilter lab --all`, which also writes a page; in Python `kl.lab.NAME(...)`. This
page is made by `kilter lab --all` and then `python docs/pictures/lab.py runs/lab`.
"""


def section(name: str, made: Path) -> str:
    """One experiment: its question, sentence and picture."""
    about = json.loads((made / "experiment.json").read_text())
    shutil.copy(made / "figure.png", HERE / "lab" / f"{name}.png")
    settings = " ".join(f"--{each.replace('_', '-')}" for each in about["settings"])
    told = f"{about['sentence']}\n\n![{about['question']}](pictures/lab/{name}.png)"
    return f"## {about['question']}\n\n{told}\n\n`kilter lab {name}`, with {settings}.\n"


if __name__ == "__main__":
    runs = Path(sys.argv[1])
    (HERE / "lab").mkdir(exist_ok=True)
    page = "\n".join([HEAD, *(section(name, runs / name) for name in lab.ALL)])
    (HERE.parent / "lab.md").write_text(page)
