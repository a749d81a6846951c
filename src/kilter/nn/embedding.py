"""Codes of categories: whole numbers from 0, as rows of zeros and ones or as learned rows of a table."""

from dataclasses import KW_ONLY

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import option, part
from kilter.nn.initializers import Initializer, Normal
from kilter.nn.layer import Layer, Params, Shape, State


class OneHot(Layer):
    """Codes as rows of zeros with a one: y_j = 1 where x = j, else 0.

    A negative code stands for nothing that is known (as -1 in pandas and scikit-learn) and gives zeros. Anything else that
    is no code, at least ``categories`` or a fraction, gives NaN, so that it is found. (PyTorch and Keras refuse or wrap.)

    Args:
        categories: number of codes.

    Shapes: ``(batch, ...)`` to ``(batch, ..., categories)``; codes may be floats.

    >>> import jax.numpy as jnp
    >>> OneHot(3).apply((), (), jnp.array([2.0, 0.0, -1.0]))[0].tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    formula = "y_j = 1 if x = j else 0"
    source = "Suits 1957 (dummy variables); PyTorch one_hot"
    choose = "Codes of few categories, up to about ten; an Embedding for more."

    categories: int = option(kinds=int, range="[1, inf)")

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        rows = (x[..., None] == jnp.arange(self.categories)).astype(_floating(x))
        return jnp.where(_wrong(x, self.categories)[..., None], jnp.nan, rows), state


class Embedding(Layer):
    """A learned vector for each category: y = E[x], the row of a table E whose number is the code x.

    A negative code stands for nothing that is known (as -1 in pandas, scikit-learn and `kl.data.from_table`) and gives
    zeros, without gradient. Anything else that is no code, at least ``categories`` or a fraction, gives NaN, so that it is
    found: PyTorch raises there, Keras and JAX may read another row.

    The gradient adds rows of dy into the table. A product with one-hot rows took 3 times as long for a table of 12 x 8,
    and 120 times for 1000 x 64 (forward and gradient, inside a loop, two cores; ``benchmarks/kernels.py``).

    Args:
        categories: number of codes.
        size: numbers in each vector.
        padding: a code that gives zeros, without gradient (PyTorch's ``padding_idx``, Keras's ``mask_zero`` for 0).
        initializer: how E, of shape ``(categories, size)``, is drawn; N(0, 1) as in PyTorch (Keras: U(-0.05, 0.05)).

    Shapes: ``(batch, ...)`` to ``(batch, ..., size)``; codes may be floats. Parameters ``{"table": (categories, size)}``.

    Raises:
        InputError: ``padding`` is not below ``categories``.

    >>> import jax, jax.numpy as jnp
    >>> layer = Embedding(12, 4)
    >>> params, state = layer.init(jax.random.key(0), (7,))
    >>> layer.apply(params, state, jnp.zeros((2, 7)))[0].shape
    (2, 7, 4)
    """

    formula = "E[x], row x of a learned table"
    source = "Bengio et al. 2003; for tables Guo and Berkhahn 2016"
    choose = "Words, and columns of a table with more than about ten categories."

    categories: int = option(kinds=int, range="[1, inf)")
    size: int = option(kinds=int, range="[1, inf)")
    _: KW_ONLY
    padding: int | None = option(default=None, kinds=int, range="[0, inf)", optional=True)
    initializer: Initializer = part(default=Normal(1.0), kinds=Initializer)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if self.padding is not None and self.padding >= self.categories:
            raise InputError(f"{self!r}: padding must be below the {self.categories} categories")
        return {"table": self.initializer(key, (self.categories, self.size))}, ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        rows = jnp.take(params["table"], x.astype(jnp.int32), axis=0, mode="clip")
        blank = x < 0 if self.padding is None else (x < 0) | (x == self.padding)
        rows = jnp.where(blank[..., None], 0.0, rows)
        return jnp.where(_wrong(x, self.categories)[..., None], jnp.nan, rows), state


def _wrong(x: jax.Array, categories: int) -> jax.Array:
    """Where a number is no code and no negative one; NaN is neither."""
    beyond = ~(x < categories)
    return beyond | (x != jnp.floor(x)) if jnp.issubdtype(x.dtype, jnp.floating) else beyond


def _floating(x: jax.Array) -> jnp.dtype:
    return x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else jnp.dtype(jnp.float32)
