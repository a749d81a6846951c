"""What was seen of a network of another framework in one forward pass: a node for every layer and function, in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kilter.doctor.anatomy import Anatomy, Organ
from kilter.nn.layer import Layer, Shape
from kilter.vitals import Signal

Array = np.ndarray[Any, Any]
# What a node does to the graph: a layer, a sum of two signals, the last time of a sequence, another change of form, or
# something that is not known.
LAYER, SUM, LAST, FORM, UNKNOWN = "layer", "sum", "last", "form", "unknown"


@dataclass
class Node:
    """A layer or function that a signal went through.

    Attributes:
        place: as its framework names it, such as ``encoder.0``; unique.
        kind: class of the layer in its framework; empty for functions.
        layer: the part of Kilter that does the same, or `Opaque`.
        role: ``"layer"``, ``"sum"``, ``"last"``, ``"form"`` (reshapes, scalings by numbers) or ``"unknown"``.
        before: shape of one example in front, channels last.
        after: the same behind.
        inputs: numbers of the signals that go in.
        output: number of the signal that comes out.
        signal: what it looked like; its ``backward`` is filled in by the backward pass.
        kernel: weights ``(*window, in, out)`` of layers that have them.
        alive: of rectifiers, which units were active on some row.
    """

    place: str
    kind: str
    layer: Layer
    role: str
    before: Shape
    after: Shape
    inputs: tuple[int, ...]
    output: int
    signal: Signal | None = None
    kernel: Array | None = None
    alive: Array | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """Place and kind as a user reads them."""
        return f"{self.place} {self.kind}".strip()


@dataclass(frozen=True)
class Piece(Organ):
    """An organ that is named as in its own framework."""

    kind: str = ""

    @property
    def path(self) -> str:
        return self.place

    @property
    def label(self) -> str:
        return f"{self.place} {self.kind}".strip()


def organs(nodes: Sequence[Node]) -> list[Node]:
    """The nodes that an anatomy shows: all but sums and changes of form."""
    return [node for node in nodes if node.role in (LAYER, UNKNOWN)]


def anatomy(nodes: Sequence[Node]) -> Anatomy:
    """What a network is made of, as the rules read it."""
    pieces = [
        Piece(index, node.place, node.layer, node.before, node.after, node.kind)
        for index, node in enumerate(organs(nodes))
    ]
    return Anatomy(tuple(pieces))


def channels_last(array: Array, first: bool) -> Array:
    """An array with its second axis moved to the end where ``first``."""
    return np.moveaxis(array, 1, -1) if first and array.ndim > 2 else array
