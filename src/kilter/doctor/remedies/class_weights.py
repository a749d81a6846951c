"""Weights that make rare classes count as much as frequent ones."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from kilter.data.dataset import Dataset
from kilter.doctor.remedy import Remedy
from kilter.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from kilter.train.recipe import Recipe

# Rows of the most frequent class for one of the rarest from which on classes count as unbalanced.
_UNEVEN = 1.5


def class_weights(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Weights by class, where these are unbalanced and the loss takes weights."""
    if balanced(recipe, data) != recipe:
        counts = np.bincount(data.train.y, minlength=data.classes)
        yield Remedy(
            "class_weights:balanced",
            f"Weigh classes by one over their number of rows, which goes from {counts.min()} to {counts.max()}: else the "
            "loss is least where rare classes are ignored (King and Zeng 2001).",
            "nn.CrossEntropyLoss(weight=rows / (classes * counts)), or nn.BCEWithLogitsLoss(pos_weight=no / yes)",
            partial(balanced, data=data),
        )


def balanced(recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe with weights by class in its loss; as it is where rows have weights or classes are even."""
    if not data.classes or data.train.weights is not None:
        return recipe
    counts = np.maximum(np.bincount(data.train.y, minlength=data.classes), 1)
    if counts.max() < _UNEVEN * counts.min():
        return recipe
    if isinstance(recipe.loss, SoftmaxCrossEntropy) and recipe.loss.weights is None:
        shares = counts.sum() / (len(counts) * counts)
        return recipe.put("loss.weights", tuple(float(f"{share:.4g}") for share in shares))
    if isinstance(recipe.loss, SigmoidCrossEntropy) and data.classes == 2 and recipe.loss.positive == 1:
        return recipe.put("loss.positive", float(f"{counts[0] / counts[1]:.4g}"))
    return recipe
