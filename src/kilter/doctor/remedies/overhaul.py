"""Everything at once that is known to be good: the reference that a healthy training of this size should come near."""

import math
from collections.abc import Callable
from dataclasses import dataclass

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
from kilter.doctor.remedy import Remedy
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
    for step in STEPS:
        recipe = step.change(recipe, data)
    return recipe


def overhauling(recipe: Recipe, data: Dataset) -> list[Remedy]:
    """The overhaul as one remedy for each step that changes the recipe, so that steps can be left out."""
    remedies = []
    for step in STEPS:
        new = step.change(recipe, data)
        if new != recipe:
            remedies.append(step.remedy(new, data))
        recipe = new
    return remedies


@dataclass(frozen=True)
class Step:
    """One part of the overhaul: its name, what it does to a recipe, and how that is told of the new one."""

    name: str
    change: Callable[[Recipe, Dataset], Recipe]
    told: str

    def remedy(self, new: Recipe, data: Dataset) -> Remedy:
        """The step by itself, as a change to ``new``."""
        told = self.told.format(recipe=new)
        name, sentence = f"overhaul:{self.name}", f"{told}: this is known to train."
        return Remedy(name, sentence, told, lambda recipe: self.change(recipe, data))


def _headed(recipe: Recipe, data: Dataset) -> Recipe:
    """With linear outputs and the loss that learns most from them."""
    if data.target.task == "numbers" and isinstance(recipe.loss, Distance):
        recipe = recipe.replace(loss=SquaredError())
    return robust(linear_output(recipe, data), data)


def _bent(recipe: Recipe, data: Dataset) -> Recipe:
    return activated(bent(recipe), ReLU())


def _dense(net: Layer) -> bool:
    """Whether all layers with kernels are dense ones, one after the other."""
    parts = apart(net)
    kernels = [*(block[0].layer for block in blocks(parts.main)), *([parts.head.layer] if parts.head else [])]
    return bool(kernels) and all(isinstance(layer, Dense) for layer in kernels)


def _sized(recipe: Recipe, data: Dataset) -> Recipe:
    """With at least one hidden layer, not too narrow ones, and not too many; where all are dense."""
    if not _dense(recipe.net):
        return recipe
    cut = blocks(apart(recipe.net).main)
    if not cut:
        return deeper(recipe)
    if len(cut) > _DEEP:
        recipe = recipe.replace(net=spliced(recipe.net, _without(cut[_LAYERS:])))
    return widened(recipe, least=_WIDTH)


def _without(cut: list[Line]) -> dict[str, tuple[Layer, ...]]:
    return {place.path: () for block in cut for place in block if not isinstance(place.layer, Flatten)}


def _drawn(recipe: Recipe, data: Dataset) -> Recipe:
    return matched(recipe)


def _free(recipe: Recipe, data: Dataset) -> Recipe:
    return undecayed(recipe).replace(constraint=None)


def _kept(recipe: Recipe, data: Dataset) -> Recipe:
    return recipe.replace(net=capped_dropout(recipe.net, most=_DROPPED))


def _to_the_end(recipe: Recipe, data: Dataset) -> Recipe:
    return recipe.replace(stopping=None)


def _shuffled(recipe: Recipe, data: Dataset) -> Recipe:
    return recipe.replace(shuffle=True)


def _each(recipe: Recipe, data: Dataset) -> int:
    """Updates of an epoch."""
    return math.ceil(len(data.train) / min(recipe.batch_size, len(data.train)))


def _in_batches(recipe: Recipe, data: Dataset) -> Recipe:
    batch = min(recipe.batch_size, len(data.train))
    few = recipe.epochs * _each(recipe, data) < _FEW
    return recipe.replace(batch_size=min(batch, _BATCH) if few else batch)


def _long(recipe: Recipe, data: Dataset) -> Recipe:
    return recipe.replace(epochs=max(recipe.epochs, math.ceil(_LEAST / _each(recipe, data))))


def _optimized(recipe: Recipe, data: Dataset) -> Recipe:
    many = recipe.epochs * _each(recipe, data) >= _MANY
    return recipe.replace(optimizer=Adam(_USUAL if many else _FAST))


STEPS = (
    Step("inputs", standardized_inputs, "Standardize the inputs"),
    Step("targets", standardized_targets, "Standardize the targets"),
    Step("output", _headed, "Give the network linear outputs and train them with {recipe.loss!r}"),
    Step("activation", _bent, "Put ReLU between all hidden layers"),
    Step("size", _sized, f"Take hidden layers of at least {_WIDTH} units, {_LAYERS} of them where there were many"),
    Step("decay", _free, "Leave out penalties, weight decay and constraints"),
    Step("initializer", _drawn, "Draw the weights of every layer with the variance that fits its activation"),
    Step("dropout", _kept, f"Drop at most {_DROPPED:.0%} of the units"),
    Step("stopping", _to_the_end, "Train to the last epoch"),
    Step("shuffle", _shuffled, "Go through the rows in a new order every epoch"),
    Step("batch_size", _in_batches, "Take batches of {recipe.batch_size} rows"),
    Step("epochs", _long, "Train for {recipe.epochs} epochs"),
    Step("optimizer", _optimized, "Train with {recipe.optimizer!r}"),
)
