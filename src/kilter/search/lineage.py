"""Lineages: the trials that one network went through, each with values of its own; and which trials hold one network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from kilter.data.dataset import Dataset
from kilter.search.space import Space
from kilter.search.strategies.state import Ask
from kilter.search.trial import Trial
from kilter.train.recipe import Recipe
from kilter.train.run import Run


def line(asks: Sequence[Ask], id: int) -> list[Ask]:
    """A trial behind its parents, the one with fresh weights first."""
    found = [asks[id]]
    while (parent := found[-1].parent) is not None:
        found.append(asks[parent])
    return found[::-1]


def steady(line: Sequence[Ask]) -> bool:
    """Whether all epochs were trained with the same values."""
    return all(ask.point == line[0].point for ask in line)


def rightful(run: Run, line: Sequence[Ask], space: Space, data: Dataset) -> Run:
    """A run with the recipe that its best epoch was trained with, which may be that of a parent.

    Where that changes what the weights predict, as the slope of an activation does, the run is measured anew.
    """
    made = next((ask for ask in line if ask.epochs is None or run.epoch <= ask.epochs), line[-1])
    if made.point == line[-1].point:
        return run
    recipe = space.build(made.point)
    fitted = replace(run, recipe=recipe)
    return fitted if _reading(recipe) == _reading(run.recipe) else fitted.measured(data)


def _reading(recipe: Recipe) -> object:
    """All of a recipe that decides on what given weights predict."""
    return recipe.net, recipe.loss


def distinct(trials: Iterable[Trial], scores: Mapping[int, float]) -> list[Trial]:
    """Of trials that hold one network the longest; and none that did no worse when it was trained on.

    A trial whose best epoch is one of its parent holds its parent's network, and so may several children of one parent.

    Args:
        trials: with a score, in the order of their numbers.
        scores: of these by number, higher is better.
    """
    known = {trial.id: trial for trial in trials}
    origin: dict[int, int] = {}
    for trial in known.values():
        parent = None if trial.parent is None else known.get(trial.parent)
        same = parent is not None and max(trial.kept) <= parent.epochs
        origin[trial.id] = origin[parent.id] if parent is not None and same else trial.id
    onward = {
        origin[trial.parent]
        for trial in known.values()
        if trial.parent in known and origin[trial.id] == trial.id and scores[trial.id] >= scores[trial.parent]
    }
    longest = {origin[trial.id]: trial for trial in sorted(known.values(), key=lambda each: (each.epochs, -each.id))}
    return [trial for first, trial in longest.items() if first not in onward]
