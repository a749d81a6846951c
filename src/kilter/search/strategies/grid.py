"""Grid search."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.search.dimension import Dimension, Point, size
from kilter.search.strategies.state import Ask, State
from kilter.search.strategies.strategy import Strategy

# Points that are worth listing; training as many takes far longer than listing them.
_MOST = 100_000


class Grid(Strategy):
    """Every combination of values once: all options, and values spread evenly over each range on its scale, with both ends.

    The seed decides on the order, so that a search that is cut short has seen all of the space.

    Args:
        levels: values of a range; whole numbers have fewer where the range does.

    Raises:
        InputError: from ``init``, there are more than 100 000 points.
    """

    formula: ClassVar[str] = "all of {options} x {levels on its scale} x ..."
    source: ClassVar[str] = "practice; Bergstra and Bengio 2012 on why random search needs fewer trials"
    choose: ClassVar[str] = "One or two dimensions, and tables for a report."

    levels: int = option(default=5, kinds=int, range="[1, inf)")

    def init(self, dimensions: Sequence[Dimension], seed: int = 0) -> State:
        state = super().init(dimensions, seed)
        coarse = [Dimension(d.name, 0, len(v) - 1, options=v, needs=d.needs) for d, v in self._values(state.dimensions)]
        points = size(coarse)
        if points > _MOST:
            raise InputError(
                f"{self!r}: {points:.3g} points are more than {_MOST}; use fewer levels, or another strategy"
            )
        return state

    def next(self, state: State) -> Ask | None:
        points = _points(tuple(self._values(state.dimensions)), state.seed)
        return state.ask(dict(points[len(state.asks)])) if len(state.asks) < len(points) else None

    def _values(self, dimensions: tuple[Dimension, ...]) -> list[tuple[Dimension, tuple[object, ...]]]:
        return [(each, each.levels(self.levels)) for each in dimensions]


@lru_cache(maxsize=4)
def _points(axes: tuple[tuple[Dimension, tuple[object, ...]], ...], seed: int) -> list[Point]:
    points = list(_product(axes, {}))
    return [points[index] for index in np.random.default_rng(seed).permutation(len(points))]


def _product(axes: tuple[tuple[Dimension, tuple[object, ...]], ...], point: Point) -> Iterator[Point]:
    if not axes:
        yield point
        return
    (dimension, values), *rest = axes
    for value in values if dimension.exists(point) else ():
        yield from _product(tuple(rest), point | {dimension.name: value})
    if not dimension.exists(point):
        yield from _product(tuple(rest), point)
