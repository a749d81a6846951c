"""Training: recipes, the one engine, and the runs that it gives."""

from kilter.train.cross_validation import CrossValidation, cross_validate
from kilter.train.launch import train_fleet
from kilter.train.outcome import Outcome
from kilter.train.plan import Plan, plan
from kilter.train.prediction import Prediction
from kilter.train.range_test import RangeTest, lr_range_test
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.runs import Runs
from kilter.train.stopping import EarlyStopping
from kilter.train.store import load
from kilter.train.streaming import StreamError

__all__ = [
    "CrossValidation",
    "EarlyStopping",
    "Outcome",
    "Plan",
    "Prediction",
    "RangeTest",
    "Recipe",
    "Run",
    "Runs",
    "StreamError",
    "cross_validate",
    "load",
    "lr_range_test",
    "plan",
    "train_fleet",
]
