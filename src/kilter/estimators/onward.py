"""Going on from a run."""

import jax
import numpy as np

from kilter.core.errors import InputError
from kilter.nn.layer import shapes
from kilter.optim import Schedule
from kilter.train import Recipe, Run


def fits(recipe: Recipe, run: Run) -> bool:
    """Whether the weights of a run are of the shapes that the network of a recipe needs."""
    try:
        params, state, _ = shapes(recipe.net, run.shape)
    except InputError:
        return False
    return jax.tree.map(np.shape, (params, state)) == jax.tree.map(np.shape, (run.params, run.state))


def one_pass(recipe: Recipe) -> Recipe:
    """The recipe for one epoch at its full learning rate: a schedule that spans a training has no place in one pass."""
    optimizer = recipe.optimizer
    rate = getattr(optimizer, "lr", None)
    if isinstance(rate, Schedule) and hasattr(rate, "lr"):
        optimizer = optimizer.replace(lr=rate.lr)
    return recipe.replace(optimizer=optimizer, epochs=1, stopping=None)
