"""A study: the record of a search, with its best networks, and what can be asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kilter.core.errors import InputError
from kilter.core.plotted import Plotted
from kilter.data.dataset import Dataset
from kilter.ensembles import Ensemble, ensemble
from kilter.metrics import Metric, describe, gain
from kilter.search import confirm, frames, importance, lineage, objectives, standings
from kilter.search.dimension import Point
from kilter.search.fleets import Ended, Members
from kilter.search.objectives import Objectives
from kilter.search.space import Space
from kilter.search.strategies import State, Strategy
from kilter.search.trial import Trial
from kilter.train import Recipe, Run


@dataclass(frozen=True)
class Best:
    """The best trial of a study.

    Attributes:
        recipe: that was trained; of a schedule (`strategies.PBT`), with the values that the epoch of the kept weights had.
        run: of the seed that scored highest; its history has all epochs, those of its parents too.
        score: mean over the seeds. As the best of many it is too good by luck; `Study.confirm` tells by how much.
        trial: its number.
    """

    recipe: Recipe
    run: Run
    score: float
    trial: int


@dataclass(frozen=True)
class Study(Plotted):
    """What `kilter.search` returns.

    Attributes:
        space: that was searched.
        data: that was trained on.
        strategy: that chose the trials.
        seeds: of each trial.
        metric: that decides.
        state: what the strategy has asked and been told.
        records: trials that have ended, by number.
        keep: number of best trials whose runs are kept.
        runs: of these and, with several objectives, of those in `front`: one a seed, by the number of the trial.
        members: trials in mid-training, from which later ones may go on.
        objectives: what is wanted, the score first of all: `best`, `ranked` and `ensemble` go by it alone.
    """

    space: Space
    data: Dataset
    strategy: Strategy
    seeds: tuple[int, ...]
    metric: Metric
    state: State
    records: tuple[Trial, ...] = ()
    keep: int = 10
    runs: dict[int, tuple[Run, ...]] = field(default_factory=dict)
    members: Members = field(default_factory=dict)
    objectives: Objectives = ("score",)

    def asking(self, state: State) -> "Study":
        """A copy whose strategy has asked for more."""
        return replace(self, state=state)

    def told(self, ended: list[Ended]) -> "Study":
        """A copy that knows of trials that have ended."""
        ended = [self._rightful(each) for each in ended]
        new = {each.trial.id: each for each in ended}
        asks = [self.state.asks[id] for id in new]
        state = self.strategy.tell(self.state, asks, [self._judged(each.trial) for each in ended])
        records = tuple(sorted((*self.records, *(each.trial for each in ended)), key=lambda trial: trial.id))
        study = replace(self, records=records, state=state)
        runs = self.runs | {id: each.runs for id, each in new.items()}
        members = self.members | {id: each.members for id, each in new.items() if each.members}
        wanted = self.strategy.resumable(state)
        wanted |= {ask.parent for ask, score in zip(state.asks, state.scores, strict=True) if score is None}
        return replace(
            study,
            runs={id: runs[id] for id in study._keeping() if id in runs},
            members={id: held for id, held in members.items() if id in wanted},
        )

    def _rightful(self, ended: Ended) -> Ended:
        """With the seconds of its parents too, and runs that have the recipe of their best epoch."""
        trial = ended.trial
        if trial.parent is None:
            return ended
        line = lineage.line(self.state.asks, trial.id)
        runs = tuple(lineage.rightful(run, line, self.space, self.data) for run in ended.runs)
        seconds = trial.seconds + self._trial(trial.parent).seconds
        trial = replace(trial, seconds=seconds, scores=tuple(run.score for run in runs) or trial.scores)
        return replace(ended, trial=trial, runs=runs)

    def _keeping(self) -> list[int]:
        """Trials whose runs are kept."""
        best = [trial.id for trial in self.ranked[: self.keep]]
        if len(self.objectives) == 1:
            return best
        front = standings.front(self.records, self.objectives, self.metric)
        return list(dict.fromkeys(best + [trial.id for trial in front]))

    def _judged(self, trial: Trial) -> tuple[float, ...]:
        """What the strategy is told, one number an objective: higher is better, infinite for a trial that failed."""
        now = replace(trial, scores=trial.latest) if trial.ok and self.strategy.latest else trial
        return objectives.gains(now, self.objectives, self.metric)

    @property
    def ranked(self) -> list[Trial]:
        """Trials that have a score, best first, without those that did no worse when they were trained on.

        Copies that never got better than what they were copied from hold one network, and are listed once.
        """
        return standings.ranked(self.records, self.metric)

    @property
    def best(self) -> Best:
        """The trial with the best score, whatever the other objectives; `front` has what they cost.

        Raises:
            InputError: no trial has a score.
        """
        trial = self._some()[0]
        run = self._best_run(trial.id)
        return Best(run.recipe, run, trial.score, trial.id)

    @property
    def trials(self) -> Any:
        """A pandas frame, a row a trial: hyper-parameters by path, score, outcome, seconds and epochs, other objectives.

        A trial that went on from another is a row of its own: hyper-parameters are those that it went on with; score,
        seconds and epochs are of all the way.
        """
        return self._frame(self.records)

    def leaderboard(self, k: int = 10) -> Any:
        """The rows of `trials` of the ``k`` best, best first, each network once."""
        return self._frame(self.ranked[:k])

    @property
    def front(self) -> Any:
        """The rows of `trials` that no other trial beats: none is as good in all `objectives` and better in one.

        The best score first, so that every next row has less of it and, of two objectives, more of the other. The runs are
        in `runs`. With one objective, the trials that share the best score.

        Raises:
            InputError: no trial has a score.
        """
        self._some()
        return self._frame(standings.front(self.records, self.objectives, self.metric))

    def lineage(self, trial: int | None = None) -> Any:
        """The schedule that a trial was trained with: a pandas frame, a row for it and each of its parents, in time.

        Args:
            trial: its number; left open, the best one.

        Returns:
            Columns ``begin`` and ``end``, epochs behind it at both; the values of all hyper-parameters that can change
            while a network trains; ``score`` at the best epoch so far, and ``last`` at the last one.

        Raises:
            InputError: no trial that has ended has that number, or none has a score.
        """
        known = {each.id: each for each in self.records}
        id = self._some()[0].id if trial is None else trial
        if id not in known:
            raise InputError(f"lineage(trial={trial!r}): trial must be the number of a trial that has ended")
        return frames.of_line(lineage.line(self.state.asks, id), known, self.space.dimensions)

    def importance(self, *, trees: int = 64, seed: int = 0) -> Any:
        """How much of the variance of the score each hyper-parameter explains alone: a pandas frame, largest first.

        Functional analysis of variance over a random forest (Hutter, Hoos and Leyton-Brown 2014). Trials that failed are
        left out, and scores after other numbers of epochs than most trials had, and networks whose values changed while
        they were trained (`strategies.PBT`). Scores below Tukey's lower fence are raised to it, or one very bad trial would
        decide alone.

        Args:
            trees: of the forest.
            seed: of the forest.

        Returns:
            Columns ``importance``, mean over the trees, from 0 to 1; and ``spread``, their standard deviation. What is
            missing to 1 is due to hyper-parameters acting together.

        Raises:
            InputError: fewer than 4 trials can be compared.
        """
        steady = [each for each in self.records if each.ok and lineage.steady(lineage.line(self.state.asks, each.id))]
        return importance.table(steady, self.space, self.metric, trees, seed)

    def ensemble(self, k: int = 5, **given: Any) -> Ensemble:
        """The best runs of the ``k`` best trials as one predictor.

        Args:
            k: at most `keep`.
            given: for `kilter.ensemble`, such as ``select="greedy"``.

        Raises:
            InputError: there are fewer trials with a score, or their runs were not kept.
        """
        chosen = [trial.id for trial in self._some()[:k] if trial.id in self.runs]
        if isinstance(k, bool) or not isinstance(k, int) or k < 1 or len(chosen) < k:
            kept = min(len(self.runs), self.keep)
            raise InputError(f"ensemble(k={k!r}): k must be from 1 to the {kept} trials whose runs are kept")
        return ensemble([self._best_run(id) for id in chosen], self.data, **given)

    def confirm(self, *, seeds: int = 5, progress: bool | None = None) -> "confirm.Confirmation":
        """Train the winner and the runner-up on fresh seeds, so that it is not luck that is crowned.

        A schedule that `strategies.PBT` found is trained as it was, stretch by stretch, and its last values to the end.

        Args:
            seeds: number of fresh seeds, at least 2, the same for both.
            progress: show a progress line.

        Raises:
            InputError: there are no two trials with a score at different points.
        """
        first, *others = self._some()
        second = next((trial for trial in others if trial.point != first.point), None)
        if second is None:
            raise InputError("confirm needs two trials with a score at different points")
        lines = lineage.line(self.state.asks, first.id), lineage.line(self.state.asks, second.id)
        return confirm.confirmed(
            self.space, lines, (first, second), self.data, self.metric, self.seeds, seeds, progress
        )

    def __repr__(self) -> str:
        scored = [trial for trial in self.records if trial.ok]
        count = f"{len(self.records)} trials, {len(self.records) - len(scored)} of them failed"
        head = f"Study({self.data.title}: {count}; {self.strategy!r})"
        if not scored:
            return head
        best = self.ranked[0]
        seconds = sum(trial.seconds for trial in self.records)
        seconds -= sum(self._trial(trial.parent).seconds for trial in self.records if trial.parent is not None)
        return (
            f"{head}\n  best {self.metric.key} {describe(best.score)}, trial {best.id}: {words(best.point)}\n"
            f"  middle {self.metric.key} {describe(np.median([trial.score for trial in scored]))}; {seconds:.1f} s"
        )

    def _frame(self, trials: Sequence[Trial]) -> Any:
        return frames.of_trials(trials, self.space.dimensions, self.objectives)

    def _trial(self, id: int) -> Trial:
        return next(trial for trial in self.records if trial.id == id)

    def _best_run(self, id: int) -> Run:
        return max(self.runs[id], key=lambda run: gain(self.metric, run.score))

    def _some(self) -> list[Trial]:
        ranked = self.ranked
        if not ranked:
            reasons = f"; trial {self.records[0].id} {self.records[0].outcome}" if self.records else ""
            raise InputError(f"no trial of this study has a score{reasons}")
        return ranked


def words(point: Point) -> str:
    """A point as people read it."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in point.items())


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
