"""Which hyper-parameters matter: functional analysis of variance over the trees of a random forest."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter.core.errors import InputError
from kilter.metrics import Metric, gain
from kilter.search.space import Space
from kilter.search.trial import Trial

Array = np.ndarray[Any, Any]

# Trials below which a forest tells nothing.
LEAST = 4


def table(trials: Sequence[Trial], space: Space, metric: Metric, trees: int, seed: int) -> Any:
    """What `Study.importance` returns, of the trials that have as many epochs behind them as most have."""
    import pandas as pd

    lengths = [trial.epochs for trial in trials]
    alike = [trial for trial in trials if trial.epochs == max(sorted(lengths), key=lengths.count)]
    if len(alike) < LEAST:
        raise InputError(f"importance needs {LEAST} trials with a score after as many epochs, there are {len(alike)}")
    scores = fenced(np.array([gain(metric, trial.score) for trial in alike]))
    found = shares(space.encode([trial.point for trial in alike]), scores, trees, seed)
    index = pd.Index([each.name for each in space.dimensions])
    frame = pd.DataFrame({"importance": found.mean(0), "spread": found.std(0)}, index=index)
    return frame.sort_values("importance", ascending=False, kind="stable")


def fenced(scores: Array) -> Array:
    """Scores with those below Tukey's lower fence, 1.5 quartile distances below the first quartile, raised to it."""
    low, high = np.quantile(scores, [0.25, 0.75])
    return np.maximum(scores, low - 1.5 * (high - low)) if high > low else scores


def shares(places: Array, scores: Array, trees: int, seed: int) -> Array:
    """Share of the variance that each dimension explains alone, tree by tree.

        V_j / V,   V = Var f(u),   V_j = Var E[f(u) | u_j],   u ~ U(cube)

    for the function f that a tree is: constant in boxes, so that both are sums over its leaves. Zero where a tree is a
    single leaf. Hutter, Hoos and Leyton-Brown 2014, algorithm 2.

    Args:
        places: of the trials in the unit cube ``(trials, dimensions)``.
        scores: ``(trials,)``.
        trees: of the forest.
        seed: of the forest.

    Returns:
        Shares ``(trees, dimensions)``.
    """
    from sklearn.ensemble import RandomForestRegressor  # a second that most programs never need

    forest = RandomForestRegressor(trees, random_state=seed).fit(places, scores)
    return np.stack([_of_tree(each.tree_, places.shape[1]) for each in forest.estimators_])


def _of_tree(tree: Any, dimensions: int) -> Array:
    low, high, values = _leaves(tree, dimensions)
    sides = high - low
    volumes = sides.prod(1)
    mean = volumes @ values
    total = volumes @ (values - mean) ** 2
    if total <= 0:
        return np.zeros(dimensions)
    weights = (values - mean)[:, None] * volumes[:, None] / sides
    return np.array([_alone(low[:, j], high[:, j], weights[:, j]) for j in range(dimensions)]) / total


def _alone(low: Array, high: Array, weights: Array) -> float:
    """Variance of the marginal: between neighboring cuts it is the sum of what the leaves there weigh."""
    cuts = np.unique(np.concatenate([low, high]))
    inside = (low <= cuts[:-1, None]) & (cuts[1:, None] <= high)
    return float(np.diff(cuts) @ (inside @ weights) ** 2)


def _leaves(tree: Any, dimensions: int) -> tuple[Array, Array, Array]:
    """Lower and upper corners ``(leaves, dimensions)`` of the boxes, and their values."""
    open_nodes = [(0, np.zeros(dimensions), np.ones(dimensions))]
    found = []
    while open_nodes:
        node, low, high = open_nodes.pop()
        if tree.children_left[node] < 0:
            found.append((low, high, tree.value[node].item()))
            continue
        axis, cut = tree.feature[node], tree.threshold[node]
        left, right = high.copy(), low.copy()
        left[axis] = right[axis] = cut
        open_nodes += [(tree.children_left[node], low, left), (tree.children_right[node], right, high)]
    low, high, values = zip(*found, strict=True)
    return np.array(low), np.array(high), np.array(values)
