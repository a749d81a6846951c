"""Readers: what was learned of a stream at its making, by which its pieces become rows of a network."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kilter.core.errors import InputError
from kilter.data import arrays
from kilter.data.arrays import Array
from kilter.data.dataset import Part
from kilter.data.targets import Target


class Reader(Protocol):
    """Turns pieces of a stream into rows.

    Attributes:
        shape: of an example.
        target: what the target is.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def target(self) -> Target: ...

    def read(self, piece: Any) -> tuple[Part, Array | None]:
        """The rows of a piece that have a target, and their numbers in it where not all have.

        Raises:
            InputError: rows that are not as those that the reader was learned from.
        """
        ...


@dataclass(frozen=True)
class ArrayReader:
    """Reads tuples of arrays: inputs, targets and perhaps weights."""

    shape: tuple[int, ...]
    target: Target

    def read(self, piece: Any) -> tuple[Part, Array | None]:
        x, y, *weights = tuple_of(piece)
        found = arrays.features(x)
        arrays.same_length(found, y)
        if found.shape[1:] != self.shape:
            raise InputError(f"x has examples of shape {found.shape[1:]}, but {self.shape} before")
        return Part(found, self.target.encode(y), checked_weights(weights[0], len(found)) if weights else None), None


def tuple_of(piece: Any) -> tuple[Any, ...]:
    """A piece as a tuple of inputs, targets and perhaps weights.

    Raises:
        InputError: something else.
    """
    if isinstance(piece, tuple | list) and len(piece) in (2, 3):
        return tuple(piece)
    kind = f"{type(piece).__name__} of {len(piece)}" if isinstance(piece, tuple | list) else type(piece).__name__
    raise InputError(f"a batch is a {kind}, but needed is a pair of arrays (x, y), a triple (x, y, weights) or a table")


def checked_weights(values: Any, rows: int) -> Array:
    """Weights of rows; all rows of a piece may weigh nothing."""
    array = arrays.numbers(values, "weights")
    if array.shape != (rows, 1):
        raise InputError(f"weights has shape {np.shape(values)}, but one weight an example is needed: ({rows},)")
    if array.min() < 0:
        raise InputError(f"weights must be at least 0, got {array.min():g}")
    return array[:, 0]
