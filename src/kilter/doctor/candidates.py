"""What is tried: remedies for the findings, and random changes to compare with."""

from collections.abc import Iterator
from itertools import zip_longest

import numpy as np

from kilter.data.dataset import Dataset
from kilter.doctor import remedies
from kilter.doctor.checkup import Checkup
from kilter.doctor.remedy import Remedy
from kilter.train.recipe import Recipe


def prescribed(checkup: Checkup, recipe: Recipe, data: Dataset, most: int) -> list[Remedy]:
    """Remedies for the findings: the first kind of each finding, then the second of each, and so on; ``most`` of them."""
    rounds = zip_longest(*(finding.remedies for finding in checkup.findings))
    families = dict.fromkeys(name for names in rounds for name in names if name is not None)
    offered = [list(remedies.of(recipe, data, [name])) for name in families]
    mixed = [remedy for each in zip_longest(*offered) for remedy in each if remedy is not None]
    return _distinct(mixed)[:most]


def _distinct(offered: list[Remedy]) -> list[Remedy]:
    return list({remedy.name: remedy for remedy in offered}.values())


def at_random(recipe: Recipe, data: Dataset, count: int, seed: int) -> list[Remedy]:
    """Single changes drawn at random: a family, then one of its settings, each change once."""
    rng = np.random.default_rng(seed)
    left = {name: found for name in remedies.ALL if (found := _quick(recipe, data, name))}
    drawn: list[Remedy] = []
    while left and len(drawn) < count:
        name = list(left)[rng.integers(len(left))]
        drawn.append(left[name].pop(rng.integers(len(left[name]))))
        left = {each: found for each, found in left.items() if found}
    return drawn


def _quick(recipe: Recipe, data: Dataset, name: str) -> list[Remedy]:
    return [remedy for remedy in remedies.of(recipe, data, [name]) if not remedy.trains]


def in_order_of(checkup: Checkup, tried: list[Remedy]) -> Iterator[list[Remedy]]:
    """For each finding, in order, what was tried of the kinds that help it."""
    for finding in checkup.findings:
        found = [remedy for remedy in tried if _wanted(remedy, finding.remedies) is not None]
        if found:
            yield sorted(found, key=lambda remedy: _wanted(remedy, finding.remedies) or 0)


def _wanted(remedy: Remedy, names: tuple[str, ...]) -> int | None:
    """Place of a remedy, or of its family, among those that a finding asks for."""
    return next((place for place, name in enumerate(names) if name in (remedy.name, remedy.family)), None)
