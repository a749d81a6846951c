"""One network whose weights are the mean of several: stochastic weight averaging and model soups."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np

from kilter.core.errors import InputError
from kilter.core.paths import walk
from kilter.data.dataset import Dataset
from kilter.metrics import Metric, gain
from kilter.nn.layer import Layer, State
from kilter.nn.populations import exact_statistics
from kilter.train import Outcome, Run, scores
from kilter.train.rows import Scaling

# Rounds and rows with which what is kept beside the weights is learned anew; power iterations settle in far fewer.
_ROUNDS, _ROWS = 20, 64


def averaged(runs: tuple[Run, ...], data: Dataset, metric: Metric) -> Run:
    """A run with the plain mean of the runs' weights, to be measured by ``metric``; the rest is that of the first.

    Means and variances of batch norms are those of all training rows. Izmailov et al. 2018; Wortsman et al. 2022.
    """
    first = runs[0]
    if len(runs) == 1:
        return replace(first, metric=metric)
    params = jax.tree.map(_mean, *(run.params for run in runs))
    state = _settled(first.recipe.net, params, first.state, first.inputs.apply(data.train.x))
    return replace(
        first,
        metric=metric,
        params=params,
        state=state,
        history={name: column[:0] for name, column in first.history.items()},
        outcome=Outcome.FINISHED,
        epoch=0,
        seconds={},
        title=f"{first.title}, mean weights of {len(runs)} runs",
    )


def greedy_soup(runs: tuple[Run, ...], data: Dataset, metric: Metric) -> tuple[Run, ...]:
    """The best run, and each next one with which the mean scores no worse. Wortsman et al. 2022, recipe 1."""
    part = scores.deciding(data)

    def score(run: Run) -> float:
        found = scores.scores(run.moments(part)[0], part.y, scores.weights_of(part), run.target.task, metric)
        return gain(metric, found[metric.key])

    ranked = tuple(sorted(runs, key=score, reverse=True))
    kept, best = ranked[:1], score(ranked[0])
    for run in ranked[1:]:
        reached = score(averaged((*kept, run), data, metric))
        if reached >= best:
            kept, best = (*kept, run), reached
    return kept


def check_alike(runs: tuple[Run, ...]) -> None:
    """Refuse runs whose weights do not stand for the same thing.

    Raises:
        InputError: networks of different structure, or inputs or targets on different scales.
    """
    first = runs[0]
    for run in runs[1:]:
        same = jax.tree.structure(run.recipe.net) == jax.tree.structure(first.recipe.net)
        if not same or jax.tree.map(np.shape, run.params) != jax.tree.map(np.shape, first.params):
            raise InputError("average='weights' needs networks of one structure; use average='predictions' for others")
        if not (_equal(run.inputs, first.inputs) and _equal(run.targets, first.targets)):
            raise InputError("average='weights' needs runs whose inputs and targets were preprocessed alike")


def _mean(*leaves: Any) -> Any:
    return np.mean([np.asarray(leaf, np.float64) for leaf in leaves], axis=0).astype(np.float32)


def _equal(a: Scaling, b: Scaling) -> bool:
    same = a.preprocess == b.preprocess and a.statistics.keys() == b.statistics.keys()
    return same and all(np.allclose(a.statistics[name], b.statistics[name]) for name in a.statistics)


def _settled(net: Layer, params: Any, state: State, x: Any) -> State:
    """The state that belongs to new weights: what adapts to batches does so anew."""
    if not any(isinstance(value, Layer) and value.adapts for _, value in walk(net)):
        return state
    rows, key = x[:_ROWS], jax.random.key(0)
    adapted = jax.jit(lambda state: net.apply(params, state, rows, key=key)[1])
    for _ in range(_ROUNDS):
        state = adapted(state)
    return jax.tree.map(np.asarray, exact_statistics(net, params, state, x))
