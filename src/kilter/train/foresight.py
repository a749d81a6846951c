"""Foresight: the programs of a long work are chosen before it begins, from recipes like those that will come."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kilter.data.dataset import Dataset
from kilter.train.grouping import Groups, Members, grouped
from kilter.train.mold import Mold
from kilter.train.pattern import pattern
from kilter.train.recipe import Recipe, structure


class Company(NamedTuple):
    """Recipes like those that will come, and how many members each stands for."""

    recipes: Sequence[Recipe]
    weight: float


@dataclass(frozen=True)
class Foresight:
    """Which recipes will share programs, whatever comes when: later fleets find theirs compiled.

    Attributes:
        data: that all train on.
        known: mold by structure; None: the structure has a program of its own.
        molds: by pattern.
    """

    data: Dataset
    known: dict[Any, Mold | None] = field(default_factory=dict)
    molds: dict[Any, list[Mold]] = field(default_factory=dict)

    @classmethod
    def of(cls, company: Company, data: Dataset) -> "Foresight":
        """Choose the programs for a company on its data."""
        foresight = cls(data)
        for places, mold in grouped([(recipe, 0) for recipe in company.recipes], data, company.weight):
            foresight.known.update((structure(company.recipes[place]), mold) for place in places)
            if mold is not None:
                foresight.molds.setdefault(mold.pattern, []).append(mold)
        return foresight

    def grouped(self, members: Members) -> Groups:
        """Members by the program that they train in; what was not foreseen and fits in no mold is grouped by itself."""
        found: dict[Any, list[int]] = {}
        rest: list[int] = []
        for place, (recipe, _) in enumerate(members):
            mold, own = self._mold(recipe), structure(recipe)
            if mold is None and own not in self.known:
                rest.append(place)
            else:
                found.setdefault(mold or own, []).append(place)
        groups: Groups = [(places, key if isinstance(key, Mold) else None) for key, places in found.items()]
        others = grouped([members[place] for place in rest], self.data)
        groups += [([rest[place] for place in places], mold) for places, mold in others]
        return sorted(groups, key=lambda each: each[0][0])

    def _mold(self, recipe: Recipe) -> Mold | None:
        """The mold of a recipe: the one chosen, else the smallest that holds it."""
        own = structure(recipe)
        if own in self.known:
            return self.known[own]
        molds = self.molds.get(pattern(recipe, self.data), [])
        fitting = [mold for mold in molds if mold.holds(recipe, len(self.data.train))]
        return min(fitting, key=lambda mold: (mold.width, mold.depth, mold.batch), default=None)
