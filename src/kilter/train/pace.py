"""How long stacks took: remembered in this process, so that a plan of the same can say how long it will take."""

from typing import Any

from kilter.train.layout import Layout

_SECONDS: dict[Any, float] = {}


def remember(structure: Any, rows: int, layout: Layout, seconds: float) -> None:
    """Note the seconds that an epoch of one stack took in a fleet of this layout."""
    _SECONDS[structure, rows, layout] = seconds


def recall(structure: Any, rows: int, layout: Layout) -> float | None:
    """The seconds of an epoch of one stack, or None where no such fleet has trained."""
    return _SECONDS.get((structure, rows, layout))
