"""Molds: recipes that differ in widths, depth, activations, optimizers and batch sizes cast in one structure.

Compiling a program takes seconds, training a small net with it takes fractions of one. So widths, depths and batches are
padded to common ones, and kinds are told by a number; what a member computes stays what it would compute alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import jax
import numpy as np

from kilter.core import keys
from kilter.data.dataset import Dataset
from kilter.nn import Chain, Dense
from kilter.nn import molded as nets
from kilter.nn.compose import Names
from kilter.nn.layer import Layer, Shape, shapes
from kilter.optim import one_of
from kilter.optim.optimizer import Optimizer
from kilter.train.batches import batch_of, slots
from kilter.train.pattern import blocks, chain_of, choices, dense, dense_places, free, last_dense, plain, unmatched
from kilter.train.recipe import Recipe

# Widths of molds are powers of two from here on.
_NARROWEST = 32


@dataclass(frozen=True)
class Mold:
    """What recipes of one pattern are cast in.

    Attributes:
        pattern: what they have in common.
        shape: of an example.
        width: of the hidden layers.
        depth: most blocks of hidden layers.
        least: fewest of these; no more are ever passed by.
        batch: slots of a batch.
        mixed: whether batch sizes differ; else all are ``batch``.
        kinds: by place in the pattern, one of each kind that may stand there.
    """

    pattern: Any
    shape: Shape
    width: int
    depth: int
    least: int
    batch: int
    mixed: bool
    kinds: tuple[tuple[Any, tuple[Any, ...]], ...]

    def __str__(self) -> str:
        deep = f", {self.depth} deep" if self.depth > 1 else ""
        return f"{self.width} units{deep}" + (f" and batches of {self.batch}" if self.mixed else "")

    def holds(self, recipe: Recipe, rows: int) -> bool:
        """Whether a recipe of the pattern fits in, trained on so many rows."""
        batch, kinds = batch_of(recipe, rows), dict(self.kinds)
        return (
            width_of([recipe]) <= self.width
            and self.least <= blocks(chain_of(recipe)).repeats <= self.depth
            and (batch <= self.batch if self.mixed else batch == self.batch)
            and all(_place(value, kinds.get(place, ())) is not None for place, value in choices(recipe))
        )

    def cast(self, recipe: Recipe) -> Recipe:
        """The recipe in the mold's structure."""
        return recipe.replace(net=self._net(chain_of(recipe)), optimizer=self.optimizer(recipe.optimizer))

    def blank(self, recipe: Recipe) -> Recipe:
        """A recipe as large as the mold, from which its cost can be told."""
        whole = [recipe.net.layers[source] for source in self.sources(chain_of(recipe))]
        last = last_dense(Chain(*whole))
        layers = [
            layer.replace(units=self.width) if isinstance(layer, Dense) and place != last else layer
            for place, layer in enumerate(whole)
        ]
        return recipe.replace(net=Chain(*layers), optimizer=self.optimizer(recipe.optimizer), batch_size=self.batch)

    def sources(self, net: Chain) -> list[int]:
        """For each place of the mold the net's own layer there; for a block that the net lacks, that of its last one."""
        front, length, repeats = blocks(net)
        own, end = list(range(len(net.layers))), front + repeats * length
        return [*own[:end], *(self.depth - repeats) * own[end - length : end], *own[end:]]

    def lacking(self, net: Chain) -> range:
        """Places of the blocks that a net lacks; they would follow its last one."""
        front, length, repeats = blocks(net)
        return range(front + repeats * length, front + self.depth * length)

    def _net(self, net: Chain) -> nets.Molded:
        settled, own, lacking = net.followed_by(None).layers, told(net, self.shape), self.lacking(net)
        own = [own[source] for source in self.sources(net)]
        # What reaches a block that is lacking goes through it as it is.
        own = [
            replace(each, units=own[lacking[0] - 1].units) if place in lacking else each
            for place, each in enumerate(own)
        ]
        layers = [self._layer(settled[source], source, net) for source in self.sources(net)]
        scales = [
            _ratio(before.initializer, before.kernel, after.initializer, (self._before(layers, place, before), after.units))
            if isinstance(after, Dense) else 1.0
            for place, (before, after) in enumerate(zip(own, layers, strict=True))
        ]  # fmt: skip
        fit = nets.Fit(
            np.array([each.name for each in own], np.uint32),
            np.array([each.units for each in own], np.int32),
            np.array([place not in lacking for place in range(len(own))]),
            np.array(scales, np.float32),
        )
        front, length, _ = blocks(net)
        return nets.Molded(
            *layers, fit=fit, spare=tuple(range(front + self.least * length, front + self.depth * length))
        )

    def _layer(self, layer: Layer, place: int, net: Chain) -> Layer:
        """A layer of a net as wide as the mold, and of any kind that may stand there."""
        if isinstance(layer, Dense):
            return unmatched(layer).replace(units=layer.units if place == last_dense(net) else self.width)
        if not free(layer):
            return layer
        options, choice = self._options(blocks(net).within(place), layer)
        return options[0] if len(options) == 1 else nets.OneOf(*options, choice=choice)

    def _before(self, layers: Sequence[Layer], place: int, own: "Told") -> int:
        wide = [layer.units for layer in layers[:place] if isinstance(layer, Dense)]
        return wide[-1] if wide else own.kernel[-2]

    def optimizer(self, optimizer: Optimizer) -> Optimizer:
        """The optimizer among all kinds of its place."""
        if not plain(optimizer):
            return optimizer
        options, choice = self._options("optimizer", optimizer)
        return optimizer if len(options) == 1 else one_of.OneOf(*options, choice=choice)

    def _options(self, place: Any, own: Any) -> tuple[list[Any], int]:
        """All kinds of a place, with this one in its own place among them."""
        options = list(dict(self.kinds)[place])
        choice = _place(own, options)
        assert choice is not None
        options[choice] = own
        return options, choice


@dataclass(frozen=True)
class Told:
    """What a net's own layer is told by: number of its name, features behind it; of a dense one kernel and initializer."""

    name: int
    units: int
    kernel: Shape = ()
    initializer: Any = None


def mold(pattern: Any, recipes: Sequence[Recipe], data: Dataset) -> Mold:
    """The smallest mold for recipes of a pattern."""
    met: dict[Any, dict[str, Any]] = {}
    for recipe in recipes:
        for place, value in choices(recipe):
            met.setdefault(place, {}).setdefault(str(jax.tree.structure(value)), value)
    # In an order of their own, so that the same kinds always make the same program.
    kinds = tuple((place, tuple(met[place][name] for name in sorted(met[place]))) for place in sorted(met, key=str))
    padded = slots(recipes, len(data.train))
    batch = batch_of(recipes[0], len(data.train)) if padded is None else padded
    least = min(depth_of([recipe]) for recipe in recipes)
    return Mold(pattern, data.shape, width_of(recipes), depth_of(recipes), least, batch, padded is not None, kinds)


def depth_of(recipes: Sequence[Recipe]) -> int:
    """Blocks of the shallowest mold that the recipes fit in."""
    return max(blocks(chain_of(recipe)).repeats for recipe in recipes)


def width_of(recipes: Sequence[Recipe]) -> int:
    """The width of the narrowest mold that the recipes fit in."""
    widest = max((layer.units for recipe in recipes for layer in dense(recipe)[:-1]), default=1)
    return max(_NARROWEST, 1 << (widest - 1).bit_length())


def told(net: Chain, shape: Shape) -> list[Told]:
    """What each layer of a net is told by, for examples of a shape."""
    names, found, first = Names(), [], dense_places(net)[0]
    for place, (given, layer) in enumerate(zip(net.layers, net.followed_by(None).layers, strict=True)):
        name = keys.number(names(given, shape))
        if isinstance(layer, Dense):
            kernel = (shape[-1], layer.units)
            shape = (*shape[:-1], layer.units)
            found.append(Told(name, layer.units, kernel, layer.initializer))
        else:
            shape = _behind(layer, shape) if place < first else shape
            found.append(Told(name, shape[-1]))
    return found


@cache
def _behind(layer: Layer, shape: Shape) -> Shape:
    return shapes(layer, shape)[2]


def _ratio(own: Any, shape: Shape, given: Any, padded: Shape) -> float:
    """By what a draw of the mold is multiplied to have the standard deviation of the net's own."""
    wide = _std(given, padded)
    return 1.0 if wide == 0 else _std(own, shape) / wide


@lru_cache(4096)
def _std(initializer: Any, shape: Shape) -> float:
    return float(initializer.std(shape))


def _place(own: Any, kinds: Sequence[Any]) -> int | None:
    """Where a value's kind stands among others."""
    found = [jax.tree.structure(kind) for kind in kinds]
    wanted = jax.tree.structure(own)
    return found.index(wanted) if wanted in found else None
