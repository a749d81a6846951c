"""The contract of a wrapper: an optimizer that holds another, its learning rate that of the inner one."""

from typing import Any, ClassVar, Self

from kilter.core.specs import part
from kilter.optim.optimizer import Optimizer, Tree


class Wrapper(Optimizer, abstract=True):
    """Base of all wrappers. They nest: the outermost one sees the gradients first."""

    inner: Optimizer = part(kinds=Optimizer)

    @property
    def lr(self) -> Any:
        """Learning rate of the inner optimizer, a number or a schedule; ``replace(lr=...)`` reaches it too."""
        return self.inner.lr

    def replace(self, **changes: Any) -> Self:
        if "lr" in changes:
            changes["inner"] = changes.get("inner", self.inner).replace(lr=changes.pop("lr"))
        return super().replace(**changes)

    def rate(self, step: Any) -> Any:
        return self.inner.rate(step)

    def init(self, params: Tree) -> Tree:
        return self.inner.init(params)

    def averaged(self, state: Tree, params: Tree) -> Tree:
        return self.inner.averaged(state, params)


class Clipping(Wrapper, abstract=True):
    """Base of the wrappers that change the gradients alone; their state is that of the inner optimizer."""

    choose: ClassVar[str] = "Where rare large gradients throw the training off."

    def clipped(self, grads: Tree, params: Tree) -> Tree:
        """The gradients that the inner optimizer gets."""
        raise NotImplementedError

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        return self.inner.update(self.clipped(grads, params), state, params, step)
