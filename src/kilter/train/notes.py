"""What a training notes in its journal: its members at the beginning, their scores at the end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kilter.core import job
from kilter.core.journal import Journal
from kilter.train.check import deciding_metric
from kilter.train.run import Run
from kilter.train.runs import differences
from kilter.train.task import Task


@contextmanager
def noted(task: Task, log: str | Path | None) -> Iterator[Task]:
    """The task with a journal at a path, for the time of a block; as it is where there is none."""
    if log is None or not job.first():
        yield task
        return
    recipes = [recipe for recipe, _ in task.members]
    metric = deciding_metric(recipes[0], task.data)
    own = differences(recipes) if len(recipes) > 1 else [{}]
    members = [
        {"seed": seed, "epochs": recipe.epochs, "settings": {name: repr(value) for name, value in settings.items()}}
        for (recipe, seed), settings in zip(task.members, own, strict=True)
    ]
    facts = {"metric": metric.key, "higher_is_better": metric.higher_is_better, "recipe": repr(recipes[0])}
    since = None if task.keeper is None else task.keeper.position
    with Journal.kept(log, "training", task.data.title, since=since, members=members, **facts) as journal:
        yield replace(task, journal=journal)


def note_ends(task: Task, indices: Sequence[int], runs: Sequence[Run]) -> None:
    """Note how members ended."""
    for index, run in zip(indices, runs, strict=True):
        if task.journal is not None:
            task.journal.add(member=int(index), outcome=run.outcome.name.lower(), score=run.score)
