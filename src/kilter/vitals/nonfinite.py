"""Where the first NaN or infinity came from: the step, forward or backward, and the layer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from kilter.losses import Loss, Penalty
from kilter.nn.layer import Layer
from kilter.vitals.objective import mean
from kilter.vitals.taps import blank, names, sites, tapped

Direction = Literal["forward", "backward", "update"]
# From (parameters, state, moments), rows (x, y, weights), a key and the number of updates before to the same after the
# update, and its loss.
Step = Callable[[Any, Any, Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class NonFinite:
    """The first number that was not finite.

    Attributes:
        step: the update in which it arose, counted from the first of the batches given.
        direction: ``"forward"``: among the outputs of a layer, or in the loss; ``"backward"``: among what was propagated
            back to a layer's outputs, or in the gradient of a parameter; ``"update"``: in what the optimizer made of it.
        place: path of the layer or parameter in the network; ``"inputs"`` for the rows, ``"loss"`` where the loss, with the
            penalty, was the first.
        kind: ``"NaN"`` or ``"Inf"``; where both came at once, ``"NaN"``.
    """

    step: int
    direction: Direction
    place: str
    kind: Literal["NaN", "Inf"]

    def __str__(self) -> str:
        return f"{self.kind} in {self.place or 'the network'}, {self.direction}, in update {self.step + 1}"


def first_nonfinite(
    net: Layer,
    loss: Loss,
    step: Step,
    learner: Any,
    batches: Any,
    keys: Any,
    *,
    first: int = 0,
    penalty: Penalty | None = None,
) -> NonFinite | None:
    """Replay the updates of an epoch and say where the first number arose that is not finite; None where none did.

    The updates run as they did, in one program, up to the one in which parameters, state or loss were no longer finite;
    that one is then looked at layer by layer. No operation is checked while training, so that training costs nothing.

    Args:
        net: the network.
        loss: of one example.
        step: one update: from (parameters, state, moments), (x, y, weights), its key and the number of updates before it
            to the first three after it, and the loss.
        learner: parameters, state and moments before the first update.
        batches: x ``(steps, batch, *shape)``, y and weights of all updates; weights may be None.
        keys: of the updates, ``(steps,)``.
        first: number of updates before the first of these.
        penalty: on the weights.
    """
    steps = len(batches[0])
    found, before = _replayed(step, learner, batches, keys, first)
    if int(found) == steps:
        return None
    rows, key = jax.tree.map(lambda leaf: leaf[int(found)], (batches, keys))
    after, value = jax.jit(step)(before, rows, key, first + int(found))
    places, kinds = _looked(net, loss, penalty, before, rows, key, after)
    for (direction, place), (nan, inf) in zip(places, jax.device_get(kinds), strict=True):
        if nan or inf:
            return NonFinite(int(found), direction, place, "NaN" if nan else "Inf")
    # All is finite for the rows as they are: it came with what the step makes of them, such as mixing them.
    return NonFinite(int(found), "forward", "loss", "NaN" if bool(jnp.isnan(value)) else "Inf")


@partial(jax.jit, static_argnames=("step",))
def _replayed(step: Step, learner: Any, batches: Any, keys: Any, first: Any) -> tuple[jax.Array, Any]:
    """The first update that is not finite, or the number of updates; and the learner before it."""
    steps = len(batches[0])

    def going(carry: Any) -> jax.Array:
        index, _, fine = carry
        return fine & (index < steps)

    def body(carry: Any) -> Any:
        index, learner, _ = carry
        rows, key = jax.tree.map(lambda leaf: leaf[index], (batches, keys))
        after, value = step(learner, rows, key, first + index)
        fine = jnp.isfinite(value).all()
        for leaf in jax.tree.leaves(after[:2]):
            fine &= jnp.isfinite(leaf).all()
        return index + fine, jax.tree.map(lambda new, old: jnp.where(fine, new, old), after, learner), fine

    index, learner, _ = jax.lax.while_loop(going, body, (jnp.int32(0), tuple(learner), jnp.bool_(True)))
    return index, learner


def _looked(
    net: Layer, loss: Loss, penalty: Penalty | None, learner: Any, rows: Any, key: Any, after: Any
) -> tuple[list[tuple[Direction, str]], jax.Array]:
    """All places in the order in which an update comes to them, and whether there is a NaN or an infinity at each."""
    params, state, _ = learner
    x, y, weights = rows
    found = sites(net, params, state, x)
    arrays = list(names(net, params, state, x.shape[1:]))
    behind = [site.place for site in found]
    places = _at("forward", ["inputs", *behind, "loss"])
    places += _at("backward", [site.place for site in reversed(found) if site.real] + arrays)
    places += _at("update", [*arrays, "state"])

    def total(params: Any, added: Any) -> tuple[Any, Any]:
        outputs, held = tapped(net, params, state, x, key, True, found, added)
        value = mean(loss, outputs, y, weights)
        return value if penalty is None else value + penalty(params), [y for _, y in held]

    @jax.jit
    def kinds(params: Any) -> jax.Array:
        (value, outputs), (grads, back) = jax.value_and_grad(total, (0, 1), has_aux=True)(params, blank(found))
        signals = [gradient for gradient in reversed(back) if gradient is not None]
        arrays = [x, *outputs, value, *signals, *jax.tree.leaves(grads), *jax.tree.leaves(after[0])]
        state = jnp.array([_kind(leaf) for leaf in jax.tree.leaves(after[1])], bool).reshape(-1, 2).any(0)
        return jnp.stack([*map(_kind, arrays), state])

    return places, kinds(params)


def _at(direction: Direction, places: list[str]) -> list[tuple[Direction, str]]:
    return [(direction, place) for place in places]


def _kind(array: Any) -> jax.Array:
    """Whether there is a NaN, and whether there is an infinity."""
    return jnp.stack([jnp.isnan(array).any(), jnp.isinf(array).any()])
