"""Draws adagrad.png: under gradients of one size AdaGrad's steps shrink to nothing, RMSProp's do not."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from kilter import optim

UPDATES = 10_000
OPTIMIZERS = {
    "AdaGrad(0.1): lr / sqrt(t)": (optim.AdaGrad(0.1), "#d93025"),
    "RMSProp(0.1): its mean square forgets": (optim.RMSProp(0.1), "#1a73e8"),
}


def steps(optimizer: optim.Optimizer) -> np.ndarray[Any, Any]:
    """Length of each update under a gradient that is always 1."""

    def body(carry: Any, step: Any) -> tuple[Any, Any]:
        params, state = optimizer.update(jnp.ones(()), carry[1], carry[0], step)
        # From 0 again, so that the length is not rounded away beside a large parameter.
        return (carry[0], state), jnp.abs(params)

    start = jnp.zeros(())
    return np.asarray(jax.lax.scan(body, (start, optimizer.init(start)), jnp.arange(UPDATES))[1])


def draw() -> Figure:
    """The figure."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for label, (optimizer, color) in OPTIMIZERS.items():
        axes.plot(np.arange(1, UPDATES + 1), steps(optimizer), color=color, label=label, linewidth=1.8)
    axes.set(xscale="log", yscale="log", xlabel="update", ylabel="length of the step under a gradient of 1")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    draw().savefig(Path(__file__).with_suffix(".png"), dpi=120)
