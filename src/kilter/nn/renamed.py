"""A network that draws with the keys of its narrower self: names of layers tell their sizes, so its own would differ."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core import keys
from kilter.nn.layer import Layer, Params, Shape, State, Visit, output_shape, shapes

# By place of a layer, such as "layers[1].body": the words that are folded into the network's key, one after the other.
Words = Mapping[str, Sequence[Any]]


def words(net: Layer, shape: Shape) -> dict[str, tuple[int, ...]]:
    """The words that make the key of each layer inside that holds no other, on examples of ``shape``.

    >>> from kilter import nn
    >>> list(words(nn.Chain(nn.Dense(8), nn.Residual(nn.Dropout())), (4,)))
    ['layers[0]', 'layers[1].body']
    """
    found = {}

    def note(layer: Layer, params: Params, state: State, x: Any, key: Any, place: str) -> tuple[Params, State, Any]:
        found[place] = tuple(key)
        y, state = layer.apply(params, state, x)
        return params, state, y

    params, state, _ = shapes(net, shape)
    x, key = jax.ShapeDtypeStruct((2, *shape), np.float32), cast(Any, keys.Words())
    jax.eval_shape(lambda *given: net.visit(note, *given, key=key)[2], params, state, x)
    return found


def init(net: Layer, key: jax.Array, shape: Shape, words: Words) -> tuple[Params, State]:
    """``net.init(key, shape)`` with each layer's key made by ``words``, which may be traced."""

    def draw(layer: Layer, _: Params, __: State, x: jax.Array, ___: Any, place: str) -> tuple[Params, State, Any]:
        params, state = layer.init(keys.folded(key, words[place]), x.shape[1:])
        return params, state, jnp.zeros((2, *output_shape(layer, params, state, x.shape[1:])))

    params, state, _ = shapes(net, shape)
    return net.followed_by(None).visit(draw, params, state, jnp.zeros((2, *shape)))[:2]


def run(key: jax.Array, words: Words) -> Visit:
    """What `Layer.visit` does to run a network with each layer's key made by ``words``."""

    def do(layer: Layer, params: Params, state: State, x: Any, _: Any, place: str) -> tuple[Params, State, Any]:
        y, state = layer.apply(params, state, x, key=keys.folded(key, words[place]))
        return params, state, y

    return do
