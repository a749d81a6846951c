"""Winner against runner-up on fresh seeds: the best of many trials was partly lucky, and this says how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.metrics import Metric, describe, gain
from kilter.search import lineage
from kilter.search.space import Space
from kilter.search.strategies.state import Ask
from kilter.search.trial import Trial
from kilter.train import Recipe, Run, train_fleet
from kilter.train.interrupt import interruptible
from kilter.train.launch import fleets
from kilter.train.paused import Paused
from kilter.train.task import Task

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Confirmation:
    """What `Study.confirm` returns.

    Attributes:
        metric: that decides.
        recipes: of winner and runner-up of the search; of a schedule the one that it ends with.
        searched: their scores in the search.
        scores: on the fresh seeds, ``(2, seeds)``; NaN for runs that diverged.
    """

    metric: Metric
    recipes: tuple[Recipe, Recipe]
    searched: tuple[float, float]
    scores: Array

    @property
    def means(self) -> Array:
        """Mean score of winner and runner-up on the fresh seeds; NaN where a run diverged."""
        return self.scores.mean(1)

    @property
    def intervals(self) -> Array:
        """95 % intervals of the means ``(2, 2)``, lower and upper end, by Student's t."""
        return np.stack([_interval(each) for each in self.scores])

    @property
    def curse(self) -> float:
        """How much better the winner scored in the search than on fresh seeds, in the direction of the metric."""
        return gain(self.metric, self.searched[0]) - gain(self.metric, float(self.means[0]))

    @property
    def ahead(self) -> Array:
        """95 % interval of how much better the winner is than the runner-up, paired by seed."""
        return _interval((self.scores[0] - self.scores[1]) * (1.0 if self.metric.higher_is_better else -1.0))

    @property
    def best(self) -> Recipe:
        """The recipe with the better mean on fresh seeds; the winner among equals."""
        first, second = (gain(self.metric, float(mean)) for mean in self.means)
        return self.recipes[0] if first >= second else self.recipes[1]

    def __repr__(self) -> str:
        lines = [
            f"{name} {describe(searched)} in the search, {describe(mean)} on {self.scores.shape[1]} fresh seeds "
            f"({describe(low)} to {describe(high)})"
            for name, searched, mean, (low, high) in zip(
                ("winner", "runner-up"), self.searched, self.means, self.intervals, strict=True
            )
        ]
        low, high = self.ahead
        sure = "better" if low > 0 else "worse" if high < 0 else "not surely better"
        lines.append(f"the winner is {sure}: ahead by {describe(low)} to {describe(high)}")
        return f"Confirmation({self.metric.key}):\n  " + "\n  ".join(lines)


Line = Sequence[Ask]


def confirmed(
    space: Space,
    lines: tuple[Line, Line],
    trials: tuple[Trial, Trial],
    data: Dataset,
    metric: Metric,
    used: tuple[int, ...],
    count: int,
    progress: bool | None,
) -> Confirmation:
    """Train both on ``count`` seeds that the search has not used."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise InputError(f"confirm(seeds={count!r}): seeds must be a whole number of at least 2")
    fresh = [seed for seed in range(count + len(used)) if seed not in used][:count]
    recipes = space.build(lines[0][-1].point), space.build(lines[1][-1].point)
    if all(map(lineage.steady, lines)):
        runs = train_fleet(recipes, data, seeds=fresh, progress=progress)
    else:
        runs = [run for line in lines for run in _along(line, space, data, tuple(fresh), progress)]
    scores = np.array([run.score for run in runs]).reshape(2, count)
    return Confirmation(metric, recipes, (trials[0].score, trials[1].score), scores)


def _along(line: Line, space: Space, data: Dataset, seeds: tuple[int, ...], progress: bool | None) -> list[Run]:
    """Train one schedule from fresh weights."""
    runs: list[Run] = []
    members: list[Paused] = []
    with interruptible() as stop:
        for ask, until in zip(line, [*(ask.epochs for ask in line[:-1]), None], strict=True):
            task = Task([(space.build(ask.point), seed) for seed in seeds], data, until=until, paused=members)
            trained = [(fleet.run(progress, stop), fleet.paused()) for _, fleet in fleets(task)]
            runs, members = ([each for part in parts for each in part] for parts in zip(*trained, strict=True))
            if stop.asked:
                break
    return [lineage.rightful(run, line, space, data) for run in runs]


def _interval(values: Array) -> Array:
    from scipy.special import stdtrit  # a tenth of a second that most programs never need

    half = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / len(values) ** 0.5
    return values.mean() + np.array([-half, half])
