"""Patterns: what recipes have in common that may differ in widths, depth, activations, optimizers and batch sizes."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, cast

import jax

from kilter.core.padding import paddable
from kilter.core.paths import walk
from kilter.data.dataset import Dataset
from kilter.nn import Chain, Dense
from kilter.nn.activations import Activation
from kilter.nn.initializers import Constant, Matched, Zeros
from kilter.nn.layer import Layer, Weighted
from kilter.nn.norm import BatchNorm
from kilter.optim import one_of
from kilter.optim.optimizer import Optimizer
from kilter.optim.wrapper import Wrapper
from kilter.train.batches import batch_of, separable
from kilter.train.recipe import Recipe, structure


class _Any(Activation):
    """Stands for an activation of any kind."""

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError


def pattern(recipe: Recipe, data: Dataset) -> Any:
    """What recipes that fit in one mold have in common; None for a recipe that fits in none."""
    net = recipe.net
    single = recipe.precision != "float64"
    if not isinstance(net, Chain) or last_dense(net) is None or not single or not _fitting(recipe):
        return None
    kinds = _kinds(net)
    front, length, repeats = blocks(net)
    kinds = kinds[: front + length] + kinds[front + repeats * length :]
    optimizer = one_of.OneOf() if plain(recipe.optimizer) else recipe.optimizer
    batch = 1 if _mixable(recipe) else batch_of(recipe, len(data.train))
    return structure(recipe.replace(net=Chain(*kinds), optimizer=optimizer, batch_size=batch))


def dense(recipe: Recipe) -> list[Dense]:
    """The dense layers of a recipe that has a pattern."""
    return [layer for layer in chain_of(recipe).layers if isinstance(layer, Dense)]


class Blocks(NamedTuple):
    """Hidden layers as equal blocks, each with one dense layer or more: those of one kind in front of the next.

    Attributes:
        front: number of layers in front of the first dense one.
        length: layers of a block.
        repeats: number of blocks.
    """

    front: int
    length: int
    repeats: int

    def within(self, place: int) -> int:
        """Where the layer at a place stands in the pattern, in which the blocks stand once."""
        if place < self.front + self.length:
            return place
        behind = place - self.front - self.repeats * self.length
        if behind >= 0:
            return self.front + self.length + behind
        return self.front + (place - self.front) % self.length


def blocks(net: Chain) -> Blocks:
    """The shortest blocks that the hidden layers of a net repeat."""
    return _blocks(jax.tree.structure(net))


@lru_cache(4096)
def _blocks(structure: Any) -> Blocks:
    net = structure.unflatten([0.5] * structure.num_leaves)  # any numbers: they change no kind
    places = dense_places(net)
    front, end = places[0], places[-1]
    kinds = [jax.tree.structure(kind) for kind in _kinds(net)[front:end]]
    for length in range(1, len(kinds)):
        if len(kinds) % length == 0 and kinds == kinds[:length] * (len(kinds) // length):
            return Blocks(front, length, len(kinds) // length)
    return Blocks(front, len(kinds), 1)


def _kinds(net: Chain) -> list[Layer]:
    return [_kind(layer, place, net) for place, layer in enumerate(net.followed_by(None).layers)]


def _fitting(recipe: Recipe) -> bool:
    """Whether padding changes nothing; what stands in front of the first dense layer is not padded."""
    net = chain_of(recipe)
    padded = net.layers[dense_places(net)[0] :]
    parts = [part for part in (*padded, recipe.optimizer, recipe.penalty, recipe.constraint) if part is not None]
    inside = [value for part in parts for _, value in walk(part)]
    known = all(isinstance(layer, Dense) or not _weighs(layer) for layer in padded)
    # Where epsilon is 0, what is 0 in padding is divided by 0.
    regular = all(getattr(value, "epsilon", 1) != 0 for value in inside)
    steady = all(isinstance(layer.bias_initializer, Zeros | Constant) for layer in padded if isinstance(layer, Dense))
    exact = any(value.exact for value in inside if isinstance(value, BatchNorm))
    return (
        known
        and regular
        and steady
        and not exact
        and recipe.optimizer.needs == "gradient"
        and all(map(paddable, parts))
    )


def _mixable(recipe: Recipe) -> bool:
    """Whether recipes of other batch sizes fit beside it; in front of the dense layers a padded row must cost little."""
    net = chain_of(recipe)
    return separable(recipe) and not any(_weighs(layer) for layer in net.layers[: dense_places(net)[0]])


def _weighs(layer: Layer) -> bool:
    """Whether there are kernels in a layer."""
    return any(isinstance(value, Weighted | Chain) for _, value in walk(layer))


def free(layer: Layer) -> bool:
    """Whether a layer is an activation without parameters."""
    return isinstance(layer, Activation) and layer.elementwise and type(layer).apply is Activation.apply


def chain_of(recipe: Recipe) -> Chain:
    """The net of a recipe that has a pattern."""
    return cast(Chain, recipe.net)


def dense_places(net: Chain) -> list[int]:
    """Places of the dense layers."""
    return [place for place, layer in enumerate(net.layers) if isinstance(layer, Dense)]


def last_dense(net: Chain) -> int | None:
    """Place of the last dense layer, whose units stay as they are."""
    return max(dense_places(net), default=None)


def _kind(layer: Layer, place: int, net: Chain) -> Layer:
    if isinstance(layer, Dense):
        return unmatched(layer).replace(units=layer.units if place == last_dense(net) else 1)
    return _Any() if free(layer) else layer


def plain(optimizer: Optimizer) -> bool:
    """Whether all that an optimizer does is to update: it keeps no averages and watches no losses."""
    inside = [type(value) for _, value in walk(optimizer) if isinstance(value, Optimizer)]
    return not any(
        getattr(kind, name) not in (getattr(Optimizer, name), getattr(Wrapper, name))
        for kind in inside
        for name in ("judged", "current", "averaged")
    )


def unmatched(layer: Dense) -> Dense:
    """With an initializer that is the same whatever activation follows."""
    return layer.replace(initializer=Matched()) if isinstance(layer.initializer, Matched) else layer


def choices(recipe: Recipe) -> Iterator[tuple[Any, Any]]:
    """What is told by a number in a mold, with its place in the pattern."""
    if plain(recipe.optimizer):
        yield "optimizer", recipe.optimizer
    within = blocks(chain_of(recipe)).within
    yield from ((within(place), layer) for place, layer in enumerate(recipe.net.layers) if free(layer))
