"""Members carried out of a mold, as alone, and back into one."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from kilter.nn import Chain
from kilter.optim import one_of
from kilter.optim.optimizer import state_like
from kilter.train.epoch import Member
from kilter.train.mold import Mold, Told, told
from kilter.train.pattern import chain_of, dense_places
from kilter.train.paused import Paused
from kilter.train.recipe import Recipe


def out(mold: Mold, member: Member, recipe: Recipe) -> Member:
    """A member of a mold as one of its recipe: padding cut off, and the state of its own optimizer; on the host."""
    learner, net = _with_own_state(mold, member, recipe).learner, chain_of(recipe)
    places, own = _places(mold, net), told(net, mold.shape)

    def trimmed(layers: Any) -> Any:
        return _trimmed([layers[place] for place in places], net, own)

    params = trimmed(learner.params)
    best = None if member.best is None else tuple(map(trimmed, member.best))
    moments = _own_moments(mold, learner.moments, params, recipe)
    return member._replace(
        learner=learner._replace(params=params, state=trimmed(learner.state), moments=moments), best=best
    )


def back(mold: Mold, paused: Paused, like: Member, recipe: Recipe) -> Member:
    """A paused member padded with zeros to a member of a mold, whose structure is ``like``."""
    within, places = _with_own_state(mold, like, recipe), _places(mold, chain_of(recipe))
    params, state = (tuple(layers[place] for place in places) for layers in within.learner[:2])
    learner = within.learner._replace(params=params, state=state, moments=state_like(recipe.optimizer, params))
    own = within._replace(learner=learner, best=None if within.best is None else (params, state))
    padded = jax.tree.map(_padded, _apart(mold, paused.member(own), recipe), _apart(mold, own, recipe))
    whole = _zeros_beside(padded, within)
    optimizer, learner = mold.optimizer(recipe.optimizer), whole.learner
    if isinstance(optimizer, one_of.OneOf):
        slots = optimizer.packed(int(optimizer.choice), learner.moments, learner.params)
        learner = learner._replace(moments=list(map(np.asarray, slots)))
    return whole._replace(learner=learner)


def _with_own_state(mold: Mold, member: Member, recipe: Recipe) -> Member:
    """The member with the state of the recipe's optimizer alone."""
    optimizer, learner = mold.optimizer(recipe.optimizer), member.learner
    if not isinstance(optimizer, one_of.OneOf):
        return member
    moments = optimizer.own(int(optimizer.choice), learner.moments, learner.params)
    return member._replace(learner=learner._replace(moments=moments))


def _own_moments(mold: Mold, moments: Any, params: Any, recipe: Recipe) -> Any:
    """The optimizer's state of the layers that the net has, cut to their sizes."""
    found = _by_path(moments)
    wanted = _by_path(state_like(recipe.optimizer, _spread(mold, params, chain_of(recipe))))
    cut = [found[path][tuple(map(slice, like.shape))] for path, like in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(state_like(recipe.optimizer, params)), cut)


def _apart(mold: Mold, member: Member, recipe: Recipe) -> Member:
    """A member with its layers at the mold's places; where it has none, there is nothing."""
    net, learner = chain_of(recipe), member.learner
    params, state = _spread(mold, learner.params, net), _spread(mold, learner.state, net)
    structure = jax.tree.structure(state_like(recipe.optimizer, params))
    moments = jax.tree.unflatten(structure, jax.tree.leaves(learner.moments))
    best = None if member.best is None else tuple(_spread(mold, layers, net) for layers in member.best)
    return member._replace(learner=learner._replace(params=params, state=state, moments=moments), best=best)


def _spread(mold: Mold, layers: Sequence[Any], net: Chain) -> tuple[Any, ...]:
    found = dict(zip(_places(mold, net), layers, strict=True))
    return tuple(found.get(place, ()) for place in range(len(mold.sources(net))))


def _places(mold: Mold, net: Chain) -> list[int]:
    """Where the layers of a net stand in the mold."""
    lacking = mold.lacking(net)
    return [place for place in range(len(mold.sources(net))) if place not in lacking]


def _trimmed(layers: Sequence[Any], net: Chain, own: Sequence[Told]) -> tuple[Any, ...]:
    """Parameters or state of all layers without what lies behind the net's own features."""
    first = dense_places(net)[0]

    def cut(leaf: Any, each: Told) -> Any:
        ends = each.kernel if np.ndim(leaf) > 1 else (each.units,) * np.ndim(leaf)
        return leaf[tuple(map(slice, ends))]

    return tuple(
        tree if place < first else jax.tree.map(lambda leaf, each=each: cut(leaf, each), tree)
        for place, (tree, each) in enumerate(zip(layers, own, strict=True))
    )


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
