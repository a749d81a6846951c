"""A network of another framework as layers of Kilter: a chain, with a residual wherever two ways meet in a sum."""

from collections.abc import Sequence

from kilter.core.errors import InputError
from kilter.interop.node import FORM, LAST, SUM, UNKNOWN, Node
from kilter.nn.compose import Chain, Residual
from kilter.nn.layer import Layer
from kilter.nn.recurrent import Recurrent


def chained(nodes: Sequence[Node], first: int, last: int) -> Chain:
    """The layers between two signals.

    Args:
        nodes: as they were met.
        first: number of the signal that goes into the network.
        last: number of the signal that comes out.

    Raises:
        InputError: something in between is not known to Kilter; names it.
    """
    return Chain(*_Graph(nodes).between(first, last))


class _Graph:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self.makers = {node.output: node for node in nodes}

    def between(self, first: int, last: int) -> list[Layer]:
        found: list[Layer] = []
        while last != first:
            node = self._maker(last)
            if node.role == SUM:
                last = self._meeting(node)
                found.append(self._residual(node, last))
            elif node.role == LAST:
                found.append(self._ending(node))
                last = self._maker(node.inputs[0]).inputs[0]
            else:
                last = node.inputs[0]
                found.append(node.layer)
        return found[::-1]

    def _maker(self, signal: int) -> Node:
        node = self.makers.get(signal)
        if node is None:
            raise InputError(
                "the outputs do not come from the inputs by layers alone, so there is no recipe of this network"
            )
        if node.role in (UNKNOWN, FORM) or (node.role != SUM and len(node.inputs) != 1):
            raise InputError(f"{node.label}: Kilter has no layer for it, so there is no recipe of this network")
        return node

    def _ending(self, node: Node) -> Layer:
        """The recurrent layer whose last time is taken, giving that alone."""
        layer = self._maker(node.inputs[0]).layer
        if not isinstance(layer, Recurrent) or not layer.sequences:
            raise InputError(f"{node.label}: Kilter takes the last time of recurrent layers alone")
        return layer.replace(sequences=False)

    def _residual(self, node: Node, start: int) -> Residual:
        """The longer way as body; the shorter one as shortcut, unless it is the signal itself."""
        ways = sorted((self.between(start, end) for end in node.inputs), key=len)
        if not ways[1]:
            raise InputError(f"{node.label}: Kilter has no layer that adds a signal to itself")
        return Residual(Chain(*ways[1]), Chain(*ways[0]) if ways[0] else None)

    def _meeting(self, node: Node) -> int:
        """The last signal that both ways to a sum come from."""
        ways = [self._behind(end) for end in node.inputs]
        shared = set(ways[0]) & set(ways[1])
        if not shared:
            raise InputError(f"{node.label}: what is added does not come from the inputs by layers alone")
        return max(shared)

    def _behind(self, signal: int) -> list[int]:
        """All signals that a signal was made of, and itself."""
        found, todo = [], [signal]
        while todo:
            each = todo.pop()
            if each not in found:
                found.append(each)
                node = self.makers.get(each)
                todo += [] if node is None else list(node.inputs)
        return found
