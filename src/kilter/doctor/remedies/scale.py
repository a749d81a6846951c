"""Inputs and targets brought to mean 0 and standard deviation 1."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from kilter.data.dataset import Dataset
from kilter.data.preprocess import Preprocess
from kilter.data.scaling import ChannelStandardize, Standardize
from kilter.doctor.remedies.line import line
from kilter.doctor.remedy import Remedy
from kilter.losses import Huber, Loss
from kilter.nn.embedding import Embedding, OneHot
from kilter.train.recipe import Recipe

# Rows that are looked at.
_ROWS = 4096
# Within these a scale that was chosen on purpose is left alone: root mean square over all features.
_SOUND = (1 / 3, 3.0)


def inputs(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Standardized inputs, where they are not and are no codes."""
    if standardized_inputs(recipe, data) != recipe:
        low, high = float(data.train.x.min()), float(data.train.x.max())
        yield Remedy(
            "inputs:standardize",
            f"Standardize the inputs, which go from {low:g} to {high:g}: features of mean 0 and equal spread make the loss "
            "equally steep in all directions (LeCun et al. 1998, Efficient BackProp, section 4.3).",
            "x = (x - x_train.mean(0)) / x_train.std(0)",
            partial(standardized_inputs, data=data),
        )


def targets(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Standardized targets, where these are numbers and are not."""
    if standardized_targets(recipe, data) != recipe:
        low, high = float(data.train.y.min()), float(data.train.y.max())
        yield Remedy(
            "targets:standardize",
            f"Standardize the targets, which go from {low:g} to {high:g}, so that outputs and gradients are of about unit "
            "size from the start; predictions come back in the old unit (LeCun et al. 1998, Efficient BackProp).",
            "y = (y - y_train.mean()) / y_train.std(), undone on predictions",
            partial(standardized_targets, data=data),
        )


def standardized_inputs(recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe with standardized inputs, unless they come in a sound scale or are codes of categories."""
    if any(data.categories) or _takes_codes(recipe):
        return recipe
    if _scaled_well(recipe.inputs, data.train.x[:_ROWS], _channels(data)):
        return recipe
    return recipe.replace(inputs=ChannelStandardize() if _channels(data) else Standardize())


def standardized_targets(recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe with standardized targets, unless they come in a sound scale or are no numbers."""
    if data.target.task != "numbers" or recipe.loss.takes == "log rates":
        return recipe
    if _scaled_well(recipe.targets, data.train.y[:_ROWS], False):
        return recipe
    return recipe.replace(targets=Standardize(), loss=_in_unit(recipe, data))


def _in_unit(recipe: Recipe, data: Dataset) -> Loss:
    """The loss with what it has in units of the target in units of the standardized one."""
    if not isinstance(recipe.loss, Huber):
        return recipe.loss
    y = data.train.y
    before = y if recipe.targets is None else recipe.targets.apply(recipe.targets.fit(y), y)
    return recipe.loss.replace(delta=recipe.loss.delta / float(before.std(0).mean()))


def _takes_codes(recipe: Recipe) -> bool:
    return any(isinstance(place.layer, Embedding | OneHot) for place in line(recipe.net)[:1])


def _channels(data: Dataset) -> bool:
    return len(data.shape) > 1


def _scaled_well(given: Preprocess | None, rows: Any, channels: bool) -> bool:
    """Whether rows are standardized; where a preprocessing was given, whether they are of about unit size after it."""
    if given is not None:
        after = given.apply(given.fit(rows), rows)
        return _SOUND[0] < float(np.sqrt(np.mean(np.square(after, dtype=np.float64)))) < _SOUND[1]
    axes = tuple(range(rows.ndim - 1)) if channels else (0,)
    mean, std = rows.mean(axes, dtype=np.float64), rows.std(axes, dtype=np.float64)
    varied = std > 1e-7 * np.maximum(np.abs(mean), 1e-30)
    return bool((np.abs(mean) < 0.1).all() and (np.abs(std[varied] - 1) < 0.1).all())
