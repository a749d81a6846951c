"""The contract of embeddings of numbers: each feature of a row becomes several, so that a network sees fine steps."""

from dataclasses import KW_ONLY
from typing import Self

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.keys import named
from kilter.core.specs import option, part
from kilter.nn.activations import Activation
from kilter.nn.initializers import Initializer, Matched
from kilter.nn.layer import Layer, Params, Shape, State


class NumericEmbedding(Layer, abstract=True):
    """Base: a feature x becomes z(x) of k numbers, then perhaps activation(z W + b), then perhaps x itself in front.

    A member says what z is. Outputs lie feature by feature.
    """

    _: KW_ONLY
    size: int | None = option(default=None, kinds=int, range="[1, inf)", optional=True)
    activation: Activation | None = part(default=None, kinds=Activation, optional=True)
    shared: bool = option(default=False, kinds=bool)
    direct: bool = option(default=False, kinds=bool)
    initializer: Initializer | None = part(default=None, kinds=Initializer, optional=True)

    def expanded(self) -> int:
        """Numbers that each feature becomes at first, k."""
        raise NotImplementedError

    def expand(self, params: Params, x: jax.Array) -> jax.Array:
        """The first form z ``(batch, features, k)`` of features ``(batch, features)``."""
        raise NotImplementedError

    def start(self, key: jax.Array, features: int) -> dict[str, jax.Array]:
        """Parameters of `expand`."""
        return {}

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) != 1:
            raise InputError(f"{self!r}: expects an input of shape (features,), got {shape}; put nn.Flatten() in front")
        params = self.start(key, shape[0])
        if self.size is None:
            return params, ()
        width = self.size if self.shared else shape[0] * self.size
        initializer = self.followed_by(None).initializer or Matched()
        kernel = initializer(named(key, "kernel"), (self.expanded(), width))
        return params | {"kernel": kernel, "bias": jnp.zeros(width)}, ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        z = self.expand(params, x)
        if self.size is not None:
            z = self._mixed(params, z)
        z = z if self.activation is None else self.activation(z)
        z = jnp.concatenate([x[..., None], z], -1) if self.direct else z
        return z.reshape(len(x), -1), state

    def _mixed(self, params: Params, z: jax.Array) -> jax.Array:
        if self.shared:
            return jnp.dot(z, params["kernel"]) + params["bias"]
        kernel = params["kernel"].reshape(self.expanded(), -1, self.size)
        return jnp.einsum("bfk,kfs->bfs", z, kernel) + params["bias"].reshape(-1, self.size)

    def followed_by(self, activation: Layer | None) -> Self:
        if self.initializer is not None:
            return self
        return self.replace(initializer=Matched(activation if self.activation is None else self.activation))
