"""One update of one network, on one batch."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.keys import named
from kilter.core.spreading import by_rows, whole
from kilter.data.augment import Augmentation, Mix
from kilter.losses import Loss, Penalty
from kilter.metrics import Metric
from kilter.nn.layer import Layer
from kilter.optim.constraints import Constraint
from kilter.optim.objective import Objective
from kilter.optim.optimizer import Optimizer
from kilter.train.stopping import EarlyStopping

# Rows that are judged at once.
BLOCK = 1024


class Parts(NamedTuple):
    """What the compiled program needs of a recipe; for a fleet its numbers are stacked."""

    net: Layer
    loss: Loss
    optimizer: Optimizer
    stopping: EarlyStopping | None
    metric: Metric
    penalty: Penalty | None = None
    constraint: Constraint | None = None
    augment: Augmentation | None = None


class Learner(NamedTuple):
    """What an update changes."""

    params: Any
    state: Any
    moments: Any


class Batch(NamedTuple):
    """Rows of one update; ``weights`` is None where all count the same."""

    x: jax.Array
    y: jax.Array
    weights: jax.Array | None


def weighted_mean(losses: jax.Array, weights: jax.Array | None, count: Any) -> jax.Array:
    """Sum of weighted losses over the number of rows that count; weights are 1 on average over the training rows."""
    return (losses if weights is None else losses * weights).sum() / count


def step(parts: Parts, learner: Learner, batch: Batch, count: Any, key: jax.Array, number: Any) -> tuple[Learner, Any]:
    """One update.

    Args:
        parts: of the recipe.
        learner: before the update.
        batch: rows, padded to the batch size with weight 0.
        count: number of rows that are not padding.
        key: of this member and step.
        number: updates made before, from 0.

    Returns:
        The learner after the update, and the loss before it, without penalty, summed over the rows.
    """
    x, mix = batch.x, None
    if parts.augment is not None:
        x, mix = parts.augment.apply(named(key, "augment"), x)
    objective = Objective(
        outputs=lambda params: parts.net.apply(whole(params), learner.state, x, key=key),
        loss=lambda outputs: weighted_mean(_losses(parts.loss, outputs, batch.y, mix), batch.weights, count),
        penalty=parts.penalty,
    )
    params, moments, (loss, state) = parts.optimizer.minimize(objective, learner.params, learner.moments, number)
    if parts.constraint is not None:
        params = parts.constraint(params)
    return Learner(params, state, moments), jnp.float32(loss * count)


def _losses(loss: Loss, outputs: jax.Array, y: jax.Array, mix: Mix | None) -> jax.Array:
    """Loss of each row, where rows are mixed of both in their shares."""
    if mix is None:
        return loss(outputs, y)
    return mix.share * loss(outputs, y) + (1.0 - mix.share) * loss(outputs, y[mix.partner])


def outputs(net: Layer, params: Any, state: Any, x: jax.Array, block: int = BLOCK) -> jax.Array:
    """Outputs at inference for any number of rows, a block at a time so that activations stay small.

    The last block begins earlier where it would not be full: padding would copy all rows.
    """

    def apply(rows: jax.Array) -> jax.Array:
        return whole(net.apply(params, state, by_rows(rows))[0])

    if len(x) <= block:
        return apply(x)
    blocks = -(-len(x) // block)
    starts = np.minimum(block * np.arange(blocks, dtype=np.int32), np.int32(len(x) - block))
    found = jax.lax.map(lambda start: apply(jax.lax.dynamic_slice_in_dim(x, start, block)), starts)
    again = blocks * block - len(x)
    full = found.reshape(blocks * block, *found.shape[2:])
    return full if not again else jnp.concatenate([full[:-block], full[again - block :]])
