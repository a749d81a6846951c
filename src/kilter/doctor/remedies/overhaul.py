"""Everything at once that is known to be good: the reference that a healthy training of this size should come near."""

import math

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.activation import activated
from kilter.doctor.remedies.decay import undecayed
from kilter.doctor.remedies.dropout import capped_dropout
from kilter.doctor.remedies.initializer import matched
from kilter.doctor.remedies.line import Line, apart, blocks, spliced
from kilter.doctor.remedies.loss import robust
from kilter.doctor.remedies.missing_activation import bent
from kilter.doctor.remedies.output import linear_output
from kilter.doctor.remedies.scale import standardized_inputs, standardized_targets
from kilter.doctor.remedies.size import deeper, widened
from kilter.losses import Distance, SquaredError
from kilter.nn.activations import ReLU
from kilter.nn.dense import Dense
from kilter.nn.layer import Layer
from kilter.nn.reshape import Flatten
from kilter.optim import Adam
from kilter.train.recipe import Recipe

# Fewest hidden units, and most hidden layers of a net that was deeper than the third.
_WIDTH, _LAYERS, _DEEP = 64, 3, 8
# Updates from which on the lower of two rates does; at least so many are made, in small batches where they are few.
_MANY, _LEAST, _FEW, _BATCH = 2000, 1000, 500, 32
_FAST, _USUAL = 3e-3, 1e-3
_DROPPED = 0.2


def overhaul(recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe with all at once that usually helps, at about the same cost.

    Standardized inputs and targets; linear outputs with cross-entropy, or the squared error (Huber's loss where targets
    have outliers); ReLU between hidden layers with matched weights; Adam at 0.001, or 0.003 where updates are few; at least
    1000 updates, in batches of 32 where there would be fewer than 500; dropout of 0.2 at most, no penalty, no constraint.
    Nets of dense layers alone get at least one hidden layer and 64 units each, and three hidden layers where they had more
    than eight. Nothing is trained for it, and equal recipes give equal ones.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> net = nn.Chain(nn.Dense(3), nn.Sigmoid())
    >>> overhaul(kl.Recipe(net, losses.SquaredError(), optimizer=optim.SGD(-1.0)), kl.data.iris()).net
    nn.Chain(nn.Dense(64), nn.ReLU(), nn.Dense(3))
    """
    recipe = standardized_targets(standardized_inputs(recipe, data), data)
    recipe = _headed(recipe, data)
    recipe = activated(bent(recipe), ReLU())
    if _dense(recipe.net):
        recipe = _sized(recipe)
    recipe = matched(undecayed(recipe))
    recipe = recipe.replace(net=capped_dropout(recipe.net, most=_DROPPED), constraint=None, stopping=None, shuffle=True)
    return _paced(recipe, len(data.train))


def _headed(recipe: Recipe, data: Dataset) -> Recipe:
    """With linear outputs and the loss that learns most from them."""
    if data.target.task == "numbers" and isinstance(recipe.loss, Distance):
        recipe = recipe.replace(loss=SquaredError())
    return robust(linear_output(recipe, data), data)


def _dense(net: Layer) -> bool:
    """Whether all layers with kernels are dense ones, one after the other."""
    parts = apart(net)
    kernels = [*(block[0].layer for block in blocks(parts.main)), *([parts.head.layer] if parts.head else [])]
    return bool(kernels) and all(isinstance(layer, Dense) for layer in kernels)


def _sized(recipe: Recipe) -> Recipe:
    """With at least one hidden layer, not too narrow ones, and not too many."""
    cut = blocks(apart(recipe.net).main)
    if not cut:
        return deeper(recipe)
    if len(cut) > _DEEP:
        recipe = recipe.replace(net=spliced(recipe.net, _without(cut[_LAYERS:])))
    return widened(recipe, least=_WIDTH)


def _without(cut: list[Line]) -> dict[str, tuple[Layer, ...]]:
    return {place.path: () for block in cut for place in block if not isinstance(place.layer, Flatten)}


def _paced(recipe: Recipe, rows: int) -> Recipe:
    """With Adam, and enough updates for it."""
    batch = min(recipe.batch_size, rows)
    if recipe.epochs * math.ceil(rows / batch) < _FEW:
        batch = min(batch, _BATCH)
    each = math.ceil(rows / batch)
    epochs = max(recipe.epochs, math.ceil(_LEAST / each))
    rate = _USUAL if epochs * each >= _MANY else _FAST
    return recipe.replace(optimizer=Adam(rate), batch_size=batch, epochs=epochs)
