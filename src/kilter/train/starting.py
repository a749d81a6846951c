"""Members that begin with the weights of a run in place of their own."""

from typing import Any

import jax
import numpy as np

from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.train.epoch import Member
from kilter.train.recipe import Recipe
from kilter.train.run import Run


def check_start(start: Run, recipe: Recipe, data: Dataset) -> None:
    """Refuse a run that was trained on other shapes, or whose inputs and targets were on another scale."""
    if start.shape != data.shape:
        raise InputError(f"start: that run was trained on examples of shape {start.shape}, these are {data.shape}")
    if (start.inputs.preprocess, start.targets.preprocess) != (recipe.inputs, recipe.targets):
        raise InputError("start: inputs and targets must be preprocessed as they were in that run")


def from_run(members: Member, start: Run) -> Member:
    """Stacked members with the weights of a run in place of their own."""
    own = (members.learner.params, members.learner.state)
    given = (start.params, start.state)
    if jax.tree.map(lambda leaf: leaf.shape[1:], own) != jax.tree.map(np.shape, given):
        raise InputError("start: the weights of that run do not fit the network of this recipe")

    def copied() -> Any:
        return jax.tree.map(lambda new, old: np.array(np.broadcast_to(old, new.shape)), own, given)

    params, state = copied()
    learner = members.learner._replace(params=params, state=state)
    return members._replace(learner=learner, best=None if members.best is None else copied())
