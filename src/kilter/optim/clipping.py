"""Gradients held below a limit: each number, the norm of each array, of all of them, or relative to the parameters."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.optimizer import Tree
from kilter.optim.wrapper import Clipping


class ClipByValue(Clipping):
    """Every number of the gradient at most ``limit`` in size; it may turn the gradient.

    As PyTorch's clip_grad_value_, Keras' clipvalue and Optax's clip.

    Args:
        inner: optimizer that gets the clipped gradients.
        limit: largest size of a number.

    >>> from kilter import optim
    >>> clipped = ClipByValue(optim.SGD(1.0), 0.5)
    >>> float(clipped.update(jnp.array(3.0), clipped.init(jnp.array(0.0)), jnp.array(0.0), 0)[0])
    -0.5
    """

    formula: ClassVar[str] = "g = min(max(g, -limit), limit)"
    source: ClassVar[str] = "Mikolov 2012"
    choose: ClassVar[str] = "Where single numbers of the gradient explode."
    paddable: ClassVar[bool] = True

    limit: float = number(default=1.0, range="(0, inf)", scale="log", search=(1e-2, 10.0))

    def clipped(self, grads: Tree, params: Tree) -> Tree:
        return jax.tree.map(lambda g: jnp.clip(g, -self.limit, self.limit), grads)


class ClipByNorm(Clipping):
    """Every array of the gradient at most ``limit`` in norm: g = g min(1, limit / |g|).

    As Keras' clipnorm and Optax's clip_by_block_rms up to the size of the arrays.

    Args:
        inner: optimizer that gets the clipped gradients.
        limit: largest norm of an array.
    """

    formula: ClassVar[str] = "g = g min(1, limit / |g|), each array by itself"
    source: ClassVar[str] = "Pascanu et al. 2013"
    choose: ClassVar[str] = "Where one layer's gradient explodes and the others' should keep their size."
    paddable: ClassVar[bool] = True

    limit: float = number(default=1.0, range="(0, inf)", scale="log", search=(1e-2, 10.0))

    def clipped(self, grads: Tree, params: Tree) -> Tree:
        return jax.tree.map(lambda g: g * _share(self.limit, jnp.sqrt((g * g).sum())), grads)


class ClipByGlobalNorm(Clipping):
    """The whole gradient at most ``limit`` in norm, its direction kept: g = g min(1, limit / |all g|).

    As PyTorch's clip_grad_norm_ (which adds 1e-6 to the norm), Keras' global_clipnorm and Optax's clip_by_global_norm.

    Args:
        inner: optimizer that gets the clipped gradients.
        limit: largest norm of all gradients together.
    """

    formula: ClassVar[str] = "g = g min(1, limit / |all g|)"
    source: ClassVar[str] = "Pascanu et al. 2013"
    choose: ClassVar[str] = "Recurrent nets and transformers; the usual form, with limit 1."
    paddable: ClassVar[bool] = True

    limit: float = number(default=1.0, range="(0, inf)", scale="log", search=(1e-2, 10.0))

    def clipped(self, grads: Tree, params: Tree) -> Tree:
        total = sum(((g * g).sum() for g in jax.tree.leaves(grads)), start=jnp.zeros(()))
        share = _share(self.limit, jnp.sqrt(total))
        return jax.tree.map(lambda g: g * share, grads)


class AdaptiveClip(Clipping):
    """The gradient of each unit at most ``limit`` times the norm of its weights: |g| <= limit max(|p|, floor).

    A unit of a kernel is an entry of its last axis (Kilter's kernels are ``(*window, in, out)``); arrays with one axis or
    none are one unit, as in Optax's adaptive_grad_clip. The paper leaves the last layer out.

    Args:
        inner: optimizer that gets the clipped gradients.
        limit: largest norm of the gradient over that of the weights.
        floor: least norm of the weights that counts, so that zeros move too.
    """

    formula: ClassVar[str] = "g = g min(1, limit max(|p|, floor) / |g|), each unit by itself"
    source: ClassVar[str] = "Brock et al. 2021, equation 3"
    choose: ClassVar[str] = "Deep nets without normalization, at large batches."
    paddable: ClassVar[bool] = True

    limit: float = number(default=0.01, range="(0, inf)", scale="log", search=(1e-3, 1.0))
    _: KW_ONLY
    floor: float = number(default=1e-3, range="(0, inf)", scale="log", search=(1e-4, 1e-1))

    def clipped(self, grads: Tree, params: Tree) -> Tree:
        def clip(g: jax.Array, p: jax.Array) -> jax.Array:
            return g * _share(self.limit * jnp.maximum(_unit_norm(p), self.floor), _unit_norm(g))

        return jax.tree.map(clip, grads, params)


def _share(limit: Any, norm: Any) -> Any:
    """What brings a norm down to a limit; 1 below it."""
    return jnp.where(norm > limit, limit / jnp.where(norm > 0, norm, 1.0), 1.0)


def _unit_norm(p: Any) -> Any:
    axes = tuple(range(p.ndim - 1)) if p.ndim > 1 else None
    return jnp.sqrt((p * p).sum(axes, keepdims=True))
