"""Molds: recipes that differ in widths, activations, optimizers and batch sizes cast in one structure, for one program.

Compiling a program takes seconds, training a small net with it takes fractions of one. So widths and batches are padded to
common ones, and kinds are told by a number; what a member computes stays what it would compute alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
from kilter.train.batches import slots
from kilter.train.epoch import Member
from kilter.train.pattern import chain_of, choices, dense, dense_places, free, last_dense, plain, unmatched
from kilter.train.paused import Paused
from kilter.train.recipe import Recipe

# Widths of molds are powers of two from here on.
_NARROWEST = 32
# Kinds met so far, by pattern and place: new molds hold all of them, so that later fleets find their program compiled.
_MET: dict[Any, dict[Any, dict[Any, Any]]] = {}


@dataclass(frozen=True)
class Mold:
    """What recipes of one pattern are cast in.

    Attributes:
        pattern: what they have in common.
        width: of the hidden layers.
        shape: of an example.
        kinds: by place, one of each kind that may stand there.
        slots: of a batch where their batch sizes differ; None: they have one.
    """

    pattern: Any
    width: int
    shape: Shape
    kinds: tuple[tuple[Any, tuple[Any, ...]], ...]
    slots: int | None = None

    def __str__(self) -> str:
        return f"{self.width} units" + ("" if self.slots is None else f" and batches of {self.slots}")

    def cast(self, recipe: Recipe) -> Recipe:
        """The recipe in the mold's structure."""
        return recipe.replace(net=self._net(chain_of(recipe)), optimizer=self._optimizer(recipe.optimizer))

    def blank(self, recipe: Recipe) -> Recipe:
        """A recipe as large as the mold, from which its cost can be told."""
        layers = [
            layer.replace(units=self._units(layer, place, chain_of(recipe))) if isinstance(layer, Dense) else layer
            for place, layer in enumerate(recipe.net.layers)
        ]
        batch = self.slots or recipe.batch_size
        return recipe.replace(net=Chain(*layers), optimizer=self._optimizer(recipe.optimizer), batch_size=batch)

    def own(self, member: Member, recipe: Recipe) -> Member:
        """A member of the mold as one of its recipe: padding cut off, and the state of its own optimizer; on the host."""
        learner = self._with_own_state(member, recipe).learner
        net, own = chain_of(recipe), _own(chain_of(recipe), self.shape)
        params, state = _trimmed(learner.params, net, own), _trimmed(learner.state, net, own)
        like = _first_state(recipe.optimizer, params)
        moments = jax.tree.map(lambda leaf, like: leaf[tuple(map(slice, like.shape))], learner.moments, like)
        best = None if member.best is None else tuple(_trimmed(tree, net, own) for tree in member.best)
        return member._replace(learner=learner._replace(params=params, state=state, moments=moments), best=best)

    def filled(self, paused: Paused, like: Member, recipe: Recipe) -> Member:
        """The way back: a paused member padded with zeros to a member of the mold, whose structure is ``like``."""
        own = self._with_own_state(like, recipe)
        whole = jax.tree.map(_padded, paused.member(own), own)
        optimizer, learner = self._optimizer(recipe.optimizer), whole.learner
        if isinstance(optimizer, one_of.OneOf):
            slots = optimizer.packed(int(optimizer.choice), learner.moments, learner.params)
            learner = learner._replace(moments=list(map(np.asarray, slots)))
        return whole._replace(learner=learner)

    def _with_own_state(self, member: Member, recipe: Recipe) -> Member:
        """The member with the state of the recipe's optimizer alone."""
        optimizer, learner = self._optimizer(recipe.optimizer), member.learner
        if not isinstance(optimizer, one_of.OneOf):
            return member
        moments = optimizer.own(int(optimizer.choice), learner.moments, learner.params)
        return member._replace(learner=learner._replace(moments=moments))

    def _net(self, net: Chain) -> nets.Molded:
        layers, own = [], _own(net, self.shape)
        for place, layer in enumerate(net.followed_by(None).layers):
            if isinstance(layer, Dense):
                layers.append(unmatched(layer).replace(units=self._units(layer, place, net)))
            elif free(layer):
                options, choice = self._options(place, layer)
                layers.append(options[0] if len(options) == 1 else nets.OneOf(*options, choice=choice))
            else:
                layers.append(layer)
        scales = [
            _ratio(before.initializer, before.kernel, after.initializer, (self._before(layers, place, before), after.units))
            if isinstance(after, Dense) else 1.0
            for place, (before, after) in enumerate(zip(own, layers, strict=True))
        ]  # fmt: skip
        fit = nets.Fit(
            np.array([each.name for each in own], np.uint32),
            np.array([each.units for each in own], np.int32),
            np.array(scales, np.float32),
        )
        return nets.Molded(*layers, fit=fit)

    def _before(self, layers: Sequence[Layer], place: int, own: "_Own") -> int:
        wide = [layer.units for layer in layers[:place] if isinstance(layer, Dense)]
        return wide[-1] if wide else own.kernel[-2]

    def _units(self, layer: Dense, place: int, net: Chain) -> int:
        return layer.units if place == last_dense(net) else self.width

    def _optimizer(self, optimizer: Optimizer) -> Optimizer:
        if not plain(optimizer):
            return optimizer
        options, choice = self._options("optimizer", optimizer)
        return optimizer if len(options) == 1 else one_of.OneOf(*options, choice=choice)

    def _options(self, place: Any, own: Any) -> tuple[list[Any], int]:
        """All kinds met at a place, with this one in its own place among them."""
        options = list(dict(self.kinds)[place])
        choice = [jax.tree.structure(each) for each in options].index(jax.tree.structure(own))
        options[choice] = own
        return options, choice


@dataclass(frozen=True)
class _Own:
    """What a net's own layer is told by: number of its name, features behind it; of a dense one kernel and initializer."""

    name: int
    units: int
    kernel: Shape = ()
    initializer: Any = None


def mold(pattern: Any, recipes: Sequence[Recipe], data: Dataset) -> Mold:
    """The mold for recipes of a pattern; it holds their kinds and all that were met before."""
    met = _MET.setdefault(pattern, {})
    for recipe in recipes:
        for place, value in choices(recipe):
            met.setdefault(place, {}).setdefault(jax.tree.structure(value), value)
    kinds = tuple((place, tuple(values.values())) for place, values in met.items())
    return Mold(pattern, width_of(recipes), data.shape, kinds, slots(recipes, len(data.train)))


def width_of(recipes: Sequence[Recipe]) -> int:
    """The width of the narrowest mold that the recipes fit in."""
    widest = max((layer.units for recipe in recipes for layer in dense(recipe)[:-1]), default=1)
    return max(_NARROWEST, 1 << (widest - 1).bit_length())


def _own(net: Chain, shape: Shape) -> list[_Own]:
    names, found, first = Names(), [], dense_places(net)[0]
    for place, (given, layer) in enumerate(zip(net.layers, net.followed_by(None).layers, strict=True)):
        name = keys.number(names(given, shape))
        if isinstance(layer, Dense):
            kernel = (shape[-1], layer.units)
            shape = (*shape[:-1], layer.units)
            found.append(_Own(name, layer.units, kernel, layer.initializer))
        else:
            shape = _behind(layer, shape) if place < first else shape
            found.append(_Own(name, shape[-1]))
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


def _trimmed(trees: Any, net: Chain, own: Sequence[_Own]) -> Any:
    """Parameters or state of all layers without what lies behind the net's own features."""
    first = dense_places(net)[0]

    def cut(leaf: Any, each: _Own) -> Any:
        ends = each.kernel if np.ndim(leaf) > 1 else (each.units,) * np.ndim(leaf)
        return leaf[tuple(map(slice, ends))]

    return tuple(
        tree if place < first else jax.tree.map(lambda leaf, each=each: cut(leaf, each), tree)
        for place, (tree, each) in enumerate(zip(trees, own, strict=True))
    )


def _first_state(optimizer: Optimizer, params: Any) -> Any:
    """Shapes of the optimizer's state."""
    leaves, net = jax.tree.flatten(params)
    return _state(jax.tree.structure(optimizer), net, tuple(leaf.shape for leaf in leaves))


@cache
def _state(optimizer: Any, net: Any, shapes: tuple[Shape, ...]) -> Any:
    params = net.unflatten([jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes])
    return jax.eval_shape(optimizer.unflatten([0.5] * optimizer.num_leaves).init, params)


def _padded(leaf: Any, like: Any) -> Any:
    missing = [(0, whole - own) for own, whole in zip(np.shape(leaf), like.shape, strict=True)]
    return np.pad(np.asarray(leaf), missing) if missing else np.asarray(leaf)
