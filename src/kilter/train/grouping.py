"""Which members train in one program: those of one structure, and those whose structures are worth a common mold."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import jax

from kilter.data.dataset import Dataset
from kilter.train import mold
from kilter.train.mold import Mold
from kilter.train.recipe import Recipe, structure

# What a program takes to compile and, on one device, an update of one member: at least, and for each byte gone through.
# Measured on a core of two: 2.5 to 4 s; 12 us for 20-32-32-2, 150 us for 64-128-128-10, 1.7 ms for 784-256-10.
_COMPILE, _UPDATE, _BYTE = 3.0, 8e-6, 3.5e-10
# Bytes of a weight: itself, its gradient and two moments.
_WEIGHT = 16

Members = Sequence[tuple[Recipe, int]]


def grouped(members: Members, data: Dataset) -> list[tuple[list[int], Mold | None]]:
    """Places of members that share a program, with the mold that they are cast in where their structures differ."""
    alike = _by(range(len(members)), lambda index: structure(members[index][0]))
    patterns = _by(alike.values(), lambda group: mold.pattern(members[group[0]][0], data.shape))
    found: list[tuple[list[int], Mold | None]] = []
    for pattern, groups in patterns.items():
        if pattern is None or len(groups) == 1:
            found += [(group, None) for group in groups]
        else:
            found += _cast(pattern, groups, members, data)
    return sorted(found, key=lambda each: each[0][0])


def _cast(
    pattern: Any, groups: list[list[int]], members: Members, data: Dataset
) -> list[tuple[list[int], Mold | None]]:
    """Structures of a pattern in molds of growing widths; what costs less than another program moves to a wider one."""
    widths = _by(groups, lambda group: mold.width_of(members[group[0]][0]))
    found, waiting = [], []
    for width, wider in sorted(widths.items()):
        waiting += wider
        others = [other for other in widths if other > width]
        if others and _extra(waiting, members, data, min(others)) < _extra(waiting, members, data, width) + _COMPILE:
            continue
        found += _worth(pattern, waiting, members, data, width)
        waiting = []
    return found


def _worth(
    pattern: Any, groups: list[list[int]], members: Members, data: Dataset, width: int
) -> list[tuple[list[int], Mold | None]]:
    """The groups in one mold, or each in a program of its own where padding would cost more than compiling."""
    if len(groups) == 1 or _extra(groups, members, data, width) > _COMPILE * (len(groups) - 1):
        return [(group, None) for group in groups]
    indices = sorted(index for group in groups for index in group)
    recipes = [members[group[0]][0] for group in groups]
    return [(indices, mold.mold(pattern, recipes, data.shape))]


def _extra(groups: list[list[int]], members: Members, data: Dataset, width: int) -> float:
    """Seconds that padding to a width takes, spread over the devices."""
    seconds = 0.0
    for group in groups:
        recipe = members[group[0]][0]
        steps = -(-len(data.train) // recipe.batch_size)
        slower = _seconds(recipe, data, width) - _seconds(recipe, data, 0)
        seconds += slower * steps * sum(members[index][0].epochs for index in group)
    return seconds / jax.local_device_count()


def _seconds(recipe: Recipe, data: Dataset, width: int) -> float:
    """Of an update with hidden layers that are padded to a width."""
    units = [layer.units for layer in mold.dense(recipe)]
    sizes = [data.shape[-1], *(max(width, each) for each in units[:-1]), units[-1]]
    weights = sum(before * after for before, after in pairwise(sizes))
    return _UPDATE + _BYTE * (_WEIGHT * weights + 8 * recipe.batch_size * sum(sizes))


def _by(items: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found
