"""Which trials of a study are best: by score, and by several objectives; each network counts once."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from kilter.metrics import Metric
from kilter.search import objectives, pareto
from kilter.search.objectives import Objectives
from kilter.search.trial import Trial


def ranked(trials: Iterable[Trial], metric: Metric) -> list[Trial]:
    """Trials that have a score, best first."""
    return _listed([trial for trial in trials if trial.ok], ("score",), metric)


def front(trials: Iterable[Trial], names: Objectives, metric: Metric) -> list[Trial]:
    """Trials that no other beats in all objectives, the best score first."""
    scored = [trial for trial in trials if trial.ok]
    gains = np.array([objectives.gains(trial, names, metric) for trial in scored]).reshape(-1, len(names))
    return _listed([scored[row] for row in np.flatnonzero(pareto.ranks(gains) == 0)], names, metric)


def _listed(trials: Sequence[Trial], names: Objectives, metric: Metric) -> list[Trial]:
    gains = {trial.id: objectives.gains(trial, names, metric) for trial in trials}
    score = names.index("score")
    return sorted(distinct(trials, gains), key=lambda trial: (-gains[trial.id][score], trial.id))


def distinct(trials: Iterable[Trial], gains: Mapping[int, tuple[float, ...]]) -> list[Trial]:
    """Of trials that hold one network the longest; and none that did no worse when it was trained on.

    A trial whose best epoch is one of its parent holds its parent's network, and so may several children of one parent.

    Args:
        trials: with a score, in the order of their numbers.
        gains: of these by number, one an objective, higher is better.
    """
    known = {trial.id: trial for trial in trials}
    if all(trial.parent is None for trial in known.values()):
        return list(known.values())
    origin: dict[int, int] = {}
    for trial in known.values():
        parent = None if trial.parent is None else known.get(trial.parent)
        same = parent is not None and max(trial.kept) <= parent.epochs
        origin[trial.id] = origin[parent.id] if parent is not None and same else trial.id
    onward = {
        origin[trial.parent]
        for trial in known.values()
        if trial.parent in known and origin[trial.id] == trial.id and _no_worse(gains[trial.id], gains[trial.parent])
    }
    longest = {origin[trial.id]: trial for trial in sorted(known.values(), key=lambda each: (each.epochs, -each.id))}
    return [trial for first, trial in longest.items() if first not in onward]


def _no_worse(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(new >= old for new, old in zip(one, other, strict=True))
