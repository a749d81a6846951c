"""The lab: classic experiments that show why each technique exists; each gives a table, a figure and a sentence."""

from kilter.lab.activations import activations
from kilter.lab.experiment import Experiment
from kilter.lab.gain import gain
from kilter.lab.init_distributions import init_distributions

ALL = {each.__name__: each for each in (init_distributions, gain, activations)}

__all__ = ["ALL", "Experiment", "activations", "gain", "init_distributions"]
