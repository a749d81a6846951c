"""What a trained network makes of any number of rows."""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from kilter.losses import Loss
from kilter.nn.layer import Layer
from kilter.train import step

# Rows go through in pieces of at most this many; the last piece is padded to a power of two, so few shapes are compiled.
_PIECE = 1024


class Told(NamedTuple):
    """What a network says of rows.

    Attributes:
        read: predictions ``(rows, k)`` as the loss reads them.
        noise: variance of the targets around them, where the loss learns one, else None.
        losses: loss of each row, where targets were given, else None.
    """

    read: Any
    noise: Any
    losses: Any


@partial(jax.jit, static_argnames=("classes",))
def _forward(net: Layer, loss: Loss, params: Any, state: Any, x: jax.Array, y: Any, key: Any, classes: bool) -> Told:
    def drawn(row: jax.Array) -> jax.Array:
        return net.apply(params, state, row[None], key=key)[0][0]

    outputs = step.outputs(net, params, state, x, block=_PIECE) if key is None else jax.vmap(drawn)(x)
    return Told(loss.read(outputs, classes), loss.noise(outputs), None if y is None else loss(outputs, y))


def predictions(
    net: Layer, loss: Loss, weights: tuple[Any, Any], x: Any, y: Any, classes: bool, key: Any = None
) -> Told:
    """What the network says of each row.

    Args:
        net: the network.
        loss: that it was trained on.
        weights: parameters and state.
        x: preprocessed inputs ``(rows, *shape)``.
        y: encoded and scaled targets, or None.
        classes: whether predictions are probabilities of classes.
        key: for dropout, the same for each row, so that all rows meet one thinned network; None means inference.
    """
    size = piece_size(len(x))
    pieces = [
        _forward(
            net, loss, *weights, _padded(x, start, size), None if y is None else _padded(y, start, size), key, classes
        )
        for start in range(0, len(x), size)
    ]
    return Told(*(_joined(part, len(x)) for part in zip(*pieces, strict=True)))


def piece_size(rows: int) -> int:
    """Rows that go through at once: a power of two."""
    return min(_PIECE, 1 << (rows - 1).bit_length())


def _padded(rows: Any, start: int, size: int) -> Any:
    part = rows[start : start + size]
    missing = size - len(part)
    return np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)]) if missing else part


def _joined(pieces: Any, rows: int) -> Any:
    return None if pieces[0] is None else np.concatenate([np.asarray(piece) for piece in pieces])[:rows]
