"""One epoch of one network: a scan over batches, then the validation rows, then whether to go on."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kilter.core.spreading import by_rows, in_shards, whole
from kilter.metrics import worst
from kilter.train.outcome import Outcome
from kilter.train.step import Batch, Learner, Parts, outputs, step, weighted_mean

# Share of a score that rounding may take or add.
_ROUNDED = 1e-6


class Rows(NamedTuple):
    """Training and validation rows on the device.

    Attributes:
        train: all training rows.
        validation: all validation rows, or None.
        unit: scale and offset that bring predicted numbers back to the target's own unit, or None.
        answers: validation targets in their own unit, for the metric.
    """

    train: Batch
    validation: Batch | None
    unit: tuple[jax.Array, jax.Array] | None
    answers: jax.Array | None


class Member(NamedTuple):
    """One network of a fleet, with its best epoch so far; ``outcome`` is 0 while it goes on.

    Without validation rows ``best`` is None: the last weights are the ones to keep.
    """

    learner: Learner
    best: Any
    best_score: jax.Array
    best_loss: jax.Array
    best_epoch: jax.Array
    waited: jax.Array
    outcome: jax.Array


def begin(parts: Parts, learner: Learner, judged: bool) -> Member:
    """A member before its first epoch; ``judged`` says whether validation rows will choose its best epoch."""
    best = (learner.params, learner.state) if judged else None
    start = jnp.float32(worst(parts.metric) if judged else -jnp.inf)
    zero = jnp.int32(0)
    return Member(learner, best, start, jnp.float32(jnp.inf), jnp.int32(-1), zero, zero)


def epoch(
    parts: Parts,
    rows: Rows,
    member: Member,
    key: jax.Array,
    order: jax.Array,
    number: jax.Array,
    epochs: jax.Array,
    batch: jax.Array | None = None,
    *,
    alone: bool = False,
) -> tuple[Member, dict[str, jax.Array]]:
    """Train a member for one epoch and judge it; a member that has ended stays as it is.

    Args:
        parts: of the recipe.
        rows: to train and validate on.
        member: before the epoch.
        key: of the member.
        order: row numbers ``(steps, batch)``, or ``(rows + slots,)`` where the member has a batch size of its own, at most
            ``slots``; what exceeds the number of rows is padding.
        number: of the epoch, from 0.
        epochs: that the member has in all; it ends after the last of them.
        batch: size of the member's batches, where the order does not tell it.
        alone: whether the member has not ended for sure, as no epoch is begun for one that stands alone and has.

    Returns:
        The member after the epoch, and its line of the history.
    """
    steps: Any = len(order) if batch is None else -(-len(rows.train.x) // batch)
    first = number * steps
    if batch is None:
        learner, loss = _train(parts, rows.train, member.learner, key, order, first)
    else:
        learner, loss = _train_in_slots(parts, rows.train, member.learner, key, order, first, batch, steps)
    return close(parts, rows, member, learner, loss, first + steps - 1, number, epochs, alone=alone)


def close(
    parts: Parts,
    rows: Rows,
    member: Member,
    learner: Learner,
    loss: jax.Array,
    last: Any,
    number: jax.Array,
    epochs: jax.Array,
    *,
    alone: bool = False,
) -> tuple[Member, dict[str, jax.Array]]:
    """Judge a member after an epoch; one that had ended before stays as it was.

    Args:
        parts: of the recipe.
        rows: to validate on.
        member: before the epoch.
        learner: after it.
        loss: on the training rows, mean.
        last: number of the last update.
        number: of the epoch, from 0.
        epochs: that the member has in all.
        alone: whether it has not ended before for sure.

    Returns:
        The member after the epoch, and its line of the history.
    """
    line = {"loss": loss, "lr": jnp.float32(parts.optimizer.current(learner.moments, last))}
    evaluated = learner._replace(params=parts.optimizer.averaged(learner.moments, learner.params))
    line |= _judge(parts, rows, evaluated)
    learner = learner._replace(moments=parts.optimizer.judged(learner.moments, line.get("val_loss", loss)))
    after = _close(parts, member, learner, evaluated, line, number, epochs)
    if alone:
        return jax.tree.map(lambda new, old: new.astype(old.dtype), after, member), line
    running = member.outcome == 0
    after = jax.tree.map(lambda new, old: jnp.where(running, new, old), after, member)
    return after, jax.tree.map(lambda value: jnp.where(running, value, jnp.nan), line)


def _train(
    parts: Parts, train: Batch, learner: Learner, key: jax.Array, order: jax.Array, first: jax.Array
) -> tuple[Learner, jax.Array]:
    steps, size = order.shape
    total = len(train.x)
    padded = steps * size != total

    def body(learner: Learner, each: tuple[jax.Array, jax.Array]) -> tuple[Learner, jax.Array]:
        index, chosen = each
        real = index * size + jnp.arange(size) < total if padded else None
        return _update(parts, train, learner, key, chosen, real, first + index)

    learner, sums = jax.lax.scan(body, learner, (jnp.arange(steps), order))
    return learner, sums.sum() / total


def train_window(
    parts: Parts,
    train: Batch,
    learner: Learner,
    key: jax.Array,
    order: jax.Array,
    first: jax.Array,
    rows: jax.Array,
    padded: bool,
) -> tuple[Learner, jax.Array]:
    """Train on some of the rows of an epoch.

    Args:
        parts: of the recipe.
        train: these rows, and room for others.
        learner: before.
        key: of the member.
        order: row numbers ``(most updates, batch)``.
        first: number of the first update.
        rows: how many count; there are as many updates as they need.
        padded: whether the last update of the epoch is filled up.

    Returns:
        The learner after the updates, and the sum of the losses of the rows.
    """
    size = order.shape[1]

    def body(index: jax.Array, carry: tuple[Learner, jax.Array]) -> tuple[Learner, jax.Array]:
        learner, sums = carry
        real = index * size + jnp.arange(size) < rows if padded else None
        learner, loss = _update(parts, train, learner, key, order[index], real, first + index)
        return learner, sums + loss

    return jax.lax.fori_loop(0, -(-rows // size), body, (learner, jnp.float32(0.0)))


def _train_in_slots(
    parts: Parts,
    train: Batch,
    learner: Learner,
    key: jax.Array,
    order: jax.Array,
    first: jax.Array,
    batch: jax.Array,
    steps: jax.Array,
) -> tuple[Learner, jax.Array]:
    """The same where batch size and number of updates are numbers; beside members of more updates a member waits."""
    total = len(train.x)
    place = jnp.arange(len(order) - total)

    def body(index: jax.Array, carry: tuple[Learner, jax.Array]) -> tuple[Learner, jax.Array]:
        learner, sums = carry
        # A batch is filled up with its own row, so that rows of other batches cannot spoil it with what is not finite.
        chosen = order[index * batch + jnp.where(place < batch, place, 0)]
        real = (place < batch) & (index * batch + place < total)
        learner, loss = _update(parts, train, learner, key, chosen, real, first + index)
        return learner, sums + loss

    learner, sums = jax.lax.fori_loop(0, steps, body, (learner, jnp.float32(0.0)))
    return learner, sums / total


def _update(
    parts: Parts,
    train: Batch,
    learner: Learner,
    key: jax.Array,
    chosen: jax.Array,
    real: jax.Array | None,
    number: jax.Array,
) -> tuple[Learner, jax.Array]:
    """One update on the chosen rows, of which those that are not ``real`` are padding."""
    chosen = by_rows(chosen)
    weights = None if train.weights is None else train.weights[chosen]
    count: Any = len(chosen)
    if real is not None:
        count = whole(real).sum()
        weights = real.astype(jnp.float32) if weights is None else weights * real
    rows = by_rows(Batch(train.x[chosen], train.y[chosen], weights))
    learner, loss = step(parts, learner, rows, count, jax.random.fold_in(key, number), number)
    return Learner(whole(learner.params), whole(learner.state), in_shards(learner.moments)), loss


def _judge(parts: Parts, rows: Rows, learner: Learner) -> dict[str, Any]:
    """Loss and score on the validation rows."""
    if rows.validation is None or rows.answers is None:
        return {}
    x, y, weights = rows.validation
    ones = jnp.ones(len(x)) if weights is None else weights
    found = outputs(parts.net, learner.params, learner.state, x)
    predictions = parts.loss.read(found, rows.answers.dtype == jnp.int32)
    if rows.unit is not None:
        predictions = predictions * rows.unit[0] + rows.unit[1]
    score = parts.metric(predictions, rows.answers, ones)
    line = {"val_loss": weighted_mean(parts.loss(found, y), weights, len(x)), f"val_{parts.metric.key}": score}
    return jax.tree.map(jnp.float32, line)


def _close(
    parts: Parts,
    member: Member,
    learner: Learner,
    evaluated: Learner,
    line: dict[str, jax.Array],
    number: jax.Array,
    epochs: jax.Array,
) -> Member:
    """Compare with the best epoch so far and decide whether the member goes on."""
    judged = member.best is not None
    loss = line["val_loss"] if judged else line["loss"]
    score = line[f"val_{parts.metric.key}"] if judged else -loss
    sign = 1.0 if parts.metric.higher_is_better or not judged else -1.0
    delta = 0.0 if parts.stopping is None else parts.stopping.min_delta
    gain = jnp.nan_to_num(sign * (score - member.best_score), nan=-jnp.inf, posinf=jnp.inf)
    # A score that was kept is rounded, the new one may be compared before it is: what differs by that alone is the same.
    same = jnp.abs(gain) <= _ROUNDED * jnp.minimum(jnp.abs(score), jnp.abs(member.best_score))
    better = (gain > delta) & ~same | same & (loss < member.best_loss)

    finite = jnp.isfinite(line["loss"]) & jnp.isfinite(loss)
    for leaf in jax.tree.leaves((learner.params, learner.state)):
        finite &= jnp.isfinite(leaf.sum())
    better &= finite

    waited = jnp.where(better, 0, member.waited + 1)
    outcome = jnp.where(number + 1 >= epochs, Outcome.FINISHED.code, 0)
    if parts.stopping is not None:
        outcome = jnp.where(waited >= parts.stopping.patience, Outcome.STOPPED_EARLY.code, outcome)
    outcome = jnp.where(finite, outcome, Outcome.DIVERGED.code)

    def choose(new: Any, old: Any) -> Any:
        return in_shards(jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old))

    return Member(
        learner,
        choose((evaluated.params, evaluated.state), member.best) if judged else None,
        choose(score, member.best_score),
        choose(loss, member.best_loss),
        choose(number, member.best_epoch),
        waited,
        outcome,
    )
