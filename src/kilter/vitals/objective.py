"""The mean loss of a network on some rows as a function of its parameters."""

from typing import Any

import jax

from kilter.losses import Loss, Penalty
from kilter.nn.layer import Layer, State
from kilter.optim.objective import Objective
from kilter.vitals.taps import through


def objective(
    net: Layer,
    loss: Loss,
    state: State,
    x: Any,
    y: Any,
    weights: Any,
    key: jax.Array | None,
    *,
    draws: bool = True,
    penalty: Penalty | None = None,
) -> Objective:
    """What training makes small on these rows: sum of weighted losses over the number of rows, and the penalty."""
    return Objective(
        lambda params: through(net, params, state, x, key, draws),
        lambda outputs: mean(loss, outputs, y, weights),
        penalty,
    )


def mean(loss: Loss, outputs: Any, y: Any, weights: Any) -> Any:
    """Sum of weighted losses over the number of rows; weights are 1 on average."""
    losses = loss(outputs, y)
    return (losses if weights is None else losses * weights).sum() / len(losses)
