"""The lab: classic experiments that show why each technique exists; each gives a table, a figure and a sentence."""

from kilter.lab import experiment, gallery
from kilter.lab.activations import activations
from kilter.lab.batch_norm import batch_norm
from kilter.lab.depth import depth
from kilter.lab.dropout import dropout
from kilter.lab.ensembles import ensembles
from kilter.lab.experiment import Experiment
from kilter.lab.gain import gain
from kilter.lab.init_distributions import init_distributions
from kilter.lab.init_training import init_training
from kilter.lab.learning_rate import learning_rate
from kilter.lab.optimizers import optimizers
from kilter.lab.preprocessing import preprocessing
from kilter.lab.regularization import regularization
from kilter.lab.search import search
from kilter.lab.softmax import softmax
from kilter.lab.symmetry import symmetry

# In the order of a course: signals, weights, optimizers, norms, regularization, search.
_EXPERIMENTS = (
    init_distributions,
    gain,
    activations,
    symmetry,
    optimizers,
    learning_rate,
    batch_norm,
    init_training,
    dropout,
    regularization,
    preprocessing,
    softmax,
    search,
    ensembles,
    depth,
)
ALL = {each.__name__: each for each in _EXPERIMENTS}

__all__ = [
    "ALL",
    "Experiment",
    "activations",
    "batch_norm",
    "depth",
    "dropout",
    "ensembles",
    "experiment",
    "gain",
    "gallery",
    "init_distributions",
    "init_training",
    "learning_rate",
    "optimizers",
    "preprocessing",
    "regularization",
    "search",
    "softmax",
    "symmetry",
]
