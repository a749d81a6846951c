"""Kilter trains deep networks and keeps them trainable."""

from importlib.metadata import version

from kilter import data, losses, metrics, nn, optim, recipes
from kilter.catalog import catalog
from kilter.core.diff import diff
from kilter.core.distributions import Choice, Integer, LogUniform, Repeat, Uniform, shared
from kilter.core.errors import DoubtWarning, FileError, InputError
from kilter.ensembles import Ensemble, ensemble, load, snapshots
from kilter.search import Space, strategies
from kilter.search.loop import search
from kilter.search.opening import space
from kilter.search.study import Study
from kilter.train import EarlyStopping, Outcome, RangeTest, Recipe, Run, lr_range_test, train, train_fleet

__version__ = version("kilter")

__all__ = [
    "Choice",
    "DoubtWarning",
    "EarlyStopping",
    "Ensemble",
    "FileError",
    "InputError",
    "Integer",
    "LogUniform",
    "Outcome",
    "RangeTest",
    "Recipe",
    "Repeat",
    "Run",
    "Space",
    "Study",
    "Uniform",
    "catalog",
    "data",
    "diff",
    "ensemble",
    "load",
    "losses",
    "lr_range_test",
    "metrics",
    "nn",
    "optim",
    "recipes",
    "search",
    "shared",
    "snapshots",
    "space",
    "strategies",
    "train",
    "train_fleet",
]
