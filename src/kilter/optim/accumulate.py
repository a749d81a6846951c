"""Gradients summed over several steps, then one update: a large batch in the memory of a small one."""

from typing import Any, ClassVar, Self

import jax

from kilter.core.specs import option
from kilter.optim.moments import zeros_like
from kilter.optim.optimizer import Tree
from kilter.optim.wrapper import Preceding


class Accumulate(Preceding):
    """Every ``every`` steps one update of ``inner`` with the mean of their gradients; between them nothing moves.

    The inner optimizer and its schedule count their own updates, one for ``every`` steps; a schedule left open spans the
    run nonetheless. A mean of means: exact where all batches have one size. Gradients left over at the end of a run are
    dropped. The same as Optax's MultiSteps.

    Args:
        inner: optimizer that gets the mean gradients.
        every: steps to an update; a choice, part of the compiled program.
    """

    formula: ClassVar[str] = "s = s + g; at every-th steps inner(s / every), s = 0"
    source: ClassVar[str] = "common practice; Ott et al. 2018"
    choose: ClassVar[str] = "Where the batch that you want does not fit in memory."
    paddable: ClassVar[bool] = True

    keeps: ClassVar[bool] = True

    every: int = option(default=4, kinds=int, range="[1, inf)")

    def init(self, params: Tree) -> Tree:
        return {"inner": self.inner.init(params), "sum": zeros_like(params)}

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        total = jax.tree.map(lambda s, g: s + g, state["sum"], grads)

        def full(_: None) -> tuple[Tree, Tree]:
            mean = jax.tree.map(lambda s: s / self.every, total)
            after, inner = self.inner.update(mean, state["inner"], params, self.clock(step))
            return after, {"inner": inner, "sum": zeros_like(total)}

        def partial(_: None) -> tuple[Tree, Tree]:
            return params, {"inner": state["inner"], "sum": total}

        return jax.lax.cond((step + 1) % self.every == 0, full, partial, None)

    def clock(self, step: Any) -> Any:
        return step // self.every

    def over(self, steps: int) -> Self:
        """A copy whose inner schedules span the ``steps // every`` updates that the inner optimizer makes."""
        return self.replace(inner=self.inner.over(steps // self.every))
