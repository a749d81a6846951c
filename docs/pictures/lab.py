"""Makes docs/lab.md and its pictures: every experiment of the lab with its default settings; takes some minutes."""

import inspect
from pathlib import Path

from kilter import lab

HERE = Path(__file__).parent
HEAD = """# The lab

Classic experiments that show why each technique exists. Each states its question, runs as a fleet, and gives a table, a
figure and a sentence that its numbers support. Repeat one with `kilter lab NAME`, with settings of your own such as
`kilter lab gain --depth 100`, or all with `kilter lab --all`; in Python `kl.lab.NAME(...)`. This page is made by
`python docs/pictures/lab.py`.
"""


def section(name: str) -> str:
    """One experiment: its question, sentence and picture."""
    made = lab.ALL[name]()
    folder = HERE / "lab"
    folder.mkdir(exist_ok=True)
    made.figure().savefig(folder / f"{name}.png", dpi=80)
    settings = " ".join(f"--{each.replace('_', '-')}" for each in inspect.signature(lab.ALL[name]).parameters)
    told = f"{made.sentence}\n\n![{made.question}](pictures/lab/{name}.png)"
    return f"## {made.question}\n\n{told}\n\n`kilter lab {name}`, with {settings}.\n"


if __name__ == "__main__":
    page = "\n".join([HEAD, *map(section, lab.ALL)])
    (HERE.parent / "lab.md").write_text(page)
