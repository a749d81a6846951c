"""Other frameworks: their networks under the doctor's eyes, runs as their files; each is imported when it is needed."""

from kilter.interop import keras, tensorboard, torch

__all__ = ["keras", "tensorboard", "torch"]
