"""Optuna's samplers as strategies: the record is replayed into a study in memory, which is then asked."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from kilter.search.dimension import Dimension, Point
from kilter.search.strategies.state import Ask, State
from kilter.search.strategies.strategy import Strategy


class Replayed(Strategy, abstract=True):
    """Base of the strategies that an Optuna sampler stands behind.

    Optuna sees a continuous range as the unit interval, so that all scales are Kilter's, ordered options as whole numbers,
    and others as categories. Trials that are out are shown as running, so that a batch does not ask the same twice (the
    constant liar); failed ones with the lowest score told, of each objective, so that their neighborhood is avoided.

    Class attributes:
        flat: whether Optuna sees all dimensions in every trial, those that do not exist at the middle of their range.
    """

    flat: ClassVar[bool] = False
    batch: ClassVar[int] = 16

    def sampler(self, optuna: Any, seed: int) -> Any:
        """A fresh sampler."""
        raise NotImplementedError

    def next(self, state: State) -> Ask:
        return self.ask(state, 1)[1][0]

    def ask(self, state: State, n: int) -> tuple[State, tuple[Ask, ...]]:
        import optuna  # half a second that most programs never need

        before = len(state.asks)
        with quiet(optuna):
            study = optuna.create_study(directions=["maximize" for _ in _lowest(state)])
            study.add_trials(self._trials(optuna, state, state.asks))
            for _ in range(n):
                own = np.random.SeedSequence([state.seed, len(state.asks)]).generate_state(1)[0]
                study.sampler = self.sampler(optuna, int(own))
                trial = study.ask()
                state = state.asked(state.ask(self._point(trial, state.dimensions)))
                # Its place is taken by the point as the record has it, to the last bit: so a batch may be cut anywhere.
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                study.add_trials(self._trials(optuna, state, state.asks[-1:]))
        return state, state.asks[before:]

    def _point(self, trial: Any, dimensions: Sequence[Dimension]) -> Point:
        point: Point = {}
        for dimension in dimensions:
            exists = dimension.exists(point)
            if exists or self.flat:
                drawn = _suggested(trial, dimension)
                point |= {dimension.name: _read(dimension, drawn)} if exists else {}
        return point

    def _trials(self, optuna: Any, state: State, asks: Sequence[Ask]) -> list[Any]:
        kinds = {each.name: _kind(optuna, each) for each in state.dimensions}
        worst = _lowest(state)
        return [self._trial(optuna, state, kinds, ask, worst) for ask in asks]

    def _trial(self, optuna: Any, state: State, kinds: dict[str, Any], ask: Ask, worst: list[float]) -> Any:
        score = state.scores[ask.id]
        out = optuna.trial.TrialState.RUNNING
        params = {
            each.name: _shown(each, ask.point[each.name] if each.name in ask.point else each.decode(0.5))
            for each in state.dimensions
            if self.flat or each.name in ask.point
        }
        return optuna.trial.create_trial(
            state=out if score is None else optuna.trial.TrialState.COMPLETE,
            values=None if score is None else state.values([ask.id])[0].tolist() if state.scored(ask.id) else worst,
            params=params,
            distributions={name: kinds[name] for name in params},
        )


def _lowest(state: State) -> list[float]:
    """The lowest score told of each objective; 0, of one, where none was."""
    ids = [ask.id for ask in state.asks if state.scored(ask.id)]
    return state.values(ids).min(0).tolist() if ids else [0.0]


def _kind(optuna: Any, dimension: Dimension) -> Any:
    kinds = optuna.distributions
    if not dimension.discrete:
        return kinds.FloatDistribution(0.0, 1.0)
    if not dimension.ordered:
        return kinds.CategoricalDistribution(range(len(dimension.options)))
    return kinds.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.scale == "log")


def _suggested(trial: Any, dimension: Dimension) -> Any:
    """What the trial suggests, as Optuna sees it."""
    if not dimension.discrete:
        return trial.suggest_float(dimension.name, 0.0, 1.0)
    if not dimension.ordered:
        return trial.suggest_categorical(dimension.name, range(len(dimension.options)))
    return trial.suggest_int(dimension.name, int(dimension.low), int(dimension.high), log=dimension.scale == "log")


def _shown(dimension: Dimension, value: Any) -> Any:
    """A value as Optuna sees it."""
    if dimension.options:
        return dimension.options.index(value)
    return value if dimension.whole else dimension.encode(value)


def _read(dimension: Dimension, seen: Any) -> Any:
    """The value that Optuna sees as ``seen``."""
    if dimension.options:
        return dimension.options[seen]
    return seen if dimension.whole else dimension.decode(seen)


@contextmanager
def quiet(optuna: Any) -> Iterator[None]:
    """Keep Optuna from logging studies and warning of samplers that are on trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
