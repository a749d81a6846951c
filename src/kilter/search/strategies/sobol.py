"""Quasi-random search: points that fill the cube evenly."""

import numpy as np

from kilter.search.dimension import decode
from kilter.search.strategies.state import Ask, State
from kilter.search.strategies.strategy import Strategy


class Sobol(Strategy):
    """The points of Sobol's sequence, scrambled by the seed: random search without gaps and clusters.

    The sequence is SciPy's; its scrambling is a random linear matrix and a digital shift (Matousek 1998).
    """

    formula = "point i of the scrambled Sobol sequence"
    source = "Sobol 1967; Bousquet et al. 2017 for hyper-parameters"
    choose = "In place of random search wherever the number of trials is small: a power of two fills best."

    def next(self, state: State) -> Ask:
        return state.ask(decode(state.dimensions, place(state.seed, len(state.dimensions), len(state.asks))))


def place(seed: int, dimensions: int, index: int) -> np.ndarray:
    """Point ``index`` of the sequence in the unit cube."""
    from scipy.stats import qmc  # half a second that most programs never need

    sequence = qmc.Sobol(dimensions, rng=np.random.default_rng(seed))
    if index:  # SciPy fails to go forward by none
        sequence.fast_forward(index)
    return sequence.random(1)[0]
