"""Functions of two numbers on which optimizers show their ways."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.optim.optimizer import Optimizer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Landscape:
    """A function of (x, y).

    Attributes:
        name: of it, with its formula.
        start: where optimizers begin.
        least: its least value.
        minima: where that is.
        window: shown, (left, right, bottom, top).
    """

    name: str
    start: tuple[float, float]
    least: float
    minima: tuple[tuple[float, float], ...]
    window: tuple[float, float, float, float]


LANDSCAPES = {
    "valley": Landscape("Valley x²/20 + y²", (-7.0, 2.0), 0.0, ((0.0, 0.0),), (-8.0, 4.0, -3.0, 3.0)),
    "rosenbrock": Landscape(
        "Rosenbrock (1 - x)² + 100 (y - x²)²", (-1.2, 1.0), 0.0, ((1.0, 1.0),), (-1.8, 1.6, -0.5, 2.0)
    ),
    "saddle": Landscape(
        "Saddle x²/2 - y²/2 + y⁴/4", (-1.5, 0.01), -0.25, ((0.0, -1.0), (0.0, 1.0)), (-2.0, 1.4, -1.3, 1.9)
    ),
}


def heights(place: Any) -> Any:
    """The values of all landscapes at places ``(2, ...)``, in the order of `LANDSCAPES`: ``(3, ...)``."""
    x, y = place
    return jnp.stack([x**2 / 20 + y**2, (1 - x) ** 2 + 100 * (y - x**2) ** 2, x**2 / 2 - y**2 / 2 + y**4 / 4])


def paths(optimizers: list[Optimizer], steps: int) -> Array:
    """Ways of optimizers of one kind over all landscapes, ``(optimizers, landscapes, steps + 1, 2)``."""
    starts = jnp.array([each.start for each in LANDSCAPES.values()])
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *optimizers)

    def walk(optimizer: Any, which: Any, start: Any) -> Any:
        def step(carry: Any, number: Any) -> tuple[Any, Any]:
            place, state = carry
            gradient = jax.grad(lambda p: heights(p)[which])(place)
            place, state = optimizer.update(gradient, state, place, number)
            return (place, state), place

        return jnp.concatenate([start[None], jax.lax.scan(step, (start, optimizer.init(start)), jnp.arange(steps))[1]])

    all_landscapes = jax.vmap(walk, (None, 0, 0))
    found = jax.jit(jax.vmap(all_landscapes, (0, None, None)))(stacked, jnp.arange(len(starts)), starts)
    return np.asarray(found, float)


def gaps(paths: Array) -> Array:
    """How far places ``(..., landscapes, steps + 1, 2)`` are above the least value; infinite where that is no number."""
    with np.errstate(all="ignore"):
        every = np.asarray(heights(np.moveaxis(paths, -1, 0)))
    own = np.stack([every[which, ..., which, :] for which in range(len(LANDSCAPES))], -2)
    least = np.array([each.least for each in LANDSCAPES.values()])[:, None]
    return np.where(np.isfinite(own), own - least, np.inf)
