"""Losses that outliers and wrong labels pull less at."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from kilter.data.dataset import Dataset
from kilter.doctor.remedy import Remedy
from kilter.losses import Huber, SoftmaxCrossEntropy, SquaredError
from kilter.train.recipe import Recipe

# Robust standard deviations from which on a target is an outlier (one normal target in 1.7 million), and Huber's corner
# in the same unit, where the mean of normal errors loses 5 % of its efficiency.
_FAR, _CORNER = 5.0, 1.345
# Standard deviation of normal numbers over the median of their distances from the median.
_MAD = 1.4826
_SMOOTHING = 0.1


def loss(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Huber's loss for numbers with outliers, smoothed labels for classes."""
    if robust(recipe, data) != recipe:
        yield Remedy(
            "loss:huber",
            "Take Huber's loss in place of the squared error: some targets are far from all others and would "
            "outweigh them (Huber 1964).",
            "nn.HuberLoss(delta) in place of nn.MSELoss()",
            partial(robust, data=data),
        )
    if _smoothed(recipe) != recipe:
        yield Remedy(
            "loss:smoothing",
            f"Smooth the labels by {_SMOOTHING:g}, so that the net need not grow its outputs without end and wrong labels "
            "cost less (Szegedy et al. 2016, section 7).",
            f"nn.CrossEntropyLoss(label_smoothing={_SMOOTHING:g})",
            _smoothed,
        )


def robust(recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe with Huber's loss in place of the squared error, where targets are numbers with outliers."""
    if data.target.task != "numbers" or not isinstance(recipe.loss, SquaredError):
        return recipe
    y = data.train.y if recipe.targets is None else recipe.targets.apply(recipe.targets.fit(data.train.y), data.train.y)
    distance = np.abs(y - np.median(y, axis=0))
    spread = _MAD * float(np.median(distance))
    if not spread or float(distance.max()) <= _FAR * spread:
        return recipe
    return recipe.replace(loss=Huber(float(f"{_CORNER * spread:.2g}")))


def _smoothed(recipe: Recipe) -> Recipe:
    if not isinstance(recipe.loss, SoftmaxCrossEntropy) or recipe.loss.smoothing:
        return recipe
    return recipe.put("loss.smoothing", _SMOOTHING)
