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
# Measured on a core of two: 6 to 7 s for a mold, traced, with all three of its programs; 11 us for 20-32-32-2, 152 us for
# 64-128-128-10 in batches of 64, 0.48 ms for 64-256-256-256-10 in batches of 32, 1.8 ms for 784-256-10 in batches of 128.
COMPILE, UPDATE, _BYTE, PRODUCT = 4.0, 4e-6, 1e-10, 6e-11
# How much longer an update takes where a mold holds several kinds: 366 against 240 us for 64-256-256-256-10, three
# optimizers and three activations.
_KINDS = 1.5
# Bytes of a weight: itself, its gradient and two moments; and of a unit for each row: its signal and its gradient.
_WEIGHT, _SIGNAL = 16, 8

Members = Sequence[tuple[Recipe, int]]
# Places of members that share a program, and the mold that they are cast in where their structures differ.
Groups = list[tuple[list[int], Mold | None]]


def grouped(members: Members, data: Dataset, weight: float = 1.0, *, cast: bool = True) -> Groups:
    """Members by the program that they train in.

    Args:
        members: that are to train.
        data: that they train on.
        weight: members like each of them that are to train besides, itself counted.
        cast: whether structures may share a mold.
    """
    alike = by(range(len(members)), lambda index: structure(members[index][0]))
    if not cast:
        return [(group, None) for group in alike.values()]
    patterns = by(alike.values(), lambda group: pattern.pattern(members[group[0]][0], data))
    found: Groups = []
    for common, groups in patterns.items():
        if common is None or len(groups) == 1:
            found += [(group, None) for group in groups]
        else:
            found += _cast(common, groups, members, data, weight)
    return sorted(found, key=lambda each: each[0][0])


def _cast(common: Any, groups: list[list[int]], members: Members, data: Dataset, weight: float) -> Groups:
    """Structures of a pattern in molds: two sets that cost less together than another program are made one."""
    works = [_Work.of([members[index][0] for index in group], data) for group in groups]
    sets = list(by(range(len(groups)), lambda place: works[place].level).values())

    @cache
    def extra(places: tuple[int, ...]) -> float:
        return weight * _extra([works[place] for place in places], len(data.train))

    while len(sets) > 1:
        joined = [(extra((*a, *b)) - extra((*a,)) - extra((*b,)), a, b) for a, b in combinations(sets, 2)]
        more, a, b = min(joined, key=lambda each: each[0])
        if more >= COMPILE:
            break
        sets = [each for each in sets if each is not a and each is not b] + [a + b]
    found: Groups = []
    for places in sets:
        own = [groups[place] for place in places]
        if len(own) == 1 or extra((*places,)) >= COMPILE * (len(own) - 1):
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
        level: the smallest mold that it fits in: width, depth and slots of a batch.
    """

    recipe: Recipe
    units: tuple[int, ...]
    batch: int
    epochs: int
    level: tuple[int, int, int]

    @classmethod
    def of(cls, recipes: Sequence[Recipe], data: Dataset) -> "_Work":
        recipe, batch = recipes[0], batch_of(recipes[0], len(data.train))
        units = (data.shape[-1], *(layer.units for layer in pattern.dense(recipe)))
        level = mold.width_of([recipe]), mold.depth_of([recipe]), (batch - 1).bit_length()
        return cls(recipe, units, batch, sum(each.epochs for each in recipes), level)

    def seconds(self) -> float:
        """Of an update in a program of its own."""
        return _update(self.units, self.batch)

    def padded(self, width: int, depth: int, batch: int) -> float:
        """Of an update in a mold."""
        _, own, _ = self.level
        hidden = [max(width, each) for each in self.units[1:-1]]
        more = len(hidden) // own * (depth - own) if hidden else 0
        return _update((self.units[0], *hidden, *more * hidden[-1:], self.units[-1]), batch)


def _update(units: Sequence[int], batch: int) -> float:
    """Seconds of an update of a net with so many inputs and units."""
    weights = sum(before * after for before, after in pairwise(units))
    return UPDATE + _BYTE * (_WEIGHT * weights + _SIGNAL * batch * sum(units)) + PRODUCT * batch * weights


def _extra(works: Sequence[_Work], rows: int) -> float:
    """Seconds that a common mold takes beyond what each would take in a program of its own, over all devices.

    As if all waited for the one of most updates, as members of one stack do.
    """
    if len(works) == 1:
        return 0.0
    recipes = [work.recipe for work in works]
    width, depth = mold.width_of(recipes), mold.depth_of(recipes)
    most, batch = max(updates(recipe, rows) for recipe in recipes), slots(recipes, rows)
    seconds = sum(
        (_KINDS * most * work.padded(width, depth, batch or work.batch) - updates(work.recipe, rows) * work.seconds())
        * work.epochs
        for work in works
    )
    return seconds / jax.device_count()


def by(items: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    """Items by what the key says of each."""
    found: dict[Any, list[Any]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found
