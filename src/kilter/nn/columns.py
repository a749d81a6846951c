"""Columns of a table that go to different layers: select some, and join what the branches give."""

from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core import keys
from kilter.core.errors import InputError, join, within
from kilter.core.specs import option, part
from kilter.nn.compose import run
from kilter.nn.layer import Layer, Params, Shape, State, Visit, output_shape


class Select(Layer):
    """Some of the features: x[..., columns], as NumPy indexes.

    Args:
        columns: numbers of features, in the order wanted; a single number drops the axis, as `Embedding` needs it.

    Shapes: ``(batch, ..., features)`` to ``(batch, ..., len(columns))``, or ``(batch, ...)`` for a single number.

    Raises:
        InputError: by `init`, where there is no such feature.
    """

    formula = "x[..., columns]"
    source = "common practice"
    choose = "In front of a branch of Concatenate, for the columns that the branch is for."
    transparent = True

    columns: int | tuple[int, ...] = option(kinds=(int, tuple))

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        features = shape[-1] if shape else 0
        wrong = [each for each in np.atleast_1d(self.columns).tolist() if not -features <= each < features]
        if wrong:
            raise InputError(f"{self!r}: there is no feature {wrong[0]} in an input of shape {shape}")
        return (), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return x[..., np.array(self.columns)], state


class Concatenate(Layer):
    """Several layers on the same input, their outputs side by side in the last axis.

    Parameters and state are tuples with one entry a layer. Keras' ``Concatenate`` joins tensors, this one layers.

    Shapes: ``(batch, *shape)`` to ``(batch, ..., sum of the last axes)``; the other axes of the outputs must agree.

    Raises:
        InputError: by `init`, where the outputs do not fit beside each other.

    >>> import jax, jax.numpy as jnp
    >>> from kilter import nn
    >>> numbers, city = nn.Select((0, 1, 2)), nn.Chain(nn.Select(3), nn.Embedding(12, 4))
    >>> layer = Concatenate(numbers, city)
    >>> layer.apply(*layer.init(jax.random.key(0), (4,)), jnp.zeros((5, 4)))[0].shape
    (5, 7)
    """

    formula = "(layers[0](x), layers[1](x), ...)"
    source = "Szegedy et al. 2015 (Inception); for tables Guo and Berkhahn 2016"
    choose = "Columns of different kinds, and blocks of several windows at once."

    layers: tuple[Layer, ...] = part(kinds=Layer, many=True)

    def __init__(self, *layers: Layer) -> None:
        self._fill({"layers": layers})

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        if not self.layers:
            raise InputError("Concatenate(): at least one layer is needed")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        params, state, reached = [], [], []
        for index, layer in enumerate(self.followed_by(None).layers):
            with within(f"layers[{index}]"):
                p, s = layer.init(keys.named(key, f"layers[{index}]"), shape)
                reached.append(output_shape(layer, p, s, shape))
            params.append(p)
            state.append(s)
        if () in reached or len({each[:-1] for each in reached}) > 1:
            raise InputError(
                f"Concatenate: the layers map {shape} to {', '.join(map(str, reached))}, which must have a last axis and "
                "agree in all others; put nn.Flatten() where they differ"
            )
        return tuple(params), tuple(state)

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        _, state, y = self.visit(run, params, state, x, key=key)
        return y, state

    def visit(
        self, do: Visit, params: Params, state: State, x: Any, *, key: jax.Array | None = None, place: str = ""
    ) -> tuple[Params, State, Any]:
        branches = []
        for index, (layer, p, s) in enumerate(zip(self.layers, params, state, strict=True)):
            name = f"layers[{index}]"
            own = None if key is None else keys.named(key, name)
            branches.append(layer.visit(do, p, s, x, key=own, place=join(place, name)))
        params, state, outputs = zip(*branches, strict=True)
        return params, state, jnp.concatenate(outputs, -1)

    def followed_by(self, activation: Layer | None) -> Self:
        return type(self)(*(layer.followed_by(activation) for layer in self.layers))
