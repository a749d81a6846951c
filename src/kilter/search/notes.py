"""What is written down as trials end: in the folder of the search, in a database of Optuna, and in a journal."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kilter.core.journal import Journal
from kilter.search.dimension import Dimension
from kilter.search.storage import Storage
from kilter.search.study import Study
from kilter.search.to_optuna import Mirror
from kilter.search.trial import Trial


@dataclass
class Notes:
    """Where a search is written down; each may be left out.

    Attributes:
        trials: asked for.
        folder: of the search, which it goes on from.
        mirror: in a database of Optuna.
        journal: that the board shows.
        told: trials that the journal has.
    """

    trials: int
    folder: Storage | None
    mirror: Mirror | None
    journal: Journal | None
    told: set[int] = field(default_factory=set)

    def write(self, study: Study) -> None:
        """Write down what has ended since the last time."""
        if self.folder is not None:
            self.folder.write(study, self.trials)
        if self.mirror is not None:
            self.mirror.add(study.records)
        if self.journal is not None:
            self._tell(self.journal, study)

    def _tell(self, journal: Journal, study: Study) -> None:
        for trial in study.records:
            if trial.id not in self.told:
                journal.score(trial.score, **_facts(trial))
                self.told.add(trial.id)


def journal_of(study: Study, trials: int, log: str | Path | None) -> AbstractContextManager[Journal | None]:
    """The journal of a search, open for as long as the block; None without a path."""
    return Journal.kept(
        log,
        "search",
        study.data.title,
        strategy=repr(study.strategy),
        metric=study.metric.key,
        higher_is_better=study.metric.higher_is_better,
        trials=trials,
        recipe=repr(study.space.recipe),
        seeds=len(study.seeds),
        axes=[_axis(each) for each in study.space.dimensions],
    )


def _axis(dimension: Dimension) -> dict[str, Any]:
    """What a journal tells of a hyper-parameter, for those who draw it."""
    return {"name": dimension.name, "scale": dimension.scale, "options": [str(each) for each in dimension.options]}


def _facts(trial: Trial) -> dict[str, Any]:
    """What a journal tells of a trial beside its score."""
    return {
        "result": trial.id, "settings": trial.point, "outcome": trial.outcome, "epochs": trial.epochs,
        "seconds": trial.seconds, "parameters": trial.parameters,
    }  # fmt: skip
