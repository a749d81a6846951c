"""Strategies: how a search goes through its space."""

from kilter.search.strategies.asha import ASHA
from kilter.search.strategies.coarse_to_fine import CoarseToFine
from kilter.search.strategies.gp import GP
from kilter.search.strategies.grid import Grid
from kilter.search.strategies.hyperband import Hyperband
from kilter.search.strategies.pbt import PBT
from kilter.search.strategies.random import Random
from kilter.search.strategies.sobol import Sobol
from kilter.search.strategies.state import Ask, State
from kilter.search.strategies.strategy import Strategy
from kilter.search.strategies.successive_halving import SuccessiveHalving
from kilter.search.strategies.tpe import TPE

ALL: tuple[type[Strategy], ...] = (
    Grid,
    Random,
    Sobol,
    CoarseToFine,
    TPE,
    GP,
    SuccessiveHalving,
    Hyperband,
    ASHA,
    PBT,
)

__all__ = [
    "ALL",
    "ASHA",
    "GP",
    "PBT",
    "TPE",
    "Ask",
    "CoarseToFine",
    "Grid",
    "Hyperband",
    "Random",
    "Sobol",
    "State",
    "Strategy",
    "SuccessiveHalving",
]
