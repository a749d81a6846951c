"""Loss scaling: gradients that would vanish in half precision are made larger on their way through the network."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.optim.objective import Objective
from kilter.optim.optimizer import Tree
from kilter.optim.wrapper import Preceding


class LossScale(Preceding):
    """Gradients of a scaled loss, brought back before ``inner`` gets them; the scale finds itself.

    An update whose gradients are not all finite is left out and halves the scale; ``every`` updates in a row that are
    double it. ``kl.Recipe(precision="float16")`` asks for it; float32 and bfloat16 reach down to 1e-38 and need none.
    As PyTorch's GradScaler.

    Args:
        inner: optimizer that gets the gradients.
        scale: at the start.
        every: updates in a row after which the scale doubles; a choice, part of the compiled program.
    """

    formula: ClassVar[str] = "g = grad(s L) / s; not finite: s = s / 2 and no update; every-th in a row: s = 2 s"
    source: ClassVar[str] = "Micikevicius et al. 2018, section 3.2"
    choose: ClassVar[str] = "Where products are made in float16."
    paddable: ClassVar[bool] = True

    keeps: ClassVar[bool] = True

    scale: float = number(default=2.0**15, range="[1, inf)", scale="log")
    every: int = option(default=2000, kinds=int, range="[1, inf)", unit="updates")

    def init(self, params: Tree) -> Tree:
        return {"inner": self.inner.init(params), "scale": jnp.float32(self.scale), "row": jnp.float32(0.0)}

    def gradient(self, objective: Objective, params: Tree, state: Tree, step: Any) -> tuple[Tree, Any]:
        scale, penalty = state["scale"], objective.penalty
        larger = Objective(
            objective.outputs,
            lambda outputs: objective.loss(outputs) * scale,
            None if penalty is None else lambda params: penalty(params) * scale,
        )
        grads, (loss, net) = super().gradient(larger, params, state, step)
        return jax.tree.map(lambda g: g / scale, grads), (loss / scale, net)

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        finite = jnp.stack([jnp.isfinite(g).all() for g in jax.tree.leaves(grads)] or [jnp.bool_(True)]).all()
        row = jnp.where(finite, state["row"] + 1, 0.0)
        full = row >= self.every
        larger = jnp.where(full, 2 * state["scale"], state["scale"])
        scale = jnp.where(finite, larger, jnp.maximum(state["scale"] / 2, 1.0))
        moved = self.inner.update(grads, state["inner"], params, self.clock(step))
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), moved, (params, state["inner"]))
        return kept[0], {"inner": kept[1], "scale": scale, "row": jnp.where(full, 0.0, row)}
