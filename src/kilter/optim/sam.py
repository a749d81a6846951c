"""Sharpness-aware minimization: the gradient is taken where the loss near the parameters is about largest."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.optim.objective import Objective
from kilter.optim.optimizer import Needs, Tree
from kilter.optim.wrapper import Preceding


class SAM(Preceding):
    """The gradient at p + e in place of that at p, with e = rho g / |g|, g the gradient at p; two passes an update.

    ``adaptive`` (ASAM): e = rho T^2 g / |T g| with T = |p| + floor, number by number, so that a net whose weights are
    scaled without changing its outputs is as sharp as before; ``rho`` is then about ten times as large.

    Foret et al. 2021, equation 2 and algorithm 1; adaptive: Kwon et al. 2021, algorithm 1. The state of the net (moving
    statistics of batch normalization) and the loss in the history are those of the first pass, at p; both passes draw the
    same dropout masks. Optax's contrib.sam takes the same two gradients, as two calls of its update.

    Args:
        inner: optimizer that gets the second gradient.
        rho: radius of the neighborhood, the length of e.
        adaptive: whether the radius scales with each weight.
        floor: least size of a weight that counts (the paper's eta), for ``adaptive`` alone.

    Raises:
        InputError: the inner optimizer takes no gradients, such as `LBFGS`.

    >>> from kilter import optim
    >>> SAM(optim.SGD(0.1, momentum=0.9), 0.1)
    optim.SAM(optim.SGD(0.1, momentum=0.9), 0.1)
    """

    formula: ClassVar[str] = "inner gets the gradient at p + rho g / |g|"
    source: ClassVar[str] = "Foret et al. 2021; Kwon et al. 2021"
    choose: ClassVar[str] = "Nets that overfit, where twice the time an update is worth a flatter minimum."
    paddable: ClassVar[bool] = True

    rho: float = number(default=0.05, range="[0, inf)", scale="log", search=(0.01, 1.0))
    _: KW_ONLY
    adaptive: bool = option(default=False, kinds=bool)
    floor: float = number(default=0.01, range="[0, inf)", scale="log", search=(1e-3, 0.1))

    @property
    def needs(self) -> Needs:
        return "gradients"

    def gradient(self, objective: Objective, params: Tree, state: Tree, step: Any) -> tuple[Tree, Any]:
        grads, aux = self.inner.gradient(objective, params, state, step)
        again, _ = self.inner.gradient(objective, self._upwards(params, grads), state, step)
        return again, aux

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        return self.inner.update(grads, state, params, step)

    def _upwards(self, params: Tree, grads: Tree) -> Tree:
        """The parameters at distance ``rho`` where the loss has about risen most."""
        scales = jax.tree.map(lambda p: jnp.abs(p) + self.floor if self.adaptive else jnp.ones((), p.dtype), params)
        scaled = jax.tree.map(lambda t, g: t * g, scales, grads)
        norm = jnp.sqrt(sum(((g * g).sum() for g in jax.tree.leaves(scaled)), start=jnp.zeros(())))
        share = self.rho / jnp.where(norm > 0, norm, 1.0)
        return jax.tree.map(lambda p, t, g: p + share * t * g, params, scales, scaled)
