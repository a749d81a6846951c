"""Outputs of a trained network for any number of rows."""

from functools import partial
from typing import Any

import jax
import numpy as np

from kilter.nn.layer import Layer
from kilter.train import step

# Rows beyond this go through in pieces; below it, in the next power of two, so that few shapes are compiled.
_PIECE = 1024


@jax.jit
def _outputs(net: Layer, params: Any, state: Any, x: jax.Array) -> jax.Array:
    return step.outputs(net, params, state, x, block=_PIECE)


def outputs(net: Layer, params: Any, state: Any, x: Any) -> Any:
    """Outputs ``(rows, k)`` of preprocessed inputs, on the host."""
    run = partial(_piece, net, params, state)
    return np.concatenate([run(x[start : start + _PIECE]) for start in range(0, len(x), _PIECE)])


def _piece(net: Layer, params: Any, state: Any, x: Any) -> Any:
    size = 1 << (len(x) - 1).bit_length()
    padded = np.concatenate([x, np.zeros((size - len(x), *x.shape[1:]), x.dtype)])
    return np.asarray(_outputs(net, params, state, padded))[: len(x)]
