"""Products in fewer bits: a network whose matrix products and convolutions are made in half precision, all else is not."""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, Self

import jax

from kilter.core.specs import option, part
from kilter.nn.layer import Layer, Params, Shape, State

_chosen: ContextVar[str | None] = ContextVar("precision of products", default=None)


def narrowed(product: Callable[..., Any]) -> Callable[..., jax.Array]:
    """A product of its first two arguments that is made in the precision of the `Narrow` network around it.

    The factors are rounded, what comes out is in the precision that they had. So are the products of the gradients,
    and what is kept for them takes half the memory.
    """

    @wraps(product)
    def made(x: jax.Array, y: jax.Array, *settings: Any) -> jax.Array:
        chosen = _chosen.get()
        if chosen is None:
            return product(x, y, *settings)
        return product(x.astype(chosen), y.astype(chosen), *settings).astype(x.dtype)

    return made


class Narrow(Layer):
    """Runs a network with its products in half precision; norms, activations, sums of losses and weights stay as they are.

    Args:
        layer: any.
        precision: of the products.
    """

    layer: Layer = part(kinds=Layer)
    precision: str = option(default="bfloat16", choices=("bfloat16", "float16"))

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        return self.layer.init(key, shape)

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        before = _chosen.set(self.precision)
        try:
            return self.layer.apply(params, state, x, key=key)
        finally:
            _chosen.reset(before)

    def followed_by(self, activation: Layer | None) -> Self:
        return self.replace(layer=self.layer.followed_by(activation))
