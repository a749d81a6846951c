"""Which members train in one program: those of one structure, and those whose structures are worth a common mold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import jax

from kilter.data.dataset import Dataset
from kilter.train import mold, pattern
from kilter.train.batches import batch_of, slots, updates
from kilter.train.mold import Mold
from kilter.train.recipe import Recipe, structure

# What a program takes to compile and, on one device, an update of one member: at least, for each byte gone through, and for
# each weight and row of the batch, which are multiplied forward and twice backward.
# Measured on a core of two: 4 to 6 s; 11 us for 20-32-32-2, 152 us for 64-128-128-10 in batches of 64, 0.48 ms for
# 64-256-256-256-10 in batches of 32, 1.8 ms for 784-256-10 in batches of 128.
_COMPILE, _UPDATE, _BYTE, _PRODUCT = 4.5, 4e-6, 1e-10, 6e-11
# Bytes of a weight: itself, its gradient and two moments; and of a unit for each row: its signal and its gradient.
_WEIGHT, _SIGNAL = 16, 8

Members = Sequence[tuple[Recipe, int]]


def grouped(members: Members, data: Dataset) -> list[tuple[list[int], Mold | None]]:
    """Places of members that share a program, with the mold that they are cast in where their structures differ."""
    alike = _by(range(len(members)), lambda index: structure(members[index][0]))
    patterns = _by(alike.values(), lambda group: pattern.pattern(members[group[0]][0], data))
    found: list[tuple[list[int], Mold | None]] = []
    for common, groups in patterns.items():
        if common is None or len(groups) == 1:
            found += [(group, None) for group in groups]
        else:
            found += _cast(common, groups, members, data)
    return sorted(found, key=lambda each: each[0][0])


def _cast(common: Any, groups: list[list[int]], members: Members, data: Dataset) -> list[tuple[list[int], Mold | None]]:
    """Structures of a pattern in molds: two sets that cost less together than another program are made one."""
    works = [_Work.of([members[index][0] for index in group], data) for group in groups]
    sets = list(_by(range(len(groups)), lambda place: works[place].level).values())

    @cache
    def extra(places: tuple[int, ...]) -> float:
        return _extra([works[place] for place in places], len(data.train))

    while len(sets) > 1:
        joined = [(extra((*a, *b)) - extra((*a,)) - extra((*b,)), a, b) for a, b in combinations(sets, 2)]
        more, a, b = min(joined, key=lambda each: each[0])
        if more >= _COMPILE:
            break
        sets = [each for each in sets if each is not a and each is not b] + [a + b]
    found: list[tuple[list[int], Mold | None]] = []
    for places in sets:
        own = [groups[place] for place in places]
        if len(own) == 1 or extra((*places,)) >= _COMPILE * (len(own) - 1):
            found += [(group, None) for group in own]
        else:
            recipes = [members[group[0]][0] for group in own]
            found.append((sorted(index for group in own for index in group), mold.mold(common, recipes, data)))
    return found


@dataclass(frozen=True)
class _Work:
    """What members of one structure have to do.

    Attributes:
        recipe: one of theirs.
        units: of its inputs and dense layers.
        batch: rows of a full one.
        epochs: of all members.
        level: the smallest mold that it fits in: width, and slots of a batch.
    """

    recipe: Recipe
    units: tuple[int, ...]
    batch: int
    epochs: int
    level: tuple[int, int]

    @classmethod
    def of(cls, recipes: Sequence[Recipe], data: Dataset) -> "_Work":
        recipe, batch = recipes[0], batch_of(recipes[0], len(data.train))
        units = (data.shape[-1], *(layer.units for layer in pattern.dense(recipe)))
        level = mold.width_of([recipe]), (batch - 1).bit_length()
        return cls(recipe, units, batch, sum(each.epochs for each in recipes), level)

    def seconds(self, width: int, batch: int) -> float:
        """Of an update with hidden layers padded to a width, and the batch to a size."""
        sizes = [self.units[0], *(max(width, each) for each in self.units[1:-1]), self.units[-1]]
        weights = sum(before * after for before, after in pairwise(sizes))
        return _UPDATE + _BYTE * (_WEIGHT * weights + _SIGNAL * batch * sum(sizes)) + _PRODUCT * batch * weights


def _extra(works: Sequence[_Work], rows: int) -> float:
    """Seconds that a common mold takes beyond what each would take in a program of its own, over all devices.

    As if all waited for the one of most updates, as members of one stack do.
    """
    if len(works) == 1:
        return 0.0
    recipes = [work.recipe for work in works]
    width, most = mold.width_of(recipes), max(updates(recipe, rows) for recipe in recipes)
    padded = slots(recipes, rows)
    seconds = sum(
        (most * work.seconds(width, padded or work.batch) - updates(work.recipe, rows) * work.seconds(0, work.batch))
        * work.epochs
        for work in works
    )
    return seconds / jax.local_device_count()


def _by(items: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found
