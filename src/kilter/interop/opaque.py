"""A layer of another framework that Kilter has no part for: known by name alone."""

from typing import Any

import jax

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.nn.layer import Layer, Params, State


class Opaque(Layer):
    """Stands in an anatomy where a network of another framework has something that Kilter does not know.

    Args:
        kind: what its framework calls it.

    >>> Opaque("Bilinear").kind
    'Bilinear'
    """

    home = "interop"
    formula = "unknown"
    source = "another framework"
    choose = "Never: it cannot be run."

    kind: str = option(kinds=str)

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, Any]:
        raise InputError(f"{self!r}: Kilter cannot run what it does not know")
