"""Precisions other than float32: products in half of it, or a whole network in twice of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.specs import option, part
from kilter.nn.layer import Layer, Params, Shape, State, Visit

CHOICES = ("float32", "bfloat16", "float16", "float64")
_chosen: ContextVar[str | None] = ContextVar("precision of products", default=None)


def narrowed(product: Callable[..., Any]) -> Callable[..., jax.Array]:
    """A product of its first two arguments that is made in the precision of the `Narrow` network around it.

    The factors are rounded, what comes out is in the precision that they had. So are the products of the gradients,
    and what is kept for them takes half the memory.
    """

    @wraps(product)
    def made(x: jax.Array, y: jax.Array, *settings: Any) -> jax.Array:
        found = product(rounded(x), rounded(y), *settings)
        return found if _chosen.get() is None else found.astype(x.dtype)

    return made


def rounded(x: jax.Array) -> jax.Array:
    """A factor as `narrowed` products take it."""
    chosen = _chosen.get()
    return x if chosen is None else x.astype(chosen)


def net_in(precision: str, net: Layer) -> Layer:
    """The network as it trains in a precision."""
    if precision == "float32":
        return net
    return Wide(net) if precision == "float64" else Narrow(net, precision=precision)


def arrays_in(precision: str) -> AbstractContextManager[Any]:
    """Lets arrays of this precision be made; JAX cuts float64 to float32 where it is not told otherwise."""
    return jax.enable_x64(True) if precision == "float64" else nullcontext()


class _Around(Layer, abstract=True):
    """Runs a network in a precision; its parameters, state and draws are those of the network alone.

    Args:
        layer: any.
    """

    layer: Layer = part(kinds=Layer)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        return self.layer.init(key, shape)

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        with self._inside():
            return self.layer.apply(params, state, self._entering(x), key=key)

    def visit(
        self, do: Visit, params: Params, state: State, x: Any, *, key: jax.Array | None = None, place: str = ""
    ) -> tuple[Params, State, Any]:
        with self._inside():
            return self.layer.visit(do, params, state, self._entering(x), key=key, place=place)

    def followed_by(self, activation: Layer | None) -> Self:
        return self.replace(layer=self.layer.followed_by(activation))

    def _inside(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def _entering(self, x: Any) -> Any:
        return x


class Narrow(_Around):
    """Products in half precision; norms, activations, sums of losses and weights stay as they are.

    Args:
        layer: any.
        precision: of the products.
    """

    precision: str = option(default="bfloat16", choices=("bfloat16", "float16"))

    @contextmanager
    def _inside(self) -> Iterator[None]:
        before = _chosen.set(self.precision)
        try:
            yield
        finally:
            _chosen.reset(before)


class Wide(_Around):
    """Weights, signals and gradients in float64, drawn as in float32; outside of `arrays_in` this precision in float32.

    Args:
        layer: any.
    """

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        return jax.tree.map(self._entering, self.layer.init(key, shape))

    def _entering(self, x: Any) -> Any:
        wide = jax.dtypes.canonicalize_dtype(np.float64)
        return x.astype(wide) if jnp.issubdtype(x.dtype, jnp.floating) else x
