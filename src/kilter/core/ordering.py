"""An order of work that XLA must keep."""

from typing import Any

import jax
import jax.numpy as jnp

Tree = Any


def after(known: Tree, tree: Tree) -> Tree:
    """``tree`` as it is, but known only when all of ``known`` is.

    XLA changes an array of a loop in place where nothing can read it afterwards. It copies the weights of a layer in each
    update, since the gradient of the layer's inputs reads them and the update does not wait for that; once it does, there
    is no copy (an update of 784-512-512-10 takes 0.92 of the time). So a zero is added that depends on ``known``, in a
    form that XLA does not see through; it goes into the loop that makes the update.
    """
    zero = jnp.int32(0)
    corners = [(_corner(leaf) > 0).astype(jnp.int32) for leaf in jax.tree.leaves(known) if leaf.size]
    nothing = jax.lax.clamp(zero, sum(corners, zero), zero)
    return jax.tree.map(lambda leaf: leaf + nothing.astype(leaf.dtype), tree)


def _corner(leaf: jax.Array) -> jax.Array:
    return jax.lax.slice(leaf, (0,) * leaf.ndim, (1,) * leaf.ndim).reshape(())
