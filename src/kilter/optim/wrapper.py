"""The contract of a wrapper: an optimizer that holds another, its learning rate that of the inner one."""

from typing import Any, ClassVar, Self

from kilter.core.errors import InputError
from kilter.core.specs import part
from kilter.optim.objective import Objective
from kilter.optim.optimizer import Needs, Optimizer, Tree


class Wrapper(Optimizer, abstract=True):
    """Base of all wrappers. They nest: the outermost one sees the gradients first.

    Class attributes:
        keeps: whether it has a state of its own; the inner one then stands in it as ``"inner"``.
    """

    keeps: ClassVar[bool] = False

    inner: Optimizer = part(kinds=Optimizer)

    @property
    def needs(self) -> Needs:
        return self.inner.needs

    @property
    def lr(self) -> Any:
        """Learning rate of the inner optimizer, a number or a schedule; ``replace(lr=...)`` reaches it too."""
        return self.inner.lr

    def replace(self, **changes: Any) -> Self:
        if "lr" in changes:
            changes["inner"] = changes.get("inner", self.inner).replace(lr=changes.pop("lr"))
        return super().replace(**changes)

    def clock(self, step: Any) -> Any:
        """Updates that the inner optimizer has made after ``step`` updates."""
        return step

    def inside(self, state: Tree) -> Tree:
        """State of the inner optimizer."""
        return state["inner"] if self.keeps else state

    def init(self, params: Tree) -> Tree:
        return self.inner.init(params)

    def gradient(self, objective: Objective, params: Tree, state: Tree, step: Any) -> tuple[Tree, Any]:
        return self.inner.gradient(objective, params, self.inside(state), self.clock(step))

    def judged(self, state: Tree, loss: Any) -> Tree:
        inner = self.inner.judged(self.inside(state), loss)
        return state | {"inner": inner} if self.keeps else inner

    def rate(self, step: Any) -> Any:
        return self.inner.rate(self.clock(step))

    def current(self, state: Tree, step: Any) -> Any:
        return self.inner.current(self.inside(state), self.clock(step))

    def averaged(self, state: Tree, params: Tree) -> Tree:
        return self.inner.averaged(self.inside(state), params)


class Preceding(Wrapper, abstract=True):
    """Base of the wrappers that change the gradients before the inner optimizer gets them.

    Raises:
        InputError: the inner optimizer takes no gradients, it searches along the objective by itself.
    """

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        if self.inner.needs == "objective":
            raise InputError(
                f"{type(self).__name__}(inner={self.inner!r}): the inner optimizer evaluates the loss itself and would "
                "never see gradients changed by a wrapper; use it without this wrapper"
            )


class Following(Wrapper, abstract=True):
    """Base of the wrappers that act on where the inner optimizer went."""

    def follow(self, before: Tree, after: Tree, inner: Tree, state: Tree, step: Any) -> tuple[Tree, Tree]:
        """Parameters and state of the wrapper.

        Args:
            before: parameters before the update.
            after: parameters that the inner optimizer has moved to.
            inner: its new state.
            state: of the wrapper, before the update.
            step: number of updates already made, from 0.
        """
        raise NotImplementedError

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        after, inner = self.inner.update(grads, self.inside(state), params, step)
        return self.follow(params, after, inner, state, step)

    def minimize(self, objective: Objective, params: Tree, state: Tree, step: Any) -> tuple[Tree, Tree, Any]:
        after, inner, aux = self.inner.minimize(objective, params, self.inside(state), step)
        return *self.follow(params, after, inner, state, step), aux


class Clipping(Preceding, abstract=True):
    """Base of the wrappers that change the gradients alone; their state is that of the inner optimizer."""

    choose: ClassVar[str] = "Where rare large gradients throw the training off."

    def clipped(self, grads: Tree, params: Tree) -> Tree:
        """The gradients that the inner optimizer gets."""
        raise NotImplementedError

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        return self.inner.update(self.clipped(grads, params), state, params, step)
