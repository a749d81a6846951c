"""L-BFGS: Newton's direction from the last few steps and changes of the gradient, and a line search along it."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.optim.line_search import Place, dot, search
from kilter.optim.objective import Objective
from kilter.optim.optimizer import Needs, Rated, Tree
from kilter.optim.schedules import Schedule

Memory = dict[str, jax.Array]


class LBFGS(Rated):
    """p = p - t H g: H from the last ``memory`` pairs s (step) and y (change of the gradient), t by line search.

    H g by the two-loop recursion from H0 = s y / y y of the last pair; a pair without positive s y is left out. t meets
    the weak Wolfe conditions (`kilter.optim.line_search`). For full batches: set the recipe's ``batch_size`` to the number
    of rows or more, leave dropout out. One update makes up to ``iterations`` steps on its batch, so one epoch of a full
    batch does; both gradients of a pair are of one batch.

    Nocedal and Wright 2006, algorithms 7.4 and 7.5, equation 7.20. As torch.optim.LBFGS with a line search, whose
    ``max_iter`` and ``history_size`` are ``iterations`` and ``memory``; its searches, SciPy's and Optax's meet the strong
    Wolfe conditions, so that paths differ and minima agree. As near the minimum as float32 allows: about 1e-7 of the loss.

    Args:
        lr: length of the step tried first; 1 is Newton's own.
        memory: pairs to keep.
        iterations: steps in an update.
        tries: most evaluations in a line search.
        decrease: share of the promised decrease that a step must keep.
        curvature: share of the slope that may be left after a step.
        tolerance: ends the update where no number of the gradient is larger.

    Raises:
        InputError: from ``update``, which has gradients alone; use ``minimize``.
    """

    formula: ClassVar[str] = "p = p - t H g; H from the last steps and changes of g, t by line search"
    source: ClassVar[str] = "Nocedal 1980; Liu and Nocedal 1989; line search: Lewis and Overton 2013"
    choose: ClassVar[str] = "Small data that fits in one batch: to the minimum without a learning rate to set."

    lr: float | Schedule = number(default=1.0, scale="log", search=(0.1, 1.0), also=Schedule)
    _: KW_ONLY
    memory: int = option(default=10, kinds=int, range="[1, inf)")
    iterations: int = option(default=20, kinds=int, range="[1, inf)")
    tries: int = option(default=25, kinds=int, range="[1, inf)")
    decrease: float = number(default=1e-4, range="(0, 0.5)", scale="log")
    curvature: float = number(default=0.9, range="(0, 1)")
    tolerance: float = number(default=1e-7, range="[0, inf)", scale="log")

    @property
    def needs(self) -> Needs:
        return "objective"

    def init(self, params: Tree) -> Memory:
        flat, _ = ravel_pytree(params)
        pairs = jnp.zeros((self.memory, flat.size), flat.dtype)
        # Copies: two names for one buffer could not both be donated to a compiled program.
        return {"steps": pairs, "changes": pairs + 0, "products": jnp.zeros(self.memory, flat.dtype)}

    def update(self, grads: Tree, state: Memory, params: Tree, step: Any) -> tuple[Tree, Memory]:
        raise InputError("LBFGS needs the objective, not its gradient alone; call minimize")

    def minimize(self, objective: Objective, params: Tree, state: Memory, step: Any) -> tuple[Tree, Memory, Any]:
        flat, unravel = ravel_pytree(params)

        def evaluated(x: jax.Array) -> tuple[Place, Any]:
            (value, aux), grad = jax.value_and_grad(lambda x: objective(unravel(x)), has_aux=True)(x)
            return Place(x, value, grad), aux

        def body(carry: Any) -> Any:
            index, place, memory, _ = carry
            after, memory, moved = self._advance(lambda x: evaluated(x)[0], place, memory, self.rate(step))
            return index + 1, after, memory, moved

        def going(carry: Any) -> Any:
            index, place, _, moved = carry
            return moved & (index < self.iterations) & (jnp.abs(place.grad).max(initial=0.0) > self.tolerance)

        place, aux = evaluated(flat)
        _, place, state, _ = jax.lax.while_loop(going, body, (jnp.int32(0), place, state, jnp.bool_(True)))
        return unravel(place.params), state, aux

    def _advance(self, evaluate: Any, place: Place, memory: Memory, lr: Any) -> tuple[Place, Memory, Any]:
        """One step; whether it, or another one without memory, may move."""
        direction = -_newton(memory, place.grad)
        informed = memory["products"][-1] > 0
        # Without memory the direction has the size of the gradient, which says nothing of the distance.
        size = jnp.sqrt(dot(place.grad, place.grad))
        length = lr * jnp.where(informed, 1.0, 1.0 / jnp.maximum(size, 1.0))
        limits = {"tries": self.tries, "decrease": self.decrease, "curvature": self.curvature}
        after, found = search(evaluate, place, direction, length, **limits)
        moved = found > 0
        memory = jax.tree.map(lambda new: jnp.where(moved, new, 0.0), _remember(memory, place, after))
        return after, memory, moved | informed


def _newton(memory: Memory, grad: jax.Array) -> jax.Array:
    """H g by the two-loop recursion; pairs whose product is 0 are empty."""
    pairs = (memory["steps"], memory["changes"], memory["products"])

    def backward(q: jax.Array, pair: Any) -> tuple[jax.Array, jax.Array]:
        s, y, product = pair
        weight = jnp.where(product > 0, dot(s, q) / jnp.where(product > 0, product, 1.0), 0.0)
        return q - weight * y, weight

    def forward(r: jax.Array, each: Any) -> tuple[jax.Array, None]:
        (s, y, product), weight = each
        found = dot(y, r) / jnp.where(product > 0, product, 1.0)
        return r + jnp.where(product > 0, weight - found, 0.0) * s, None

    q, weights = jax.lax.scan(backward, grad, pairs, reverse=True)
    last, product = memory["changes"][-1], memory["products"][-1]
    scale = jnp.where(product > 0, product / jnp.where(product > 0, dot(last, last), 1.0), 1.0)
    return jax.lax.scan(forward, scale * q, (pairs, weights))[0]


def _remember(memory: Memory, before: Place, after: Place) -> Memory:
    """The pair of a step in place of the oldest one, where its curvature is positive beyond rounding."""
    s, y = after.params - before.params, after.grad - before.grad
    product = dot(s, y)
    good = product > jnp.finfo(s.dtype).eps * jnp.sqrt(dot(s, s) * dot(y, y))
    new = {"steps": s, "changes": y, "products": product}
    rolled = {name: jnp.concatenate([memory[name][1:], new[name][None]]) for name in memory}
    return jax.tree.map(lambda a, b: jnp.where(good, a, b), rolled, memory)
