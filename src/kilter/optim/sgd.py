"""Stochastic gradient descent, with momentum and Nesterov's form as settings."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax

from kilter.core.specs import number, option
from kilter.optim.moments import zeros_like
from kilter.optim.optimizer import Rated, Tree


class SGD(Rated):
    """v = momentum v + g; p = p - lr v, or with ``nesterov`` p = p - lr (g + momentum v).

    Polyak 1964; Nesterov's form as in Sutskever et al. 2013, section 2. The same as in PyTorch; Keras folds lr into v.

    Args:
        lr: learning rate, a number or a schedule.
        momentum: share of the velocity that survives a step; 0 is plain gradient descent.
        nesterov: look ahead along the velocity.

    >>> import jax.numpy as jnp
    >>> sgd = SGD(0.1, momentum=0.9)
    >>> params, state = sgd.update(jnp.array(1.0), sgd.init(jnp.array(0.0)), jnp.array(0.0), 0)
    >>> float(params)
    -0.10000000149011612
    """

    formula: ClassVar[str] = "v = momentum v + g; p = p - lr v"
    source: ClassVar[str] = "Robbins and Monro 1951; Polyak 1964; Sutskever et al. 2013"
    choose: ClassVar[str] = "Normalized convolutional nets with time to tune lr; momentum 0.9 is the usual setting."
    paddable: ClassVar[bool] = True

    _: KW_ONLY
    momentum: float = number(default=0.0, range="[0, 1)", scale="complement", search=(0.5, 0.999))
    nesterov: bool = option(default=False, kinds=bool)

    def init(self, params: Tree) -> Tree:
        return zeros_like(params)

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        lr = self.rate(step)
        velocity = jax.tree.map(lambda v, g: self.momentum * v + g, state, grads)
        move = velocity
        if self.nesterov:
            move = jax.tree.map(lambda v, g: g + self.momentum * v, velocity, grads)
        return jax.tree.map(lambda p, m: p - lr * m, params, move), velocity
