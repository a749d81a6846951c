"""Which runs can be one ensemble, and on which data."""

import json
from collections.abc import Sequence
from typing import Any

import jax

from kilter.core.doubts import warn
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.data.targets import Target
from kilter.metrics import Metric, for_task
from kilter.nn.layer import shapes
from kilter.train import Outcome, Run


def check_runs(runs: Any) -> tuple[Run, ...]:
    """The runs that can be members; those that diverged are left out with a warning.

    Raises:
        InputError: no runs, none that did not diverge, or runs that do not predict the same thing from the same inputs.
    """
    if not isinstance(runs, Sequence) or not runs:
        raise InputError(f"runs must be a list of runs, such as kl.train_fleet gives, got {_shown(runs)}")
    for index, run in enumerate(runs):
        if not isinstance(run, Run):
            raise InputError(f"runs[{index}] must be a kl.Run, got {_shown(run)}")
    kept = tuple(run for run in runs if run.outcome is not Outcome.DIVERGED)
    if not kept:
        raise InputError(f"all {len(runs)} runs diverged; train them anew with a smaller learning rate")
    if len(kept) < len(runs):
        warn(f"{len(runs) - len(kept)} of {len(runs)} runs diverged and are left out")
    for run in kept[1:]:
        _check_pair(kept[0], run)
    return kept


def check_data(runs: tuple[Run, ...], data: Dataset) -> None:
    """Refuse data that the runs cannot be measured on.

    Raises:
        InputError: other inputs, another target, or columns that are encoded otherwise.
    """
    if not isinstance(data, Dataset):
        raise InputError(f"data must be made by kl.data, such as kl.data.from_arrays(x, y); got {_shown(data)}")
    run = runs[0]
    if data.shape != run.shape or data.target != run.target:
        raise InputError(
            f"data has inputs {data.shape} and {_kind(data.target)}, but the runs were trained on inputs {run.shape} and "
            f"{_kind(run.target)}"
        )
    if any(_encoding(each) != _encoding(data) for each in runs):
        raise InputError("data encodes the columns of its table otherwise than the runs; give the data they trained on")


def check_metric(runs: tuple[Run, ...], metric: Any) -> Metric:
    """The metric that decides: the one given, or that of the runs.

    Raises:
        InputError: the runs disagree, or the metric is not for this target.
    """
    task = runs[0].target.task
    if metric is None:
        known = {run.metric: None for run in runs}
        if len(known) > 1:
            raise InputError(f"metric: the runs were judged by {', '.join(map(repr, known))}; say which one decides")
        return runs[0].metric
    if not isinstance(metric, Metric) or task not in metric.tasks:
        offered = ", ".join(f"{each!r}" for each in for_task(task))
        raise InputError(f"metric: {metric!r} is not for {task}; choose one of {offered}")
    return metric


def _check_pair(first: Run, other: Run) -> None:
    if other.target != first.target:
        raise InputError(f"runs: one predicts {_kind(first.target)}, another {_kind(other.target)}; they have no mean")
    if other.shape != first.shape:
        raise InputError(f"runs: one takes inputs of shape {first.shape}, another of shape {other.shape}")
    if (other.door is None) != (first.door is None):
        raise InputError("runs: one takes tables, another arrays; train all of them on the same data")
    if _width(other) != _width(first):
        raise InputError(f"runs: one predicts {_width(first)} numbers a row, another {_width(other)}")


def _width(run: Run) -> int:
    """Columns of the predictions; nothing is run."""
    outputs = jax.ShapeDtypeStruct((1, *shapes(run.recipe.net, run.shape)[2]), "float32")
    classes = bool(run.target.classes)
    return jax.eval_shape(lambda rows: run.recipe.loss.read(rows, classes), outputs).shape[-1]


def _encoding(owner: Run | Dataset) -> str:
    return "" if owner.door is None else json.dumps(owner.door.to_dict(), sort_keys=True)


def _kind(target: Target) -> str:
    if not target.classes:
        return target.task
    return f"the classes {', '.join(map(repr, target.classes[:4]))}{', ...' if len(target.classes) > 4 else ''}"


def _shown(given: Any) -> str:
    return "none" if isinstance(given, Sequence) and not given else f"a {type(given).__name__}"
