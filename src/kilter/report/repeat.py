"""How to repeat it: the recipe as a table and as Python, the data, versions and seed."""

import platform
from importlib.metadata import version
from typing import Any

from kilter.core.distributions import Distribution
from kilter.core.paths import walk
from kilter.core.values import Value
from kilter.data.dataset import Dataset
from kilter.report.blocks import Block, Code, Section, Table, Text
from kilter.train.recipe import Recipe
from kilter.train.run import Run


def recipe(given: Recipe, code: str = "") -> Section:
    """A recipe as a table of paths and as Python."""
    rows = [[path, _shown(value)] for path, value in walk(given) if path and not _holds(value)]
    return Section(
        "Recipe", (Code(code or repr(given), "As Python"), Table(["path", "value"], rows, "As a table", folded=True))
    )


def _holds(value: Any) -> bool:
    return isinstance(value, Value | tuple | list) and not isinstance(value, Distribution)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def facts(run: Run, data: Dataset | None) -> Section:
    """Data, seed, versions and times."""
    blocks: list[Block] = [] if data is None else [Text(f"{data!r}."), *(Text(note, "quiet") for note in data.notes)]
    seconds = {f"seconds to {name}": f"{value:.1f}" for name, value in run.seconds.items() if name != "member"}
    kilter, jax = version("kilter"), version("jax")
    told = {
        "seed": str(run.seed), "epochs": str(len(run.history["loss"])), "kept": f"those of epoch {run.epoch}", **seconds,
        "versions": f"kilter {kilter}, jax {jax}, Python {platform.python_version()}",
    }  # fmt: skip
    return Section(
        "Data, seed and versions", (*blocks, Table(["", ""], [[name, value] for name, value in told.items()]))
    )


def script(run: Run, data: Dataset | None) -> str:
    """Python that trains the run again."""
    source = f"kl.data.{run.title}()" if run.title in ("digits", "iris", "wine", "breast_cancer", "diabetes") else "..."
    where = "  # your rows, made by kl.data" if source == "..." else ""
    head = "import kilter as kl\nfrom kilter import losses, metrics, nn, optim"
    return f"{head}\n\ndata = {source}{where}\nrecipe = {run.recipe!r}\nrun = kl.train(recipe, data, seed={run.seed})"
