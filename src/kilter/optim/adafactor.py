"""Adafactor: the mean square of a matrix kept as its row and column means, and steps relative to the parameters."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.optim.moments import shrunk, squared, unzip
from kilter.optim.optimizer import Rated, Tree
from kilter.optim.schedules import Schedule


class Adafactor(Rated):
    """v = row column / mean(row) for kernels; u = g / sqrt(v); p = p - lr max(floor, rms(p)) u / max(1, rms(u) / clip).

    row and column are running means of g^2 over the last and the last but one axis, with decay 1 - t^-power at update t;
    arrays with fewer than two axes keep v whole.

    Shazeer and Stern 2018, algorithms 4 to 6. As in PyTorch, which holds lr below 1 / sqrt(t) besides; Optax factors large
    matrices alone.

    Args:
        lr: share of an array's root mean square that a step moves it by, a number or a schedule.
        power: how fast the decay approaches 1.
        floor: least root mean square that counts, so that zeros move too.
        clip: root mean square that no step exceeds.
        epsilon: least root of v.
        weight_decay: share of the kernels, times lr, that each step takes away.
    """

    formula: ClassVar[str] = (
        "v = row column / mean(row); u = g / sqrt(v); p = p - lr max(floor, rms(p)) u / max(1, rms(u) / clip)"
    )
    source: ClassVar[str] = "Shazeer and Stern 2018"
    choose: ClassVar[str] = "Large kernels where the moments of Adam do not fit in memory."

    lr: float | Schedule = number(default=1e-2, scale="log", search=(1e-4, 1e-1), also=Schedule)
    _: KW_ONLY
    power: float = number(default=0.8, range="[0, 1]", search=(0.5, 1.0))
    floor: float = number(default=1e-3, range="(0, inf)", scale="log", search=(1e-4, 1e-1))
    clip: float = number(default=1.0, range="(0, inf)", search=(0.5, 2.0))
    epsilon: float = number(default=1e-7, range="(0, inf)", scale="log", search=(1e-12, 1e-4))
    weight_decay: float = number(default=0.0, range="[0, inf)", scale="log", search=(1e-5, 1e-1))

    def init(self, params: Tree) -> Tree:
        return jax.tree.map(lambda p: _means(p * 0), params)

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        lr, share = self.rate(step), (step + 1.0) ** -self.power

        def moved(p: jax.Array, g: jax.Array, s: jax.Array, old: Any) -> tuple[jax.Array, Any]:
            means = {name: old[name] + share * (new - old[name]) for name, new in _means(s).items()}
            move = g * jax.lax.rsqrt(jnp.maximum(self._whole(means), self.epsilon**2))
            size = lr * jnp.maximum(self.floor, _rms(p)) / jnp.maximum(1.0, _rms(move) / self.clip)
            return shrunk(p, lr * self.weight_decay) - size * move, means

        pairs = jax.tree.map(moved, params, grads, squared(grads), state)
        return unzip(params, pairs)

    def _whole(self, means: dict[str, Any]) -> Any:
        if "whole" in means:
            return means["whole"]
        row, column = means["row"][..., :, None], means["column"][..., None, :]
        return row * column / jnp.maximum(row.mean(-2, keepdims=True), self.epsilon)


def _means(square: Any) -> dict[str, Any]:
    if jnp.ndim(square) < 2:
        return {"whole": square}
    return {"row": square.mean(-1), "column": square.mean(-2)}


def _rms(p: Any) -> Any:
    return jnp.sqrt((p * p).mean())
