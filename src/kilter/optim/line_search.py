"""How far to go along a direction: a search for a step that lowers the loss enough and leaves the steep part behind."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

# A GPU would round the factors to ten bits.
dot = partial(jnp.dot, precision="highest")


class Place(NamedTuple):
    """A point, all its parameters in one array, with value and gradient of the objective there."""

    params: jax.Array
    value: jax.Array
    grad: jax.Array


class _Search(NamedTuple):
    """The bracket ``low`` to ``high``, the next length to try, and the best place so far, which is at ``low``."""

    low: Any
    high: Any
    length: Any
    tried: Any
    done: Any
    place: Place


def search(
    evaluate: Callable[[jax.Array], Place],
    start: Place,
    direction: jax.Array,
    length: Any,
    *,
    tries: int,
    decrease: Any,
    curvature: Any,
) -> tuple[Place, Any]:
    """A length t that meets the weak Wolfe conditions; with f(t) the value at ``start + t direction``:

    f(t) <= f(0) + decrease t f'(0) and f'(t) >= curvature f'(0).

    Doubles t until the bracket closes, then halves it: Lewis and Overton 2013, algorithm 2.6, which also ends where the
    gradient jumps (ReLU). Where f(t) equals f(0) up to rounding, the first condition is read from the slopes, f'(t) <=
    (2 decrease - 1) f'(0): Hager and Zhang 2005, equation 4.1. Without it float32 would end far from the minimum.

    Args:
        evaluate: parameters to a place.
        start: where to begin.
        direction: along which the slope must be negative.
        length: tried first.
        tries: most evaluations.
        decrease: share of the slope's promise that f must keep; below a half.
        curvature: share of the slope that may be left; between ``decrease`` and 1.

    Returns:
        The place found and its length; ``start`` and 0 where nothing lowered f.
    """
    slope = dot(start.grad, direction)
    rounding = 4 * jnp.finfo(start.value.dtype).eps * jnp.abs(start.value)

    def lowers(t: Any, place: Place, ahead: Any) -> Any:
        surely = place.value <= start.value + decrease * t * slope
        nearly = (place.value <= start.value + rounding) & (ahead <= (2 * decrease - 1) * slope)
        return (surely | nearly) & jnp.isfinite(ahead)

    def going(now: _Search) -> Any:
        return ~now.done & (now.tried < tries)

    def body(now: _Search) -> _Search:
        t = now.length
        place = evaluate(start.params + t * direction)
        ahead = dot(place.grad, direction)
        good = lowers(t, place, ahead)
        low, high = jnp.where(good, t, now.low), jnp.where(good, now.high, t)
        best = jax.tree.map(lambda new, old: jnp.where(good, new, old), place, now.place)
        further = jnp.where(jnp.isfinite(high), (low + high) / 2, 2 * t)
        return _Search(low, high, further, now.tried + 1, good & (ahead >= curvature * slope), best)

    zero = jnp.zeros_like(start.value)
    first = _Search(zero, zero + jnp.inf, zero + length, jnp.int32(0), jnp.bool_(False), start)
    found = jax.lax.while_loop(going, body, first)
    return found.place, found.low
