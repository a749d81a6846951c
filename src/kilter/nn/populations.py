"""Exact population statistics of batch norms, in place of averages over the last batches of training."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.errors import InputError
from kilter.nn.layer import Layer, Params, State
from kilter.nn.norm import BatchNorm


def exact_statistics(net: Layer, params: Params, state: State, x: Any, batch: int = 1024) -> State:
    """The state with every batch norm's mean and (unbiased) variance those of all given rows.

    Layer by layer: all rows go through a layer at inference, a block at a time, before the next one begins; so each norm
    gets the true moments of what reaches it given that the norms in front of it already have theirs. Sums are in
    float64. One pass over the rows, which holds one layer's outputs for all of them. Ioffe and Szegedy 2015, algorithm 2
    (steps 8 to 10) averages over batches in training instead.

    Args:
        net: any network; norms are found in chains and residuals at any depth.
        params: as trained.
        state: as trained; left as it is.
        x: rows ``(rows, *shape)``, at least two.
        batch: rows in a block; changes memory and speed alone.

    Raises:
        InputError: fewer than two rows, or a block without rows.
    """
    if len(x) < 2 or batch < 1:
        raise InputError(f"exact_statistics needs two rows or more and a batch of at least 1, got {len(x)} and {batch}")

    def settled(layer: Layer, params: Params, state: State, x: Any, key: Any, place: str) -> Any:
        return _settle(layer, params, state, x, batch)

    return net.visit(settled, params, state, np.asarray(x))[1]


def _settle(layer: Layer, params: Params, state: State, x: Any, batch: int) -> tuple[Params, State, Any]:
    """Outputs of a layer for all rows, and its state with exact statistics if it is a batch norm."""
    if isinstance(layer, BatchNorm):
        state = state | _moments(x)
    blocks = (x[start : start + batch] for start in range(0, len(x), batch))
    return params, state, np.concatenate([_apply(layer, params, state, rows) for rows in blocks])


@jax.jit
def _apply(layer: Layer, params: Params, state: State, x: jax.Array) -> jax.Array:
    return layer.apply(params, state, x)[0]


def _moments(x: Any) -> dict[str, jax.Array]:
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes, dtype=np.float64)
    count = x.size // x.shape[-1]
    var = np.square(x - mean).sum(axes) / (count - 1)
    return {"mean": jnp.asarray(mean, jnp.float32), "var": jnp.asarray(var, jnp.float32)}
