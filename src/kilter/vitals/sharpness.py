"""Sharpness: the largest eigenvalue of the Hessian of the loss, which bounds the learning rate."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from kilter.losses import Loss, Penalty
from kilter.nn.layer import Layer, Params, State
from kilter.vitals.objective import objective

Tree = Any


def sharpness(
    net: Layer,
    loss: Loss,
    params: Params,
    state: State,
    x: Any,
    y: Any,
    *,
    weights: Any = None,
    key: jax.Array | None = None,
    penalty: Penalty | None = None,
    iterations: int = 30,
) -> jax.Array:
    """The largest eigenvalue of the Hessian of the mean loss, with the penalty, on some rows.

    Plain gradient descent on a quadratic diverges along the eigenvector where it exceeds 2 / lr; in full batches the
    sharpness of networks rises to just there and stays (Cohen et al. 2021, Gradient Descent on Neural Networks Typically
    Occurs at the Edge of Stability, section 2). Pure, for `jax.jit`; takes 2 ``iterations`` products of the Hessian with a
    vector, each about two gradients long.

    Args:
        net: the network.
        loss: of one example.
        params: where the Hessian is taken.
        state: of the network.
        x: rows ``(rows, *shape)``.
        y: their targets.
        weights: of the rows, 1 on average; left open, all count the same.
        key: for layers that draw or follow the batch; left open, they run as at inference.
        penalty: on the weights.
        iterations: of each of the two runs of `largest_eigenvalue`.
    """
    value = objective(net, loss, state, x, y, weights, key, penalty=penalty)
    gradient = jax.grad(lambda params: value(params)[0])
    return largest_eigenvalue(lambda v: jax.jvp(gradient, (params,), (v,))[1], params, iterations)


def largest_eigenvalue(product: Callable[[Tree], Tree], like: Tree, iterations: int = 30) -> jax.Array:
    """The largest eigenvalue of a symmetric matrix H that is known by its products H v, by power iteration.

    v becomes H v / |H v|, and the eigenvalue is v . H v, which errs by the square of what v does. That
    finds the eigenvalue of largest magnitude. If it is below 0, a second run on H shifted by it finds the largest; else
    the second run goes on with the first.

    Args:
        product: of H with a tree.
        like: tree of arrays in whose shapes the vectors are; its values do not matter.
        iterations: of each run.
    """
    fresh = _drawn(like)
    vector, first = _iterated(product, fresh, iterations)
    shift = jnp.minimum(first, 0.0)
    begin = jax.tree.map(lambda found, drawn: jnp.where(first < 0, drawn, found), vector, fresh)

    def shifted(v: Tree) -> Tree:
        return jax.tree.map(lambda h, v: h - shift * v, product(v), v)

    return _iterated(shifted, begin, iterations)[1] + shift


def _drawn(like: Tree) -> Tree:
    """A vector of length 1 in a random direction, always the same."""
    leaves, structure = jax.tree.flatten(like)
    keys = jax.random.split(jax.random.key(0), len(leaves))
    drawn = [jax.random.normal(key, jnp.shape(leaf)) for key, leaf in zip(keys, leaves, strict=True)]
    return _scaled(structure.unflatten(drawn))


def _iterated(product: Callable[[Tree], Tree], vector: Tree, iterations: int) -> tuple[Tree, jax.Array]:
    def body(_: Any, carry: tuple[Tree, jax.Array]) -> tuple[Tree, jax.Array]:
        vector, _ = carry
        after = product(vector)
        return _scaled(after), _dot(vector, after)

    return jax.lax.fori_loop(0, iterations, body, (vector, jnp.zeros(())))


def _scaled(vector: Tree) -> Tree:
    length = jnp.sqrt(_dot(vector, vector))
    return jax.tree.map(lambda leaf: leaf / jnp.where(length > 0, length, 1.0), vector)


def _dot(a: Tree, b: Tree) -> jax.Array:
    return sum(jax.tree.leaves(jax.tree.map(lambda a, b: (a * b).sum(), a, b)), start=jnp.zeros(()))
