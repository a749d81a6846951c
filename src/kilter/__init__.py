"""Kilter trains deep networks and keeps them trainable."""

# ruff: isort: off
from kilter.core import quiet
# ruff: isort: on

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kilter import data, distributed, interop, losses, metrics, nn, optim, recipes, vitals
from kilter.catalog import catalog
from kilter.core.devices import device_a_core
from kilter.core.diff import diff
from kilter.core.distributions import Choice, Integer, LogUniform, Repeat, Uniform, shared
from kilter.core.errors import DoubtWarning, FileError, InputError
from kilter.core.programs import keep_programs
from kilter.doctor import Checkup, Cure, Finding, FindingWarning, train
from kilter.doors import cure, examine
from kilter.ensembles import Ensemble, ensemble, load, snapshots
from kilter.report.entry import report
from kilter.report.report import Report
from kilter.search import Space, strategies
from kilter.search.loop import search
from kilter.search.opening import space
from kilter.search.study import Study
from kilter.train import (
    CrossValidation,
    EarlyStopping,
    Outcome,
    Plan,
    RangeTest,
    Recipe,
    Run,
    Runs,
    cross_validate,
    lr_range_test,
    plan,
    train_fleet,
)
from kilter.vitals import Trace, Watch

if TYPE_CHECKING:
    from kilter import lab

    __version__: str

device_a_core()
keep_programs()
quiet.end()

__all__ = [
    "Checkup",
    "Choice",
    "CrossValidation",
    "Cure",
    "DoubtWarning",
    "EarlyStopping",
    "Ensemble",
    "FileError",
    "Finding",
    "FindingWarning",
    "InputError",
    "Integer",
    "LogUniform",
    "Outcome",
    "Plan",
    "RangeTest",
    "Recipe",
    "Repeat",
    "Report",
    "Run",
    "Runs",
    "Space",
    "Study",
    "Trace",
    "Uniform",
    "Watch",
    "catalog",
    "cross_validate",
    "cure",
    "data",
    "diff",
    "distributed",
    "ensemble",
    "examine",
    "interop",
    "lab",
    "load",
    "losses",
    "lr_range_test",
    "metrics",
    "nn",
    "optim",
    "plan",
    "recipes",
    "report",
    "search",
    "shared",
    "snapshots",
    "space",
    "strategies",
    "train",
    "train_fleet",
    "vitals",
]


def __getattr__(name: str) -> Any:
    """What comes when it is asked for: the lab takes a fifth of the import, and the version another tenth."""
    if name == "lab":
        return import_module("kilter.lab")
    if name == "__version__":
        return import_module("importlib.metadata").version("kilter")
    raise AttributeError(f"module 'kilter' has no attribute {name!r}")
