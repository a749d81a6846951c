"""One hyper-parameter of a search: its range or options, its scale, where it exists, and its place in the unit interval."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kilter.core.specs import Scale

# What a search has drawn: plain numbers and words by the name of the dimension, those alone that exist.
Point = dict[str, Any]

_FORWARD: dict[str, Callable[[float], float]] = {
    "linear": lambda value: value,
    "log": math.log,
    "complement": lambda value: -math.log1p(-value),
}
_BACK: dict[str, Callable[[float], float]] = {
    "linear": lambda place: place,
    "log": math.exp,
    "complement": lambda place: -math.expm1(-place),
}


@dataclass(frozen=True)
class Need:
    """A dimension exists where the one called ``name`` has one of ``values``."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Dimension:
    """A hyper-parameter as strategies see it, without the recipe that it belongs to; all of it is plain data.

    Attributes:
        name: path in the recipe, or the name of a shared one.
        low, high: range; of the indices where there are ``options``.
        scale: on which the unit interval is even. ``"complement"``: log of one minus the value.
        whole: whether values are whole numbers.
        options: what to choose from: numbers, words, ``None``; empty for a range. Parts stand here by name.
        leaf: whether a network in training can take another value without a new compile, and keep its weights.
        needs: the dimension exists where one of them holds; empty: always.
    """

    name: str
    low: float
    high: float
    scale: Scale = "linear"
    whole: bool = False
    options: tuple[Any, ...] = ()
    leaf: bool = False
    needs: tuple[Need, ...] = ()

    @property
    def discrete(self) -> bool:
        """Whether it has finitely many values."""
        return self.whole or bool(self.options)

    @cached_property
    def ordered(self) -> bool:
        """Whether neighbors are alike: ranges, and options that are numbers in rising or falling order."""
        if not all(isinstance(option, int | float) and not isinstance(option, bool) for option in self.options):
            return False
        return list(self.options) in (sorted(self.options), sorted(self.options, reverse=True))

    @property
    def count(self) -> float:
        """Number of values; infinite for a continuous range."""
        return self.high - self.low + 1 if self.discrete else math.inf

    def exists(self, point: Point) -> bool:
        """Whether a point needs this dimension, given those that it depends on."""
        return not self.needs or any(need.name in point and point[need.name] in need.values for need in self.needs)

    def holds(self, value: Any) -> bool:
        """Whether it can take the value."""
        if self.options:
            return value in self.options
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return not self.whole or isinstance(value, int)

    def encode(self, value: Any) -> float:
        """Place of a value from 0 to 1; values of a discrete dimension sit in the middle of equal shares."""
        first, last = self._span
        number = self.options.index(value) if self.options else value
        return min(max((_FORWARD[self.scale](number) - first) / (last - first), 0.0), 1.0)

    def decode(self, place: float) -> Any:
        """The value at a place from 0 to 1."""
        first, last = self._span
        number = _BACK[self.scale](first + min(max(float(place), 0.0), 1.0) * (last - first))
        number = min(max(round(number) if self.discrete else number, self.low), self.high)
        return self.options[int(number)] if self.options else int(number) if self.whole else number

    def levels(self, count: int) -> tuple[Any, ...]:
        """All options, or up to ``count`` values spread evenly over a range with both ends."""
        if self.options:
            return self.options
        if self.whole and self.count <= count:
            return tuple(range(int(self.low), int(self.high) + 1))
        places = np.linspace(0.0, 1.0, count) if count > 1 else [0.5]
        return tuple(dict.fromkeys(self.decode(place) for place in places))

    @cached_property
    def _span(self) -> tuple[float, float]:
        """Both ends on the scale; discrete values own half a step to each side."""
        half = 0.5 if self.discrete else 0.0
        return _FORWARD[self.scale](self.low - half), _FORWARD[self.scale](self.high + half)


def encode(dimensions: Sequence[Dimension], point: Point) -> np.ndarray[Any, Any]:
    """A point in the unit cube; what does not exist in it is put in the middle."""
    return np.array([each.encode(point[each.name]) if each.name in point else 0.5 for each in dimensions])


def decode(dimensions: Sequence[Dimension], places: Iterable[float]) -> Point:
    """The point at a place in the unit cube; places of what does not exist there are left unread."""
    point: Point = {}
    for dimension, place in zip(dimensions, places, strict=True):
        if dimension.exists(point):
            point[dimension.name] = dimension.decode(place)
    return point


def size(dimensions: Sequence[Dimension]) -> float:
    """Number of points; infinite where a range is continuous."""
    return math.prod(_count(group, {}) for group in _groups(dimensions))


def _groups(dimensions: Sequence[Dimension]) -> list[list[Dimension]]:
    """Dimensions that depend on each other, in order; groups are independent."""
    groups: list[list[Dimension]] = []
    for each in dimensions:
        asked = {need.name for need in each.needs}
        joined = [group for group in groups if asked & {other.name for other in group}]
        groups = [group for group in groups if group not in joined]
        groups.append([other for group in joined for other in group] + [each])
    return groups


def _count(dimensions: Sequence[Dimension], point: Point) -> float:
    """Points of a group that have the values in ``point``; only values that others ask for are gone through."""
    if not dimensions:
        return 1
    first, *rest = dimensions
    if not first.exists(point):
        return _count(rest, point)
    if any(need.name == first.name for each in rest for need in each.needs):
        return sum(_count(rest, point | {first.name: value}) for value in first.levels(int(first.count)))
    return first.count * _count(rest, point)
