"""Optimizers and schedules."""

from kilter.optim.adam import Adam
from kilter.optim.optimizer import Optimizer, spanning
from kilter.optim.schedules import Constant, Cosine, Schedule
from kilter.optim.sgd import SGD

ALL: tuple[type[Optimizer], ...] = (SGD, Adam)

__all__ = ["ALL", "SGD", "Adam", "Constant", "Cosine", "Optimizer", "Schedule", "spanning"]
