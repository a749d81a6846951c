"""What a search wants: the deciding metric and, with it, small networks or short trainings."""

from typing import Any, Literal

from kilter.core.errors import InputError
from kilter.metrics import Metric, gain
from kilter.search.trial import Trial

# Less of these is better; the score has the direction of its metric.
_LESS = ("parameters", "seconds")
Objectives = tuple[str, ...]


def checked(given: Any) -> Objectives:
    """Names of objectives as a tuple.

    Raises:
        InputError: one is unknown or there twice, or the score is missing.
    """
    names = tuple(given) if isinstance(given, list | tuple) else ()
    if "score" not in names or len(set(names)) < len(names) or not set(names) <= {"score", *_LESS}:
        accepted = "('score',), with 'parameters' or 'seconds' or both beside it"
        raise InputError(f"search(objectives={given!r}): objectives must be {accepted}")
    return names


def values(trial: Trial, names: Objectives) -> tuple[float, ...]:
    """What a trial has of each objective, in its own unit."""
    return tuple(float(getattr(trial, name)) for name in names)


def gains(trial: Trial, names: Objectives, metric: Metric) -> tuple[float, ...]:
    """What a trial has of each objective, as numbers of which more is better."""
    found = zip(names, values(trial, names), strict=True)
    return tuple(gain(metric, value) if name == "score" else -value for name, value in found)


def directions(names: Objectives, metric: Metric) -> list[Literal["maximize", "minimize"]]:
    """Directions in the words of Optuna."""
    return ["maximize" if name == "score" and metric.higher_is_better else "minimize" for name in names]
