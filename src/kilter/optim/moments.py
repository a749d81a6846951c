"""Running means of trees, exact in float32, and weight decay: what most optimizers are made of."""

from typing import Any

import jax
import jax.numpy as jnp

from kilter.core import trees

Tree = Any


def zeros_like(params: Tree) -> Tree:
    """A tree of zeros like the parameters, for moments."""
    return jax.tree.map(lambda p: p * 0, params)


def toward(old: Tree, new: Tree, complement: Any) -> Tree:
    """Running mean ``old + complement (new - old)``; the decay is one minus the complement."""
    return jax.tree.map(lambda a, b: a + complement * (b - a), old, new)


def squared(grads: Tree) -> Tree:
    """Every number squared."""
    return jax.tree.map(lambda g: g * g, grads)


def corrected(complement: Any, count: Any) -> Any:
    """1 - b^count from 1 - b: the bias of a running mean that started at zero."""
    return -jnp.expm1(count * jnp.log1p(-complement))


def over_root(factor: Any, mean: jax.Array, square: jax.Array, bias: Any, epsilon: Any) -> jax.Array:
    """The move factor mean / (sqrt(square / bias) + epsilon), with one division a number."""
    root = jnp.sqrt(bias)
    return (factor * root) * mean / (jnp.sqrt(square) + root * epsilon)


def shrunk(p: Any, share: Any) -> Any:
    """Decoupled weight decay: kernels (two axes or more) lose ``share`` of themselves, biases and norm scales nothing."""
    return (1.0 - share) * p if trees.is_kernel(p) else p


def unzip(params: Tree, pairs: Tree) -> tuple[Tree, Tree]:
    """From a tree of pairs to a pair of trees; ``params`` says where the pairs stand."""
    structure = jax.tree.structure(params)
    rows = structure.flatten_up_to(pairs)
    return structure.unflatten([row[0] for row in rows]), structure.unflatten([row[1] for row in rows])
