"""A learning rate that falls where the validation loss no longer does, inside the compiled training."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.optim.optimizer import Tree
from kilter.optim.wrapper import Following


class ReduceOnPlateau(Following):
    """lr = lr factor after more than ``patience`` epochs without a better loss: of validation, or training without it.

    A loss is better if it is below best - threshold |best|, or best - threshold with ``relative=False``. After a fall
    ``cooldown`` epochs are not counted. The step of the inner optimizer is multiplied, p = p + scale (p' - p), which equals
    a smaller lr wherever the step is proportional to it; not for `ScheduleFreeAdam`, and `Average` belongs around it. The
    history shows the reduced rate. A wrapper rather than a schedule, because a schedule knows no loss.

    PyTorch's ReduceLROnPlateau with mode "min"; its eps, which skips falls of less than 1e-8, is left out, and its relative
    threshold moves the wrong way for losses below zero. Keras' callback has ``min_delta`` for an absolute threshold and
    counts an epoch fewer.

    Args:
        inner: optimizer whose rate falls.
        factor: what is left of the rate after a fall.
        patience: epochs without a better loss that are let pass.
        threshold: what a loss must be better by.
        relative: whether ``threshold`` is a share of the best loss.
        cooldown: epochs after a fall that are not counted.
        min_lr: no fall leads below this rate.
    """

    formula: ClassVar[str] = "lr = lr factor after more than patience epochs without a better loss"
    source: ClassVar[str] = "common practice; He et al. 2016, section 3.4, by hand"
    choose: ClassVar[str] = "Trainings whose length is not known ahead, together with early stopping of more patience."
    paddable: ClassVar[bool] = True

    keeps: ClassVar[bool] = True

    factor: float = number(default=0.1, range="(0, 1)", scale="log", search=(0.1, 0.7))
    patience: float = number(default=10.0, range="[0, inf)", unit="epochs", search=(2.0, 20.0))
    _: KW_ONLY
    threshold: float = number(default=1e-4, range="[0, inf)", scale="log")
    relative: bool = option(default=True, kinds=bool)
    cooldown: float = number(default=0.0, range="[0, inf)", unit="epochs")
    min_lr: float = number(default=0.0, range="[0, inf)", scale="log")

    def init(self, params: Tree) -> Tree:
        start = {"scale": 1.0, "best": jnp.inf, "bad": 0.0, "resting": 0.0}
        return {name: jnp.full((), value, jnp.float32) for name, value in start.items()} | {
            "inner": self.inner.init(params)
        }

    def follow(self, before: Tree, after: Tree, inner: Tree, state: Tree, step: Any) -> tuple[Tree, Tree]:
        missing = 1.0 - self._share(state, step)
        # From the end of the step, so that a scale of 1 leaves it as it is, bit for bit.
        return jax.tree.map(lambda p, q: q - missing * (q - p), before, after), state | {"inner": inner}

    def judged(self, state: Tree, loss: Any) -> Tree:
        state = super().judged(state, loss)
        best, resting = state["best"], state["resting"] > 0
        margin = self.threshold * jnp.abs(best) if self.relative else self.threshold
        better = loss < jnp.where(jnp.isfinite(best), best - margin, best)
        bad = jnp.where(better | resting, 0.0, state["bad"] + 1)
        falls = bad > self.patience
        rest = jnp.where(falls, self.cooldown, jnp.maximum(state["resting"] - 1, 0.0))
        return state | {
            "scale": state["scale"] * jnp.where(falls, self.factor, 1.0),
            "best": jnp.where(better, loss, best),
            "bad": jnp.where(falls, 0.0, bad),
            "resting": rest,
        }

    def current(self, state: Tree, step: Any) -> Any:
        return super().current(state, step) * self._share(state, step)

    def _share(self, state: Tree, step: Any) -> Any:
        """What is left of the inner rate: the scale, held where the rate would fall below ``min_lr``."""
        rate = super().current(state, step)
        least = self.min_lr / jnp.maximum(rate, jnp.finfo(jnp.float32).tiny)
        return jnp.maximum(state["scale"], jnp.minimum(least, 1.0))
