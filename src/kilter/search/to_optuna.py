"""Trials of a study in an Optuna storage as well, for the tools that read such."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kilter.core.doubts import warn
from kilter.core.errors import FileError, InputError
from kilter.search import objectives
from kilter.search.dimension import Dimension
from kilter.search.strategies.replay import quiet
from kilter.search.study import Study
from kilter.search.trial import Trial

_ID = "kilter_trial"


class Mirror:
    """An Optuna study that trials are added to, each once; named after the data and the seed of the strategy."""

    def __init__(self, url: str, study: Study) -> None:
        import optuna  # half a second that most programs never need

        self._optuna, self._url = optuna, url
        self._dimensions = {each.name: _distribution(optuna, each) for each in study.space.dimensions}
        name = f"kilter {study.data.title} {study.strategy!r} seed {study.state.seed}"
        self._objectives = study.objectives
        name += f" for {' and '.join(self._objectives)}" if len(self._objectives) > 1 else ""
        directions = objectives.directions(self._objectives, study.metric)
        self._study = self._guarded(
            lambda: optuna.create_study(storage=url, study_name=name, directions=directions, load_if_exists=True)
        )
        told = self._guarded(lambda: self._study.get_trials(deepcopy=False))
        self._known = {trial.user_attrs.get(_ID) for trial in told}

    @classmethod
    def of(cls, url: str | bool, folder: str | Path | None, study: Study) -> "Mirror | None":
        """The mirror that a user asks for, or None.

        Raises:
            InputError: ``True`` without a folder.
            FileError: the storage cannot be reached.
        """
        if url is False:
            return None
        if url is True:
            if folder is None:
                raise InputError(
                    "optuna=True puts a SQLite file into the storage folder; give storage='FOLDER' or a URL"
                )
            url = f"sqlite:///{Path(folder).absolute() / 'optuna.sqlite'}"
            Path(folder).mkdir(parents=True, exist_ok=True)
        if not isinstance(url, str):
            raise InputError(f"optuna must be the URL of a storage, True or False, got {url!r}")
        return cls(url, study)

    def add(self, trials: Iterable[Trial]) -> None:
        """Add the trials that are not there yet; where the storage fails now, warn, and try again in the next call."""
        for trial in [trial for trial in trials if trial.id not in self._known]:
            try:
                self._guarded(lambda trial=trial: self._study.add_trial(self._trial(trial)))
            except FileError as error:
                warn(f"{error}; the search goes on and tries again")
                return
            self._known.add(trial.id)

    def _trial(self, trial: Trial) -> Any:
        states = self._optuna.trial.TrialState
        return self._optuna.trial.create_trial(
            state=states.COMPLETE if trial.ok else states.FAIL,
            values=objectives.values(trial, self._objectives) if trial.ok else None,
            params=trial.point,
            distributions={name: self._dimensions[name] for name in trial.point},
            user_attrs={_ID: trial.id, "outcome": trial.outcome, "epochs": trial.epochs},
        )

    def _guarded(self, action: Any) -> Any:
        """What the action gives, or one sentence for whatever a storage can raise."""
        try:
            with quiet(self._optuna):
                return action()
        except Exception as error:
            told = " ".join(str(error).split())[:160]
            raise FileError(
                f"optuna: the storage {self._url} cannot be used ({type(error).__name__}: {told})"
            ) from None


def _distribution(optuna: Any, dimension: Dimension) -> Any:
    kinds = optuna.distributions
    if dimension.options:
        return kinds.CategoricalDistribution(dimension.options)
    log = dimension.scale == "log"
    if dimension.whole:
        return kinds.IntDistribution(int(dimension.low), int(dimension.high), log=log)
    return kinds.FloatDistribution(dimension.low, dimension.high, log=log)
