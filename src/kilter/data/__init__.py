"""Data: from arrays, from tables, or shipped; and the preprocessing that goes with a run."""

from kilter.data.builtin import breast_cancer, diabetes, digits, iris, wine
from kilter.data.dataset import Dataset, Part, from_arrays
from kilter.data.preprocess import ChannelMean, ChannelStandardize, MinMax, Preprocess, Standardize
from kilter.data.table import from_table
from kilter.data.targets import Target

__all__ = [
    "ChannelMean",
    "ChannelStandardize",
    "Dataset",
    "MinMax",
    "Part",
    "Preprocess",
    "Standardize",
    "Target",
    "breast_cancer",
    "diabetes",
    "digits",
    "from_arrays",
    "from_table",
    "iris",
    "wine",
]
