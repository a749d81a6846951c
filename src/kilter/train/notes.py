"""What a training notes in its journal: its members at the beginning, their epochs on the way, their scores at the end."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kilter.core import job
from kilter.core.journal import Journal
from kilter.core.thinning import thinned
from kilter.train.check import deciding_metric
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.runs import differences
from kilter.train.task import Task

# Members of a task whose epochs are noted, spread evenly over it, and numbers of one note: a note is made some four times a
# second at most, so that a journal grows with time, neither with the size of a fleet nor with its speed.
CURVES, NUMBERS = 64, 2048


@contextmanager
def noted(task: Task, log: str | Path | None, *, since: int | None = None) -> Iterator[Task]:
    """The task with a journal at a path, for the time of a block; as it is where there is none.

    Args:
        task: that is noted.
        log: path of the journal.
        since: position to go on from; left open, that of the task's checkpoint, if any.
    """
    if log is None or not job.first():
        yield task
        return
    recipes = [recipe for recipe, _ in task.members]
    metric = deciding_metric(recipes[0], task.data)
    own = differences(recipes) if len(recipes) > 1 else [{}]
    members = [_member(recipe, seed, settings) for (recipe, seed), settings in zip(task.members, own, strict=True)]
    facts = {"metric": metric.key, "higher_is_better": metric.higher_is_better, "recipe": repr(recipes[0])}
    if since is None and task.keeper is not None:
        since = task.keeper.position
    with Journal.kept(log, "training", task.data.title, since=since, members=members, **facts) as journal:
        yield replace(task, journal=journal, stride=_stride(len(members)))


def noting(task: Task, journal: Journal | None, places: Sequence[int]) -> Task:
    """The task with its members at these places of a journal that is there already."""
    return replace(task, journal=journal, places=places, stride=_stride(len(places)))


def joining(task: Task, recipe: Recipe) -> Task:
    """A task of one more network in the place of the only one before, with its seed; it has no keeper or visitor yet."""
    ((_, seed),) = task.members
    return replace(task, members=[(recipe, seed)], start=None, paused=(), places=[1], stride=1, keeper=None)


def note_joined(task: Task, recipe: Recipe, seed: int) -> None:
    """Note that one more network joins those of the task."""
    (settings,) = differences([task.members[0][0], recipe])[1:]
    if task.journal is not None:
        task.journal.add(joined=[_member(recipe, seed, settings)])


def note_epochs(task: Task, first: int, history: Mapping[str, Any]) -> None:
    """Note epochs from ``first`` on, columns ``(members, epochs)`` by name, of each member as far as it got."""
    if task.journal is None:
        return
    lasted = np.isfinite(history["lr"]).sum(1)
    chosen = [index for index in np.flatnonzero(lasted).tolist() if task.place(index) % task.stride == 0]
    told = {"first": first, "reached": first + int(lasted.max()), "members": [task.place(index) for index in chosen]}
    if task.journal.done:  # said again, as a reader begins at the end
        told |= {"best": task.journal.best, "done": task.journal.done}
    columns = {name: [column[index, : lasted[index]] for index in chosen] for name, column in history.items()}
    most = max(2, NUMBERS // max(1, len(chosen) * len(columns)))
    if lasted.max() > most:  # the lowest and the highest of each stretch, and which epochs these were
        fewer = {name: [thinned(np.arange(len(each)), each, most) for each in own] for name, own in columns.items()}
        told["epochs"] = {name: [epochs + first for epochs, _ in own] for name, own in fewer.items()}
        columns = {name: [each for _, each in own] for name, own in fewer.items()}
    task.journal.add(**told, lines=columns)


def note_ends(task: Task, indices: Sequence[int], runs: Sequence[Run], *, outcome: str | None = None) -> None:
    """Note how members ended, or what is said of that instead."""
    for index, run in zip(indices, runs, strict=True):
        if task.journal is not None:
            ended = {"member": task.place(index), "reached": len(run.history["lr"])}
            task.journal.score(run.score, **ended, outcome=outcome or run.outcome.name.lower())


def _stride(members: int) -> int:
    return -(-members // CURVES)


def _member(recipe: Recipe, seed: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: repr(value) for name, value in settings.items()}
    return {"seed": seed, "epochs": recipe.epochs, "settings": shown}
