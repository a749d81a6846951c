"""Training: recipes, the one engine, and the runs that it gives."""

from kilter.train.fleet import train, train_fleet
from kilter.train.outcome import Outcome
from kilter.train.prediction import Prediction
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.stopping import EarlyStopping
from kilter.train.store import load

__all__ = ["EarlyStopping", "Outcome", "Prediction", "Recipe", "Run", "load", "train", "train_fleet"]
