"""Functions that are run on one member after the other, even where members are batched."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax

Function = TypeVar("Function", bound=Callable[..., Any])


def alone(function: Function) -> Function:
    """The function, mapped one by one under `jax.vmap`.

    For what LAPACK does: on a CPU, JAX spreads a batch of matrices over the threads of its pool, from a thread of that
    pool, and waits. Two such programs, as two devices run them, then wait for each other for ever (jaxlib 0.10).
    """
    return jax.custom_batching.sequential_vmap(function)  # pyright: ignore[reportReturnType]
