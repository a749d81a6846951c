"""What a trained network makes of any number of rows."""

from functools import partial
from typing import Any

import jax
import numpy as np

from kilter.losses import Loss
from kilter.nn.layer import Layer
from kilter.train import step

# Rows go through in pieces of at most this many; the last piece is padded to a power of two, so few shapes are compiled.
_PIECE = 1024


@partial(jax.jit, static_argnames=("classes",))
def _forward(net: Layer, loss: Loss, params: Any, state: Any, x: jax.Array, y: Any, classes: bool) -> tuple[Any, Any]:
    outputs = step.outputs(net, params, state, x, block=_PIECE)
    return loss.read(outputs, classes), None if y is None else loss(outputs, y)


def predictions(net: Layer, loss: Loss, weights: tuple[Any, Any], x: Any, y: Any, classes: bool) -> tuple[Any, Any]:
    """Predictions ``(rows, k)`` as the loss reads them, and the loss of each row where targets ``y`` are given.

    Args:
        net: the network.
        loss: that it was trained on.
        weights: parameters and state.
        x: preprocessed inputs ``(rows, *shape)``.
        y: encoded and scaled targets, or None.
        classes: whether predictions are probabilities of classes.
    """
    size = piece_size(len(x))
    pieces = [
        _forward(net, loss, *weights, _padded(x, start, size), None if y is None else _padded(y, start, size), classes)
        for start in range(0, len(x), size)
    ]
    read, losses = zip(*pieces, strict=True)
    return _joined(read, len(x)), None if y is None else _joined(losses, len(x))


def piece_size(rows: int) -> int:
    """Rows that go through at once: a power of two."""
    return min(_PIECE, 1 << (rows - 1).bit_length())


def _padded(rows: Any, start: int, size: int) -> Any:
    part = rows[start : start + size]
    missing = size - len(part)
    return np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)]) if missing else part


def _joined(pieces: Any, rows: int) -> Any:
    return np.concatenate([np.asarray(piece) for piece in pieces])[:rows]
