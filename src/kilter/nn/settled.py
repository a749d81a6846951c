"""A network whose norms run as at inference even where a key makes its dropouts draw."""

from typing import Any, Self

import jax

from kilter.core.paths import rewrite
from kilter.core.specs import part
from kilter.nn.layer import Layer, Params, Shape, State


class Settled(Layer):
    """Runs a layer as at inference, whatever the key: its averages are used, and stay as they are.

    Args:
        layer: any.
    """

    layer: Layer = part(kinds=Layer)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        return self.layer.init(key, shape)

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return self.layer.apply(params, state, x)

    def followed_by(self, activation: Layer | None) -> Self:
        return self.replace(layer=self.layer.followed_by(activation))


def settled(net: Layer) -> Layer:
    """The network with every layer that adapts to batches made `Settled`; parameters and state fit it as they are.

    Other layers keep their keys, so dropouts draw as they would in the network itself.

    >>> from kilter import nn
    >>> settled(nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.Dropout()))
    nn.Chain(nn.Dense(8), nn.Settled(nn.BatchNorm()), nn.Dropout())
    """

    def change(value: Any) -> Any:
        return Settled(value) if isinstance(value, Layer) and value.adapts else value

    return rewrite(net, change)
