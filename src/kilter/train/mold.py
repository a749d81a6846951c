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
from kilter.optim.optimizer import Optimizer, state_like
from kilter.train.batches import batch_of, slots
from kilter.train.epoch import Member
from kilter.train.pattern import blocks, chain_of, choices, dense, dense_places, free, last_dense, plain, unmatched
from kilter.train.paused import Paused
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
        depth: number of blocks of hidden layers.
        batch: slots of a batch.
        mixed: whether batch sizes differ; else all are ``batch``.
        kinds: by place in the pattern, one of each kind that may stand there.
    """

    pattern: Any
    shape: Shape
    width: int
    depth: int
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
            and blocks(chain_of(recipe)).repeats <= self.depth
            and (batch <= self.batch if self.mixed else batch == self.batch)
            and all(_place(value, kinds.get(place, ())) is not None for place, value in choices(recipe))
        )

    def cast(self, recipe: Recipe) -> Recipe:
        """The recipe in the mold's structure."""
        return recipe.replace(net=self._net(chain_of(recipe)), optimizer=self._optimizer(recipe.optimizer))

    def blank(self, recipe: Recipe) -> Recipe:
        """A recipe as large as the mold, from which its cost can be told."""
        whole = self._filled(chain_of(recipe), recipe.net.layers)
        last = last_dense(Chain(*whole))
        layers = [
            layer.replace(units=self.width) if isinstance(layer, Dense) and place != last else layer
            for place, layer in enumerate(whole)
        ]
        return recipe.replace(net=Chain(*layers), optimizer=self._optimizer(recipe.optimizer), batch_size=self.batch)

    def own(self, member: Member, recipe: Recipe) -> Member:
        """A member of the mold as one of its recipe: padding cut off, and the state of its own optimizer; on the host."""
        learner, net = self._with_own_state(member, recipe).learner, chain_of(recipe)

        def trimmed(layers: Any) -> Any:
            return _trimmed([layers[place] for place in self._places(net)], net, _own(net, self.shape))

        params = trimmed(learner.params)
        moments = self._own_moments(learner.moments, params, recipe)
        best = None if member.best is None else tuple(map(trimmed, member.best))
        return member._replace(
            learner=learner._replace(params=params, state=trimmed(learner.state), moments=moments), best=best
        )

    def filled(self, paused: Paused, like: Member, recipe: Recipe) -> Member:
        """The way back: a paused member padded with zeros to a member of the mold, whose structure is ``like``."""
        net, within = chain_of(recipe), self._with_own_state(like, recipe)
        layers = [within.learner.params[place] for place in self._places(net)]
        states = [within.learner.state[place] for place in self._places(net)]
        own = within._replace(
            learner=within.learner._replace(
                params=tuple(layers), state=tuple(states), moments=state_like(recipe.optimizer, tuple(layers))
            ),
            best=None if within.best is None else (tuple(layers), tuple(states)),
        )
        whole = jax.tree.map(_padded, self._apart(paused.member(own), recipe), self._apart(own, recipe))
        whole = _zeros_beside(whole, within)
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

    def _own_moments(self, moments: Any, params: Any, recipe: Recipe) -> Any:
        """The optimizer's state of the layers that the net has, cut to their sizes."""
        found = _by_path(moments)
        apart = _by_path(state_like(recipe.optimizer, self._spread(params, chain_of(recipe))))
        cut = [found[path][tuple(map(slice, like.shape))] for path, like in apart.items()]
        return jax.tree.unflatten(jax.tree.structure(state_like(recipe.optimizer, params)), cut)

    def _apart(self, member: Member, recipe: Recipe) -> Member:
        """A member with its layers at the mold's places; where it has none, there is nothing."""
        net, learner = chain_of(recipe), member.learner
        params, state = self._spread(learner.params, net), self._spread(learner.state, net)
        tree = jax.tree.structure(state_like(recipe.optimizer, params))
        moments = jax.tree.unflatten(tree, jax.tree.leaves(learner.moments))
        best = None if member.best is None else tuple(self._spread(layers, net) for layers in member.best)
        return member._replace(learner=learner._replace(params=params, state=state, moments=moments), best=best)

    def _spread(self, layers: Sequence[Any], net: Chain) -> tuple[Any, ...]:
        found = dict(zip(self._places(net), layers, strict=True))
        return tuple(found.get(place, ()) for place in range(len(self._filled(net, net.layers))))

    def _places(self, net: Chain) -> list[int]:
        """Where the layers of a net stand in the mold: the blocks that it lacks would follow its last one."""
        front, length, repeats = blocks(net)
        end = front + repeats * length
        return [place if place < end else place + (self.depth - repeats) * length for place in range(len(net.layers))]

    def _filled(self, net: Chain, items: Sequence[Any]) -> list[Any]:
        """One item a layer, with those of the last block again for the blocks that the net lacks."""
        front, length, repeats = blocks(net)
        end = front + repeats * length
        return [*items[:end], *(self.depth - repeats) * list(items[end - length : end]), *items[end:]]

    def _net(self, net: Chain) -> nets.Molded:
        settled, (front, length, repeats) = net.followed_by(None).layers, blocks(net)
        own, present = _own(net, self.shape), self._places(net)
        behind = own[front + repeats * length - 1].units  # what reaches a block that is lacking goes through as it is
        own = [
            each if place in present else replace(each, units=behind)
            for place, each in enumerate(self._filled(net, own))
        ]
        layers = self._filled(net, [self._layer(layer, place, net) for place, layer in enumerate(settled)])
        scales = [
            _ratio(before.initializer, before.kernel, after.initializer, (self._before(layers, place, before), after.units))
            if isinstance(after, Dense) else 1.0
            for place, (before, after) in enumerate(zip(own, layers, strict=True))
        ]  # fmt: skip
        fit = nets.Fit(
            np.array([each.name for each in own], np.uint32),
            np.array([each.units for each in own], np.int32),
            np.array([place in present for place in range(len(own))]),
            np.array(scales, np.float32),
        )
        return nets.Molded(*layers, fit=fit, spare=tuple(range(front + length, front + self.depth * length)))

    def _layer(self, layer: Layer, place: int, net: Chain) -> Layer:
        """A layer of a net as wide as the mold, and of any kind that may stand there."""
        if isinstance(layer, Dense):
            return unmatched(layer).replace(units=layer.units if place == last_dense(net) else self.width)
        if not free(layer):
            return layer
        options, choice = self._options(blocks(net).within(place), layer)
        return options[0] if len(options) == 1 else nets.OneOf(*options, choice=choice)

    def _before(self, layers: Sequence[Layer], place: int, own: "_Own") -> int:
        wide = [layer.units for layer in layers[:place] if isinstance(layer, Dense)]
        return wide[-1] if wide else own.kernel[-2]

    def _optimizer(self, optimizer: Optimizer) -> Optimizer:
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
class _Own:
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
    return Mold(pattern, data.shape, width_of(recipes), depth_of(recipes), batch, padded is not None, kinds)


def depth_of(recipes: Sequence[Recipe]) -> int:
    """Blocks of the shallowest mold that the recipes fit in."""
    return max(blocks(chain_of(recipe)).repeats for recipe in recipes)


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


def _place(own: Any, kinds: Sequence[Any]) -> int | None:
    """Where a value's kind stands among others."""
    found = [jax.tree.structure(kind) for kind in kinds]
    wanted = jax.tree.structure(own)
    return found.index(wanted) if wanted in found else None


def _by_path(tree: Any) -> dict[Any, Any]:
    return dict(jax.tree_util.tree_flatten_with_path(tree)[0])


def _zeros_beside(tree: Any, like: Any) -> Any:
    """The leaves of a tree in a larger one, whose other leaves are zero."""
    found = _by_path(tree)
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: found[path] if path in found else np.zeros(leaf.shape, leaf.dtype), like
    )


def _padded(leaf: Any, like: Any) -> Any:
    missing = [(0, whole - own) for own, whole in zip(np.shape(leaf), like.shape, strict=True)]
    return np.pad(np.asarray(leaf), missing) if missing else np.asarray(leaf)
