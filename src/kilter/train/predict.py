"""What a trained network makes of any number of rows."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from kilter.core.compiling import ANSWERING
from kilter.core.pages import Pages
from kilter.losses import Loss
from kilter.nn.layer import Layer
from kilter.train import step

# Rows that go through the network at once, and blocks of them in one call. What is left of a block is padded to a power of
# two. So few shapes are compiled.
_BLOCK, _BLOCKS = 1024, 32
_STRUCTURES = 64
# Most bytes of a piece whose pages are kept.
_KEPT = 1 << 24
_pages = Pages()


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


class Form(NamedTuple):
    """A network that is ready for any number of calls: its numbers on the device, and the program that takes them.

    Attributes:
        numbers: of network, loss, parameters and state.
        program: of their structure.
    """

    numbers: list[jax.Array]
    program: Callable[..., Told]

    @classmethod
    def of(cls, net: Layer, loss: Loss, params: Any, state: Any, classes: bool) -> "Form":
        """Made ready; with ``classes``, predictions are probabilities of these."""
        numbers, structure = jax.tree.flatten((net, loss, params, state))
        return cls(jax.device_put(numbers), _program(structure, classes))


@lru_cache(_STRUCTURES)
def _program(structure: Any, classes: bool) -> Callable[..., Told]:
    def forward(numbers: list[jax.Array], x: jax.Array, y: jax.Array | None, key: jax.Array | None) -> Told:
        net, loss, params, state = structure.unflatten(numbers)

        def drawn(row: jax.Array) -> jax.Array:
            return net.apply(params, state, row[None], key=key)[0][0]

        outputs = step.outputs(net, params, state, x, block=_BLOCK) if key is None else jax.vmap(drawn)(x)
        return Told(loss.read(outputs, classes), loss.noise(outputs), None if y is None else loss(outputs, y))

    return jax.jit(forward, compiler_options=ANSWERING)


def predictions(form: Form, x: Any, y: Any = None, key: Any = None) -> Told:
    """What a network says of each row.

    Args:
        form: of the network.
        x: preprocessed inputs ``(rows, *shape)``.
        y: encoded and scaled targets, or None.
        key: for dropout, the same for each row, so that all rows meet one thinned network; None means inference.
    """
    pieces = list[Told]()
    for start, size in _places(len(x)):
        if size > _BLOCK and len(pieces) > 1:  # no more than two large pieces are copied at a time
            pieces[-2].read.block_until_ready()
        part = None if y is None else _part(y, start, size)
        pieces.append(form.program(form.numbers, _part(x, start, size), part, key))
    return Told(*(_joined(part, len(x)) for part in zip(*pieces, strict=True)))


def _places(rows: int) -> Iterator[tuple[int, int]]:
    """Where each piece starts, and its size: as many blocks as go into a call, blocks, and a power of two."""
    start = 0
    while start < rows:
        left = rows - start
        size = next((size for size in (_BLOCK * _BLOCKS, _BLOCK) if size <= left), 1 << (left - 1).bit_length())
        yield start, size
        start += size


def _part(rows: Any, start: int, size: int) -> Any:
    """Rows with nothing behind them; of many blocks in pages that a CPU takes as they are.

    It copies others into fresh pages, which the system clears first. For fewer rows that takes less than keeping pages.
    """
    part = rows[start : start + size]
    missing = size - len(part)
    if size > _BLOCK and part.nbytes <= _KEPT:
        room = _pages.room((size, *part.shape[1:]), part.dtype)
        room[:] = part
        return room
    return np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)]) if missing else part


def _joined(pieces: Any, rows: int) -> Any:
    if pieces[0] is None:
        return None
    own = list(map(np.asarray, pieces))
    return own[0][:rows] if len(own) == 1 else np.concatenate(own)[:rows]
