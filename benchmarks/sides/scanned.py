"""JAX's peers as an expert writes them: one program, a scan over all updates, donated, rows gathered on the device.

Flax with Optax, and Keras by its stateless calls, which its guide to training loops in JAX describes; its own ``fit``
dispatches every update. Where `Job.scanned` says that a scan is slow, an update is a program that Python calls in turn.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from contest import Side
from sides.job import BLOCK, RATE, Job


class Functions(NamedTuple):
    """A network and its optimizer: fresh state, the state after an update, and outputs at inference."""

    draw: Callable[[jax.Array], Any]
    update: Callable[[Any, jax.Array, jax.Array, jax.Array], Any]
    outputs: Callable[[Any, jax.Array], jax.Array]


def flax(job: Job) -> Side:
    """Flax with Optax."""
    import optax

    assert job.flax is not None
    net, optimizer = job.flax(), optax.adam(RATE)

    def draw(key: jax.Array) -> Any:
        variables = dict(net.init(key, jnp.zeros((1, *job.x.shape[1:])), train=False))
        params = variables.pop("params")
        return params, variables, optimizer.init(params)

    def update(state: Any, x: jax.Array, y: jax.Array, key: jax.Array) -> Any:
        params, rest, moments = state

        def loss(params: Any) -> Any:
            outputs, after = net.apply(
                {"params": params, **rest}, x, train=True, mutable=list(rest), rngs={"dropout": key}
            )
            return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean(), dict(after)

        grads, rest = jax.grad(loss, has_aux=True)(params)
        changes, moments = optimizer.update(grads, moments, params)
        return optax.apply_updates(params, changes), rest, moments

    def outputs(state: Any, x: jax.Array) -> jax.Array:
        return net.apply({"params": state[0], **state[1]}, x, train=False)

    return _side(job, Functions(draw, update, outputs))


def keras(job: Job) -> Side:
    """Keras on JAX."""
    import keras

    assert job.keras is not None
    net = job.keras()
    net.build((None, *job.x.shape[1:]))
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(net.trainable_variables)
    begun = tuple(
        [np.asarray(variable.value) for variable in each]
        for each in (net.trainable_variables, net.non_trainable_variables, optimizer.variables)
    )
    criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def draw(key: jax.Array) -> Any:
        return jax.tree.map(jnp.array, begun)

    def update(state: Any, x: jax.Array, y: jax.Array, key: jax.Array) -> Any:
        params, rest, moments = state

        def loss(params: Any) -> Any:
            outputs, after = net.stateless_call(params, rest, x, training=True)
            return criterion(y, outputs), after

        grads, rest = jax.grad(loss, has_aux=True)(params)
        params, moments = optimizer.stateless_apply(moments, grads, params)
        return params, rest, moments

    def outputs(state: Any, x: jax.Array) -> jax.Array:
        return net.stateless_call(state[0], state[1], x, training=False)[0]

    return _side(job, Functions(draw, update, outputs))


def _side(job: Job, functions: Functions) -> Side:
    """The work with these functions."""
    x, y = jax.device_put(job.x), jax.device_put(job.y.astype(np.int32))
    draw, loop = jax.jit(functions.draw), (_one_program if job.scanned else _update_by_update)(job, functions)
    judge = jax.jit(partial(_judged, functions))
    block = BLOCK if job.x.ndim == 2 else 1024

    def train(seed: int) -> float:
        start = time.perf_counter()
        key = jax.random.key(seed)
        state = loop(draw(key), x, y, key, job.orders(seed))
        told = [judge(state, x[at : at + block], y[at : at + block]) for at in range(0, len(x), block)]
        np.sum(jax.device_get(told), 0) / len(x)
        return time.perf_counter() - start

    return train


def _judged(functions: Functions, state: Any, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sum of losses and number of right answers."""
    outputs = functions.outputs(state, x)
    losses = -jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], 1)
    return losses.sum(), (outputs.argmax(1) == y).sum()


def _one_program(job: Job, functions: Functions) -> Callable[..., Any]:
    """All epochs: scans of whole batches, and what is left over as a batch of its own."""
    steps, left = divmod(len(job.x), job.batch)

    @partial(jax.jit, donate_argnums=0)
    def whole(state: Any, x: jax.Array, y: jax.Array, key: jax.Array, orders: jax.Array) -> Any:
        def update(state: Any, each: Any) -> Any:
            rows, number = each
            return functions.update(state, x[rows], y[rows], jax.random.fold_in(key, number)), None

        def epoch(state: Any, each: Any) -> Any:
            order, number = each
            numbers = number * (steps + 1) + jnp.arange(steps)
            state, _ = jax.lax.scan(update, state, (order[: steps * job.batch].reshape(steps, -1), numbers))
            if left:
                state, _ = update(state, (order[steps * job.batch :], number * (steps + 1) + steps))
            return state, None

        return jax.lax.scan(epoch, state, (orders, jnp.arange(job.epochs)))[0]

    return lambda state, x, y, key, orders: whole(state, x, y, key, orders.astype(np.int32))


def _update_by_update(job: Job, functions: Functions) -> Callable[..., Any]:
    """A call of a compiled update for every batch."""

    @partial(jax.jit, donate_argnums=0)
    def update(state: Any, x: jax.Array, y: jax.Array, rows: jax.Array, key: jax.Array, number: int) -> Any:
        return functions.update(state, x[rows], y[rows], jax.random.fold_in(key, number))

    def whole(state: Any, x: jax.Array, y: jax.Array, key: jax.Array, orders: np.ndarray) -> Any:
        ends = range(job.batch, len(job.x), job.batch)
        batches = [rows for order in orders.astype(np.int32) for rows in np.split(order, ends)]
        for number, rows in enumerate(batches):
            state = update(state, x, y, rows, key, number)
        return state

    return whole
