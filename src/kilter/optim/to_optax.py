"""A Kilter optimizer as an Optax transformation; `kilter.optim.from_optax` is the way back."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.optim.optimizer import Optimizer


class OptaxState(NamedTuple):
    """State of `to_optax`: updates made, and the state of the optimizer, as `Optimizer.averaged` takes it."""

    count: Any
    inner: Any


def to_optax(optimizer: Optimizer) -> Any:
    """An ``optax.GradientTransformation`` whose changes lead from ``params`` to those of ``optimizer.update``.

    Optax adds the changes, which rounds once more: results differ by about 1e-7 of the parameters.

    Args:
        optimizer: any; schedules left open need their length first, see `kilter.optim.spanning`.

    Raises:
        InputError: Optax is not installed; the optimizer needs more than one gradient an update; from its ``update``,
            ``params`` are missing.
    """
    # Optax is an optional package: `import kilter` must neither need nor load it.
    try:
        import optax
    except ImportError:
        raise InputError("to_optax needs the package optax; install it with pip install optax") from None

    if optimizer.needs != "gradient":
        raise InputError(f"to_optax({optimizer!r}): it needs more than one gradient an update; use it in kl.train")

    def init(params: Any) -> OptaxState:
        return OptaxState(jnp.zeros((), jnp.int32), optimizer.init(params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        if params is None:
            raise InputError("update of to_optax needs the parameters; call update(updates, state, params)")
        after, inner = optimizer.update(updates, state.inner, params, state.count)
        return jax.tree.map(lambda new, old: new - old, after, params), OptaxState(state.count + 1, inner)

    return optax.GradientTransformation(init, update)
