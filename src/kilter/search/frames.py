"""What a study shows as tables: pandas frames of its trials, and of the schedule that one of them went through."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilter.search.dimension import Dimension
from kilter.search.objectives import Objectives
from kilter.search.strategies.state import Ask
from kilter.search.trial import Trial

_ALWAYS = ("score", "outcome", "seconds", "epochs")


def of_trials(trials: Sequence[Trial], dimensions: Sequence[Dimension], objectives: Objectives) -> Any:
    """A row a trial: hyper-parameters by path, score and other objectives, outcome, seconds and epochs."""
    import pandas as pd

    columns = {each.name: [trial.point.get(each.name) for trial in trials] for each in dimensions}
    others = [name for name in objectives if name not in _ALWAYS]
    columns |= {name: [getattr(trial, name) for trial in trials] for name in ("score", *others, *_ALWAYS[1:])}
    return pd.DataFrame(columns, index=pd.Index([trial.id for trial in trials], name="trial"))


def of_line(line: Sequence[Ask], trials: Mapping[int, Trial], dimensions: Sequence[Dimension]) -> Any:
    """A row a stretch of epochs: where it begins and ends, the values of the leaves in it, and how it scored."""
    import pandas as pd

    told = [trials[ask.id] for ask in line]
    leaves = [each.name for each in dimensions if each.leaf and each.name in line[-1].point]
    columns: dict[str, list[Any]] = {
        "begin": [0, *(trial.epochs for trial in told[:-1])],
        "end": [trial.epochs for trial in told],
        **{name: [ask.point[name] for ask in line] for name in leaves},
        "score": [trial.score for trial in told],
        "last": [trial.last for trial in told],
    }
    return pd.DataFrame(columns, index=pd.Index([ask.id for ask in line], name="trial"))
