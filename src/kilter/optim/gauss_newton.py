"""Gauss-Newton with damping: Levenberg and Marquardt's method for squared error, and for any convex loss of the outputs."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from kilter.core import trees
from kilter.core.alone import alone
from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.optim.objective import Objective
from kilter.optim.optimizer import Needs, Optimizer, Tree


class _Model(NamedTuple):
    """The loss near the parameters: its value, gradient and Gauss-Newton matrix, parameters in one array."""

    flat: jax.Array
    value: jax.Array
    grad: jax.Array
    matrix: jax.Array


class _Trial(NamedTuple):
    flat: jax.Array
    damping: Any
    growth: Any  # of the damping, at the next refusal
    tried: Any
    accepted: Any


class GaussNewton(Optimizer):
    """p = p - (J^T H J + m I)^-1 g: J of the outputs in the parameters, H of the loss in the outputs, m the damping.

    For squared error the Levenberg-Marquardt method, J^T J scaled as the loss; cross-entropy and every other loss that is
    convex in the outputs fare as well. m starts at ``damping`` times the largest number on the diagonal and follows the
    gain ratio r = actual / promised decrease: a trial with r > 0 is taken and m = m max(1/3, 1 - (2 r - 1)^3); otherwise m
    grows by 2, 4, 8, ... and the same matrix is solved anew. Where no trial lowers the loss, nothing changes; a promise
    smaller than the rounding of the loss is believed.

    For full batches: set the recipe's ``batch_size`` to the number of rows or more, leave dropout out. An update costs as
    many passes as there are parameters or outputs, whichever are fewer, a matrix of parameters squared, and its Cholesky
    decomposition. It has no learning rate; the history shows 1.

    Levenberg 1944; Marquardt 1963; damping: Nielsen 1999, as in Madsen et al. 2004, algorithm 3.16; with H: Schraudolph
    2002. SciPy's least_squares(method="lm") is MINPACK's, whose damping is by a trust region.

    Args:
        damping: first damping over the largest number on the diagonal; larger where the start is far from a minimum.
        tries: most dampings tried in an update.
        limit: most parameters; more are refused.

    Raises:
        InputError: from ``init``, the net has more parameters than ``limit``; from ``update``, which has gradients alone.
    """

    formula: ClassVar[str] = "p = p - (J^T H J + m I)^-1 g; m adapted by the gain ratio"
    source: ClassVar[str] = "Marquardt 1963; Nielsen 1999; Madsen et al. 2004; Schraudolph 2002"
    choose: ClassVar[str] = "Curve fits and nets of up to some hundred weights: to the minimum in tens of updates."

    damping: float = number(default=1e-3, range="(0, inf)", scale="log", search=(1e-6, 1.0))
    tries: int = option(default=10, kinds=int, range="[1, inf)")
    limit: int = option(default=2000, kinds=int, range="[1, inf)", unit="parameters")

    @property
    def needs(self) -> Needs:
        return "objective"

    def rate(self, step: Any) -> Any:
        """Always 1: the step is Newton's own."""
        return 1.0

    def init(self, params: Tree) -> Tree:
        count = trees.size(params)
        if count > self.limit:
            raise InputError(
                f"{self!r}: its matrix has the square of {count:,} parameters, more than limit={self.limit:,}; "
                "use optim.LBFGS, or raise limit if memory and time allow"
            )
        flat, _ = ravel_pytree(params)
        # 0 says that the first matrix has not been seen.
        return jnp.zeros((), flat.dtype)

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        raise InputError("GaussNewton needs the objective, not its gradient alone; call minimize")

    def minimize(self, objective: Objective, params: Tree, state: Tree, step: Any) -> tuple[Tree, Tree, Any]:
        flat, unravel = ravel_pytree(params)
        model, aux = _model(objective, flat, unravel)
        largest = jnp.diagonal(model.matrix).max(initial=0.0)
        started = jnp.where(state > 0, state, self.damping * largest)
        # Less would be lost in rounding, more is needed where the diagonal is zero.
        least = jnp.finfo(flat.dtype).eps * jnp.maximum(largest, jnp.finfo(flat.dtype).eps)
        first = _Trial(flat, jnp.maximum(started, least), jnp.full_like(largest, 2.0), jnp.int32(0), jnp.bool_(False))

        def going(now: _Trial) -> Any:
            return ~now.accepted & (now.tried < self.tries) & (model.grad != 0).any()

        def body(now: _Trial) -> _Trial:
            return _tried(model, now, lambda x: objective(unravel(x))[0])

        last = jax.lax.while_loop(going, body, first)
        return unravel(last.flat), jnp.where(last.accepted, last.damping, state), aux


def _model(objective: Objective, flat: jax.Array, unravel: Any) -> tuple[_Model, Any]:
    outputs, pull, state = jax.vjp(lambda x: objective.outputs(unravel(x)), flat, has_aux=True)
    loss, slope = jax.value_and_grad(objective.loss)(outputs)

    def curved(column: jax.Array) -> jax.Array:
        return jax.jvp(jax.grad(objective.loss), (outputs,), (column,))[1]

    columns = _columns(outputs, pull, flat)
    bent = jax.vmap(curved)(columns)
    matrix = jnp.dot(columns.reshape(flat.size, -1), bent.reshape(flat.size, -1).T, precision="highest")
    value, grad = loss, pull(slope)[0]
    penalty = objective.penalty
    if penalty is not None:

        def held(x: jax.Array) -> Any:
            return penalty(unravel(x))

        value, grad, matrix = value + held(flat), grad + jax.grad(held)(flat), matrix + jax.hessian(held)(flat)
    return _Model(flat, value, grad, matrix), (loss, state)


def _columns(outputs: jax.Array, pull: Any, flat: jax.Array) -> jax.Array:
    """The outputs' derivatives, one row a parameter, by the fewer passes."""
    if outputs.size < flat.size:
        basis = jnp.eye(outputs.size, dtype=outputs.dtype).reshape(-1, *outputs.shape)
        rows = jax.vmap(lambda each: pull(each)[0])(basis)
        return rows.T.reshape(flat.size, *outputs.shape)
    # Forward derivatives as the transpose of backward ones: convolutions have a rule for the latter alone.
    push = jax.linear_transpose(pull, outputs)
    return jax.vmap(lambda each: push((each,))[0])(jnp.eye(flat.size, dtype=flat.dtype))


@alone
def _solved(matrix: jax.Array, right: jax.Array) -> jax.Array:
    return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), right)


def _tried(model: _Model, now: _Trial, evaluate: Any) -> _Trial:
    """One trial step; a matrix that is not positive definite gives NaN, which is no gain."""
    damped = model.matrix + now.damping * jnp.eye(model.flat.size, dtype=model.flat.dtype)
    step = -_solved(damped, model.grad)
    promised = 0.5 * step @ (now.damping * step - model.grad)
    gained = model.value - evaluate(model.flat + step)
    # What is promised below the rounding of the loss cannot show in it; the gradient is still good there.
    rounding = 4 * jnp.finfo(model.flat.dtype).eps * jnp.abs(model.value)
    trusted = (promised <= rounding) & (jnp.abs(gained) <= rounding)
    ratio = jnp.where(trusted, 1.0, gained / promised)
    accepted = ratio > 0
    return _Trial(
        jnp.where(accepted, model.flat + step, model.flat),
        now.damping * jnp.where(accepted, jnp.maximum(1 / 3, 1 - (2 * ratio - 1) ** 3), now.growth),
        jnp.where(accepted, 2.0, 2 * now.growth),
        now.tried + 1,
        accepted,
    )
