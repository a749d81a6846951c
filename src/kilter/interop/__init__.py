"""Networks of other frameworks under the doctor's eyes; each framework is imported when one of its networks comes."""

from kilter.interop import keras, torch

__all__ = ["keras", "torch"]
