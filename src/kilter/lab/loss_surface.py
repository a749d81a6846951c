"""The loss along its gradient, with and without batch norm."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter import losses, nn
from kilter.data.dataset import Part
from kilter.lab.experiment import Row
from kilter.lab.shades import hue
from kilter.lab.ticks import plain_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray[Any, Any]
Surface = tuple[Array, Array]
# Lengths of the looked-at steps, in units of that which is taken (Santurkar et al. take up to 4 times).
_STEPS = np.geomspace(0.5, 4, 6)


def surface(net: nn.Chain, rows: Part, lr: float, updates: int, seed: int) -> Surface:
    """Lowest and highest loss along the gradient at each update of gradient descent on all rows."""
    key, x, y = jax.random.key(seed), jnp.asarray(rows.x), jnp.asarray(rows.y)

    def loss(params: Any, state: Any) -> jax.Array:
        return losses.SoftmaxCrossEntropy()(net.apply(params, state, x, key=key)[0], y).mean()

    @jax.jit
    def walk() -> tuple[jax.Array, jax.Array]:
        params, state = net.init(key, x.shape[1:])

        def update(params: Any, _: Any) -> tuple[Any, tuple[jax.Array, jax.Array]]:
            gradient = jax.grad(loss)(params, state)
            moved = jax.lax.map(lambda step: loss(_moved(params, gradient, lr * step), state), jnp.asarray(_STEPS))
            return _moved(params, gradient, lr), (moved.min(), moved.max())

        return jax.lax.scan(update, params, length=updates)[1]

    low, high = walk()
    return np.asarray(low), np.asarray(high)


def _moved(params: Any, gradient: Any, step: Any) -> Any:
    return jax.tree.map(lambda p, g: p - step * g, params, gradient)


def table(surfaces: dict[str, Surface]) -> list[Row]:
    """A row a network and update."""
    return [
        {"network": form, "update": update, "lowest": float(low), "highest": float(high)}
        for form, both in surfaces.items()
        for update, (low, high) in enumerate(zip(*both, strict=True))
    ]


def draw_surfaces(axes: "Axes", surfaces: dict[str, Surface]) -> None:
    """From the lowest to the highest, over the updates."""
    for place, (form, (low, high)) in enumerate(surfaces.items()):
        updates = np.arange(1, len(low) + 1)
        axes.fill_between(updates, low, high, color=hue(place), alpha=0.5, linewidth=0, label=form)
    axes.set(xlabel="update", ylabel="loss along the gradient, lowest to highest, nats")
    plain_log(axes)
    axes.set_title(f"steps {_STEPS[0]:g} to {_STEPS[-1]:g} times lr, He weights", fontsize=10)
    axes.legend(frameon=False)
