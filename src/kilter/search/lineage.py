"""Lineages: the trials that one network went through, each with values of its own."""

from collections.abc import Sequence
from dataclasses import replace

from kilter.data.dataset import Dataset
from kilter.search.space import Space
from kilter.search.strategies.state import Ask
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
