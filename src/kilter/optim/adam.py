"""Adam, with decoupled weight decay (AdamW), AMSGrad and Nesterov's look ahead (Nadam) as settings."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.optim.moments import corrected, over_root, shrunk, squared, toward, zeros_like
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class Adam(Rated):
    """Steps scaled by running means of the gradient and of its square.

    m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon) - lr weight_decay p, t = 1, 2, ...

    Kingma and Ba 2015, algorithm 1; decoupled weight decay: Loshchilov and Hutter 2019, algorithm 2 (AdamW). It shrinks
    kernels (arrays with two axes or more) alone, never biases and norm scales; PyTorch's AdamW shrinks all.

    The decays are kept as complements and 1 - b^t is computed as -expm1(t log1p(-(1 - b))), exact to 1e-5 in float32.

    Args:
        lr: learning rate, a number or a schedule.
        b1: share of the mean gradient that survives a step.
        b2: share of the mean square that survives a step.
        epsilon: added to the root, outside of it.
        weight_decay: share of the kernels, times lr, that each step takes away.
        amsgrad: divide by the largest v so far (Reddi et al. 2018), before its correction as in PyTorch; Optax takes the
            largest after it.
        nesterov: b1 m / (1 - b1^(t + 1)) + (1 - b1) g / (1 - b1^t) in place of m / (1 - b1^t) (Dozat 2016), as in Optax;
            PyTorch's NAdam lets b1 grow over the first thousands of updates besides.
    """

    formula: ClassVar[str] = "p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)"
    source: ClassVar[str] = "Kingma and Ba 2015; Reddi et al. 2018"
    choose: ClassVar[str] = "The first choice where nothing is known of the net."
    paddable: ClassVar[bool] = True

    lr: float | Schedule = number(default=1e-3, scale="log", search=(1e-5, 1e-1), also=Schedule)
    _: KW_ONLY
    b1: float = number(default=0.9, range="[0, 1)", scale="complement", search=(0.5, 0.99))
    b2: float = number(default=0.999, range="[0, 1)", scale="complement", search=(0.9, 0.9999))
    epsilon: float = number(default=1e-8, range="[0, inf)", scale="log", search=(1e-10, 1e-4))
    weight_decay: float = number(default=0.0, range="[0, inf)", scale="log", search=(1e-5, 1e-1))
    amsgrad: bool = option(default=False, kinds=bool)
    nesterov: bool = option(default=False, kinds=bool)

    def init(self, params: Tree) -> Tree:
        state = {"mean": zeros_like(params), "square": zeros_like(params)}
        return state | {"largest": zeros_like(params)} if self.amsgrad else state

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        c1, c2, lr = self.complement("b1"), self.complement("b2"), self.rate(step)
        new = {
            "mean": toward(state["mean"], grads, c1),
            "square": toward(state["square"], squared(grads), c2),
        }
        if self.amsgrad:
            new["largest"] = jax.tree.map(jnp.maximum, state["largest"], new["square"])
        k1, k2 = corrected(c1, step + 1), corrected(c2, step + 1)
        ahead = self._ahead(new["mean"], grads, k1, corrected(c1, step + 2)) if self.nesterov else new["mean"]

        def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            return shrunk(p, lr * self.weight_decay) - over_root(lr / k1, m, v, k2, self.epsilon)

        return jax.tree.map(moved, params, ahead, new["largest" if self.amsgrad else "square"]), new

    def _ahead(self, mean: Tree, grads: Tree, now: Any, later: Any) -> Tree:
        """The mean gradient as it would stand one update later, given the biases of both, with the present bias."""
        kept, added = self.b1 * (now / later), self.complement("b1")
        return jax.tree.map(lambda m, g: kept * m + added * g, mean, grads)


class AdamW(Adam):
    """`Adam` whose ``weight_decay`` is 0.01 unless given, as in PyTorch.

    Loshchilov and Hutter 2019, algorithm 2. Kernels alone decay; PyTorch and Optax shrink all parameters.
    """

    formula: ClassVar[str] = "Adam, then p = p - lr weight_decay p for kernels"
    source: ClassVar[str] = "Loshchilov and Hutter 2019"
    choose: ClassVar[str] = "Adam where the net overfits; the standard of transformers."

    lr: float | Schedule = number(default=1e-3, scale="log", search=(1e-5, 1e-1), also=Schedule)
    _: KW_ONLY
    weight_decay: float = number(default=0.01, range="[0, inf)", scale="log", search=(1e-4, 1.0))


class Nadam(Adam):
    """`Adam` with ``nesterov`` unless told otherwise. Dozat 2016; the same as in Optax."""

    formula: ClassVar[str] = "Adam with b1 m / (1 - b1^(t + 1)) + (1 - b1) g / (1 - b1^t) as its mean"
    source: ClassVar[str] = "Dozat 2016"
    choose: ClassVar[str] = "Adam that reacts a step earlier; recurrent nets, short trainings."

    lr: float | Schedule = number(default=2e-3, scale="log", search=(1e-5, 1e-1), also=Schedule)
    _: KW_ONLY
    nesterov: bool = option(default=True, kinds=bool)
