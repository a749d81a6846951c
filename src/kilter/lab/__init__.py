"""The lab: classic experiments that show why each technique exists; each gives a table, a figure and a sentence."""

from kilter.lab.activations import activations
from kilter.lab.experiment import Experiment
from kilter.lab.gain import gain
from kilter.lab.init_distributions import init_distributions
from kilter.lab.init_training import init_training
from kilter.lab.learning_rate import learning_rate
from kilter.lab.optimizers import optimizers
from kilter.lab.preprocessing import preprocessing
from kilter.lab.symmetry import symmetry

_EXPERIMENTS = (
    init_distributions,
    gain,
    activations,
    symmetry,
    init_training,
    optimizers,
    learning_rate,
    preprocessing,
)
ALL = {each.__name__: each for each in _EXPERIMENTS}

__all__ = [
    "ALL",
    "Experiment",
    "activations",
    "gain",
    "init_distributions",
    "init_training",
    "learning_rate",
    "optimizers",
    "preprocessing",
    "symmetry",
]
