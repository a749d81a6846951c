"""How far the moving statistics of batch norms are from those of the population."""

from typing import Any, NamedTuple

import jax
import numpy as np

from kilter.nn.layer import Layer, Params, State
from kilter.nn.norm import BatchNorm
from kilter.nn.populations import exact_statistics


class Drift(NamedTuple):
    """The distance of one norm's moving averages from the moments of all rows.

    Attributes:
        mean: root mean square over the features of (moving mean - mean) / sd, with sd = sqrt(var + epsilon): in standard
            deviations of the population.
        scale: root mean square over the features of ln(moving sd / sd): 0.7 is a factor of two, either way.
    """

    mean: float
    scale: float


def drifts(net: Layer, params: Params, state: State, x: Any, batch: int = 1024) -> dict[str, Drift]:
    """The drift of every batch norm of a network, by its path in the network; empty where it has none.

    At inference a norm uses the averages over the last batches of training; where these are far from the moments of the
    rows, the network is another than the one that was trained. The population's moments are those of `nn.exact_statistics`.

    Args:
        net: the network.
        params: as trained.
        state: as trained.
        x: rows ``(rows, *shape)``, best all training rows.
        batch: rows that go through at once.

    Raises:
        InputError: fewer than two rows.
    """
    moving = _statistics(net, params, state, x)
    if not moving:
        return {}
    exact = _statistics(net, params, exact_statistics(net, params, state, x, batch), x)
    return {place: _drift(norm, own, exact[place][1]) for place, (norm, own) in moving.items()}


def _statistics(net: Layer, params: Params, state: State, x: Any) -> dict[str, tuple[BatchNorm, State]]:
    """Batch norms and their states by place; what goes from layer to layer is shapes alone."""
    found: dict[str, tuple[BatchNorm, State]] = {}

    def look(layer: Layer, params: Params, state: State, x: Any, key: Any, place: str) -> Any:
        if isinstance(layer, BatchNorm):
            found[place] = layer, state
        y, _ = jax.eval_shape(layer.apply, params, state, x)
        return params, state, np.zeros(y.shape, y.dtype)

    net.visit(look, params, state, np.zeros_like(x[:2]))
    return found


def _drift(norm: BatchNorm, moving: State, exact: State) -> Drift:
    sd = np.sqrt(np.asarray(exact["var"], np.float64) + float(norm.epsilon))
    own = np.sqrt(np.asarray(moving["var"], np.float64) + float(norm.epsilon))
    away = (np.asarray(moving["mean"], np.float64) - np.asarray(exact["mean"], np.float64)) / sd
    return Drift(_rms(away), _rms(np.log(own / sd)))


def _rms(values: Any) -> float:
    return float(np.sqrt(np.square(values).mean()))
