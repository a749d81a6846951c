"""All remedies by family, and those that apply to a recipe."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from kilter.core.errors import DoubtWarning, InputError
from kilter.core.paths import nearest
from kilter.data.dataset import Dataset
from kilter.doctor.remedies.activation import activation
from kilter.doctor.remedies.class_weights import class_weights
from kilter.doctor.remedies.clip import clip
from kilter.doctor.remedies.decay import decay
from kilter.doctor.remedies.dropout import dropout
from kilter.doctor.remedies.initializer import initializer
from kilter.doctor.remedies.learning_rate import learning_rate
from kilter.doctor.remedies.length import batch_size, epochs, shuffle, stopping
from kilter.doctor.remedies.loss import loss
from kilter.doctor.remedies.missing_activation import missing_activation
from kilter.doctor.remedies.norm import batch_norm, layer_norm
from kilter.doctor.remedies.optimizer import optimizer
from kilter.doctor.remedies.output import output
from kilter.doctor.remedies.overhaul import overhaul, overhauling
from kilter.doctor.remedies.residual import residual
from kilter.doctor.remedies.scale import inputs, targets
from kilter.doctor.remedies.schedule import schedule
from kilter.doctor.remedies.size import depth, width
from kilter.doctor.remedy import Maker, Remedy
from kilter.train.check import check
from kilter.train.recipe import Recipe, structure

ALL: dict[str, Maker] = {
    "output": output,
    "inputs": inputs,
    "targets": targets,
    "learning_rate": learning_rate,
    "optimizer": optimizer,
    "initializer": initializer,
    "activation": activation,
    "missing_activation": missing_activation,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "residual": residual,
    "clip": clip,
    "schedule": schedule,
    "loss": loss,
    "class_weights": class_weights,
    "dropout": dropout,
    "decay": decay,
    "stopping": stopping,
    "width": width,
    "depth": depth,
    "batch_size": batch_size,
    "epochs": epochs,
    "shuffle": shuffle,
}


def of(recipe: Recipe, data: Dataset, names: Iterable[str] | None = None) -> list[Remedy]:
    """The remedies that apply: each changes the recipe to one that can train on the data, and no two to the same one.

    Args:
        recipe: to be healed.
        data: that it trains on.
        names: of families (``"activation"``) or of remedies (``"activation:relu"``), in the order wanted; left open, all.
            A remedy that is named but does not apply is left out.

    Raises:
        InputError: there is no family of that name.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> net = nn.Chain(nn.Dense(8), nn.Sigmoid(), nn.Dense(3))
    >>> recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam())
    >>> (remedy,) = of(recipe, kl.data.iris(), ["activation:relu"])
    >>> kl.diff(recipe, remedy(recipe))
    net.layers[1]: nn.Sigmoid() -> nn.ReLU()
    """
    wanted = list(ALL) if names is None else list(names)
    offered = [remedy for name in wanted for remedy in _named(name, recipe, data)]
    return list(_useful(offered, recipe, data))


def _named(name: str, recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    family = name.partition(":")[0]
    if family not in ALL:
        raise InputError(f"there is no remedy {name!r}{nearest(family, ALL)}")
    return (remedy for remedy in ALL[family](recipe, data) if name in (family, remedy.name))


def _useful(offered: Iterable[Remedy], recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    met, trainable = [recipe], {}
    for remedy in offered:
        if not remedy.trains:
            new = remedy(recipe)
            if new in met or not _trainable(new, data, trainable):
                continue
            met.append(new)
        yield remedy


def _trainable(recipe: Recipe, data: Dataset, known: dict[Any, bool]) -> bool:
    """Whether the recipe passes the check, which numbers do not decide."""
    key = structure(recipe)
    if key not in known:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DoubtWarning)
            try:
                check(recipe, data)
                known[key] = True
            except InputError:
                known[key] = False
    return known[key]


__all__ = ["ALL", "Maker", "Remedy", "of", "overhaul", "overhauling"]
