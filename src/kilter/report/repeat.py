"""How to repeat it: the recipe as a table and as Python, the data, versions and seed."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np

from kilter.core.distributions import Distribution
from kilter.core.paths import walk
from kilter.core.values import Value
from kilter.data import builtin
from kilter.data.dataset import Dataset
from kilter.report.blocks import Code, Section, Table
from kilter.report.described import described
from kilter.train.recipe import Recipe
from kilter.train.run import Run

_HEAD = "import kilter as kl\nfrom kilter import losses, metrics, nn, optim"
_SHIPPED = ("digits", "iris", "wine", "breast_cancer", "diabetes")


def recipe(given: Recipe, code: str = "") -> Section:
    """A recipe as a table of paths and as Python."""
    rows = [[path, _shown(value)] for path, value in walk(given) if path and not _holds(value)]
    code = code or f"{_HEAD}\n\nrecipe = {given!r}"
    return Section("Recipe", (Code(code, "As Python"), Table(["path", "value"], rows, "As a table", folded=True)))


def _holds(value: Any) -> bool:
    return isinstance(value, Value | tuple | list) and not isinstance(value, Distribution)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def facts(run: Run, data: Dataset | None) -> Section:
    """Data, seed, versions and times."""
    rows = [[name, value] for name, value in _facts(run)]
    return Section("Data, seed and versions", (*described(run, data), Table(["", ""], rows, "The run")))


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    epochs = len(run.history["loss"])
    yield "seed", str(run.seed)
    yield "epochs", f"{epochs}; the weights of epoch {run.epoch} are kept" if epochs else "none"
    yield from ((f"seconds to {name}", f"{value:.1f}") for name, value in run.seconds.items() if name != "member")
    yield (
        "versions of this page",
        f"kilter {version('kilter')}, jax {version('jax')}, Python {platform.python_version()}",
    )


def script(run: Run, data: Dataset | None) -> str:
    """Python that makes the recipe and trains the run again; rows of one's own are left to be filled in."""
    train = f"run = kl.train(recipe, data, seed={run.seed})"
    source = _source(run, data)
    if source is None:
        return f"{_HEAD}\n\nrecipe = {run.recipe!r}\n# with your rows as data, made by kl.data:\n# {train}"
    return f"{_HEAD}\n\ndata = {source}\nrecipe = {run.recipe!r}\n{train}"


def _source(run: Run, data: Dataset | None) -> str | None:
    """Python that makes the data; None where they are not shipped."""
    if run.title not in _SHIPPED:
        return None
    given = {"images": True} if run.title == "digits" and len(run.shape) > 1 else {}
    shipped = getattr(builtin, run.title)(**given)
    if shipped.shape != run.shape:
        return None
    source = f"kl.data.{run.title}({', '.join(f'{name}={value}' for name, value in given.items())})"
    if data is None or np.array_equal(data.train.x, shipped.train.x):
        return source
    return f"{source}  # here with the seed and the shares of your own split"
