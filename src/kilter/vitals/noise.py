"""The gradient noise scale: the batch size up to which larger batches make better updates."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.losses import Loss
from kilter.nn.layer import Layer, Params, State
from kilter.vitals.objective import objective

# Chunks that a batch is cut in where the user does not say.
_CHUNKS = 32


class Noise(NamedTuple):
    """How much the gradients of single examples disagree.

    Attributes:
        scale: tr(Sigma) / |G|^2, in examples: with batches much smaller than it the gradient is mostly noise, with much
            larger ones little is gained. The ratio of two unbiased numbers; average these over several batches, not the
            scale. Negative or huge where the gradient is lost in the noise.
        spread: tr(Sigma), unbiased: the variance of the gradient of one example, summed over all parameters.
        strength: |G|^2, unbiased: the square of the length of the true gradient. May come out negative.
    """

    scale: jax.Array
    spread: jax.Array
    strength: jax.Array


def noise(
    net: Layer,
    loss: Loss,
    params: Params,
    state: State,
    x: Any,
    y: Any,
    *,
    weights: Any = None,
    key: jax.Array | None = None,
    chunk: int | None = None,
) -> Noise:
    """The gradient noise scale from the gradients of the chunks of one batch.

    With B rows in k chunks of b, g_i the gradients of the chunks and g their mean: strength = (B |g|^2 - b mean |g_i|^2) /
    (B - b) and spread = (mean |g_i|^2 - |g|^2) / (1/b - 1/B). McCandlish et al. 2018, An Empirical Model of Large-Batch
    Training, appendix A.1. Pure, for `jax.jit` with a fixed ``chunk``.

    Args:
        net: the network.
        loss: of one example.
        params: parameters.
        state: state of the network.
        x: rows ``(rows, *shape)``.
        y: their targets.
        weights: of the rows, 1 on average; left open, all count the same.
        key: for layers that draw or follow the batch, which then is the chunk; left open, they run as at inference.
        chunk: rows b of a chunk; 1: the gradient of each example. Left open, so many that there are 32 chunks. Rows that
            fill no chunk are left out.

    Raises:
        InputError: the rows do not fill two chunks.
    """
    size = max(1, len(x) // _CHUNKS) if chunk is None else chunk
    count = len(x) // size if size > 0 else 0
    if count < 2:
        raise InputError(f"noise: {len(x)} rows do not fill two chunks of {chunk}; give more rows or a smaller chunk")
    rows = jax.tree.map(lambda leaf: leaf[: count * size].reshape(count, size, *leaf.shape[1:]), (x, y, weights))

    def add(carry: tuple[Params, jax.Array], rows: Any) -> tuple[tuple[Params, jax.Array], None]:
        total, squares = carry
        x, y, weights = rows
        value = objective(net, loss, state, x, y, weights, key)
        found = jax.grad(lambda params: value(params)[0])(params)
        return (jax.tree.map(jnp.add, total, found), squares + _square(found)), None

    start = jax.tree.map(jnp.zeros_like, params), jnp.zeros(())
    (total, squares), _ = jax.lax.scan(add, start, rows)
    small, large = squares / count, _square(total) / count**2
    spread = (small - large) / (1.0 / size - 1.0 / (count * size))
    strength = (count * large - small) / (count - 1)
    return Noise(spread / strength, spread, strength)


def _square(tree: Params) -> jax.Array:
    """Square of the length."""
    return sum((jnp.square(leaf).sum() for leaf in jax.tree.leaves(tree)), start=jnp.zeros(()))
