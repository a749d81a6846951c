"""Going on from a run: its weights and the scale that they were trained on stay."""

from typing import Any

import jax
import numpy as np

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.data import Preprocess
from kilter.data.preprocess import Statistics
from kilter.nn.layer import shapes
from kilter.optim import Schedule
from kilter.train import Recipe, Run
from kilter.train.rows import Scaling


class _Kept(Preprocess):
    """The scaling of an earlier run: fitted already, the same for all rows to come."""

    offset: tuple[float, ...] = option(kinds=(tuple, float))
    scale: tuple[float, ...] = option(kinds=(tuple, float))

    def fit(self, x: Any, weights: Any = None) -> Statistics:
        return {"offset": np.array(self.offset), "scale": np.array(self.scale)}


def on_scale_of(recipe: Recipe, run: Run) -> Recipe:
    """The recipe with inputs and targets scaled as they were in a run."""
    return recipe.replace(inputs=_kept(run.inputs), targets=_kept(run.targets))


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
    if isinstance(optimizer.lr, Schedule) and hasattr(optimizer.lr, "lr"):
        optimizer = optimizer.replace(lr=optimizer.lr.lr)
    return recipe.replace(optimizer=optimizer, epochs=1, stopping=None)


def _kept(scaling: Scaling) -> _Kept | None:
    found = scaling.statistics
    if found is None:
        return None
    return _Kept(offset=tuple(found["offset"].tolist()), scale=tuple(found["scale"].tolist()))
