"""The page of a folder: of the run, ensemble, study, cure or checkup that was saved there, or of all runs inside it."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kilter import ensembles
from kilter.core import files
from kilter.core.errors import FileError
from kilter.core.journal import ENDING
from kilter.data.dataset import Dataset
from kilter.ensembles import Ensemble
from kilter.report import pages
from kilter.report.blocks import Notice, Section
from kilter.report.entry import report
from kilter.report.health import health, helped, proved
from kilter.report.repeat import recipe
from kilter.report.report import Report
from kilter.search import storage
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.store import load

_CURE, _RUN = "cure.json", ("run.json", "weights.safetensors", "history.csv")


def of_folder(folder: Path, data: Dataset | None = None) -> Report:
    """The page of what was saved in a folder, or in a file of ``Checkup.save``.

    Of the runs in the folders inside, those that cannot be read, and those that were begun and not saved, are named on the
    page; the others are shown.

    Args:
        folder: where something was saved.
        data: that it trained on.

    Raises:
        FileError: there is nothing of Kilter's, or nothing of it can be read.
    """
    if folder.is_file():
        return _saved(folder, _checkup)
    if (folder / _CURE).is_file():
        return _saved(folder / _CURE, _cure)
    if storage.known(folder):
        return report(storage.kept(folder))
    inside = sorted(each for each in folder.iterdir() if _is_run(each)) if folder.is_dir() else []
    if inside and not _is_run(folder):
        return _of_runs(folder, inside, data)
    if folder.is_dir() and not any((folder / name).is_file() for name in (*_RUN, "recipe.json", "ensemble.json")):
        raise FileError(f"cannot read {folder}: there is no run, ensemble, study or cure of Kilter in it")
    loaded = ensembles.load(folder)
    return report(list(loaded.runs) if isinstance(loaded, Ensemble) else loaded, data)


def _is_run(folder: Path) -> bool:
    """Whether there is a run, or what is left of one."""
    return any((folder / name).is_file() for name in _RUN)


def _of_runs(folder: Path, inside: list[Path], data: Dataset | None) -> Report:
    """Of the runs that can be read; the first error where none can be."""
    runs: dict[str, Run] = {}
    left = []
    for each in inside:
        try:
            runs[each.name] = load(each)
        except FileError as error:
            left.append(str(error))
    if not runs:
        raise FileError(left[0])
    alike = _alike(runs)
    left += _begun(folder, inside)
    if len(alike) < len(runs):
        key = next(iter(alike.values())).metric.key
        left.append(
            f"{len(runs) - len(alike)} of {len(runs)} runs are of another kind or metric than {key}, and not ranked"
        )
    made = pages.of_runs(list(alike.values()), data, {id(run): name for name, run in alike.items()})
    if not left:
        return made
    section = Section("What is left out", tuple(Notice("warning", f"{words}.") for words in left))
    return replace(made, sections=(made.sections[0], section, *made.sections[1:]))


def _alike(runs: dict[str, Run]) -> dict[str, Run]:
    """Those that can be ranked together: of the target and the metric that most have."""
    kinds = Counter((run.metric, run.target, run.shape) for run in runs.values())
    kind = kinds.most_common(1)[0][0]
    return {name: run for name, run in runs.items() if (run.metric, run.target, run.shape) == kind}


def _begun(folder: Path, inside: list[Path]) -> list[str]:
    """Trainings of which there is a log alone."""
    names = {each.name for each in inside}
    logs = sorted(each.name.removesuffix(ENDING) for each in folder.glob(f"*{ENDING}"))
    return [
        f"{folder / name}: begun, and not saved; kilter board {folder} shows its log"
        for name in logs
        if name not in names
    ]


def _saved(file: Path, made: Callable[[Path, dict[str, Any]], Report]) -> Report:
    try:
        return made(file, json.loads(files.read(file)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        told = f"it is no checkup or cure of Kilter, or corrupt ({type(error).__name__}: {error})"
        raise FileError(f"cannot read {file}: {told}") from None


def _checkup(_: Path, facts: dict[str, Any]) -> Report:
    return pages.page(f"checkup of {facts['title']}", [health(facts)])


def _cure(file: Path, facts: dict[str, Any]) -> Report:
    given = Recipe.from_json(files.read(file.parent / "recipe.json").decode())
    done = Section("What to do", tuple(proved(facts)))
    sections = [helped(facts), health(facts["checkup"], "What was wrong before?"), done, recipe(given)]
    return pages.page(f"cure of {facts['title']}", sections)
