"""The contract of wrappers that compute the kernel of a layer anew in each step."""

from typing import Self

import jax

from kilter.core import keys
from kilter.core.specs import part
from kilter.nn.layer import Layer, Params, Shape, State, Weighted


class Reweighted(Layer, abstract=True):
    """Base of wrappers around a layer with a kernel: the layer runs with the kernel that `kernel` gives.

    Parameters are the layer's own, with what the wrapper learns beside them; state is the wrapper's.

    Args:
        layer: with a kernel ``(..., units)``, such as ``nn.Dense`` or ``nn.Conv``.
    """

    layer: Weighted = part(kinds=Weighted)

    def kernel(self, params: Params, state: State, key: jax.Array | None) -> tuple[jax.Array, State]:
        """The kernel that the layer runs with, and the state after."""
        raise NotImplementedError

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        params, _ = self.layer.init(keys.named(key, "layer"), shape)
        return params, ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        kernel, state = self.kernel(params, state, key)
        own = None if key is None else keys.named(key, "layer")
        return self.layer.apply(params | {"kernel": kernel}, (), x, key=own)[0], state

    def without_bias(self) -> Self:
        return self.replace(layer=self.layer.without_bias())

    def followed_by(self, activation: Layer | None) -> Self:
        return self.replace(layer=self.layer.followed_by(activation))
