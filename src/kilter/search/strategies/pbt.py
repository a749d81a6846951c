"""Population-based training: networks that copy better ones while they train, with other hyper-parameters."""

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any, ClassVar

import numpy as np

from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.search.dimension import Dimension, Point
from kilter.search.strategies.state import Ask, State
from kilter.search.strategies.strategy import Strategy


class PBT(Strategy):
    """A population trains ``every`` so many epochs; then the worst go on with weights and values of the best, changed.

    After every generation, each member of the lowest ``share`` of the population, and each that failed, goes on from one of
    the highest ``share``, drawn at random (exploit). Of its values those change that a network in training can take, the
    leaves (explore): with probability ``resample`` a value is drawn anew, otherwise it is multiplied by ``factor`` or its
    inverse (a decay: one minus it), at least to the next whole number or option. All others go on as they were.

    What is found is a schedule: the values of a trial and of its parents, which `Study.lineage` shows. Who is best is
    decided by the last epoch, not by the best one so far, which a copy would have from its parent. The search is over after
    ``epochs``, that is after `needed` trials; the recipe's ``stopping`` is left out. Schedules in the recipe span all
    epochs; changed numbers change the rest of them. All members begin with the weights of the trial's seed and see the same
    order of rows.

    Args:
        epochs: of a member; left open, those of the recipe.
        population: number of members.
        every: epochs between two generations.
        share: of the population that is replaced, and that is copied.
        factor: of a change.
        resample: probability of drawing anew.

    Raises:
        InputError: from ``init``, no dimension is a leaf.
    """

    formula: ClassVar[str] = "worst share: weights of a best one, its leaves times factor or 1 / factor, or drawn anew"
    source: ClassVar[str] = "Jaderberg et al. 2017, section 3 and appendix A (truncation selection)"
    choose: ClassVar[str] = "Where the best value changes in the course of training, as with learning rates."

    latest: ClassVar[bool] = True

    epochs: int | None = option(default=None, kinds=int, range="[1, inf)", optional=True)
    population: int = option(default=16, kinds=int, range="[2, inf)")
    _: KW_ONLY
    every: int = option(default=1, kinds=int, range="[1, inf)")
    share: float = number(default=0.2, range="(0, 0.5]")
    factor: float = number(default=1.2, range="(1, inf)")
    resample: float = number(default=0.25, range="[0, 1]")

    def init(self, dimensions: Sequence[Dimension], seed: int = 0) -> State:
        if not any(each.leaf for each in dimensions):
            raise InputError(
                f"{self!r}: none of {[each.name for each in dimensions]} can change while a network trains; put a number "
                "such as the learning rate into the space, or take another strategy"
            )
        return super().init(dimensions, seed)

    @property
    def needed(self) -> int:
        """Trials of the whole search: population ceil(epochs / every).

        >>> PBT(20, every=5).needed
        64
        """
        return self.population * -(-(self.epochs or 0) // self.every)

    def resumable(self, state: State) -> set[int]:
        """The generation that the next one is being made of, and what there is of that; each may have many children."""
        return set(range(max(len(state.asks) // self.population - 1, 0) * self.population, len(state.asks)))

    def next(self, state: State) -> Ask | None:
        generation, member = divmod(len(state.asks), self.population)
        epochs = min(self.every * (generation + 1), self.epochs or 0)
        if epochs <= self.every * generation:
            return None
        if generation == 0:
            return state.ask(state.random(), epochs)
        start = (generation - 1) * self.population
        before = range(start, start + self.population)
        if not state.settled(before):
            return None
        ranked = state.ranked(before)
        count = max(1, int(self.share * self.population))
        if start + member in ranked[: self.population - count]:
            return state.ask(state.asks[start + member].point, epochs, start + member)
        if not ranked:
            return None
        rng = state.rng()
        parent = ranked[rng.integers(min(count, len(ranked)))]
        return state.ask(self._explored(state.dimensions, state.asks[parent].point, rng), epochs, parent)

    def _explored(self, dimensions: Sequence[Dimension], point: Point, rng: np.random.Generator) -> Point:
        leaves = (each for each in dimensions if each.leaf and each.name in point)
        return point | {each.name: self._changed(each, point[each.name], rng) for each in leaves}

    def _changed(self, dimension: Dimension, value: Any, rng: np.random.Generator) -> Any:
        anew, up, place = rng.random() < self.resample, rng.random() < 0.5, rng.random()
        if anew or not dimension.ordered:
            return dimension.decode(place)
        if dimension.options:
            index = dimension.options.index(value) + (1 if up else -1)
            return dimension.options[min(max(index, 0), len(dimension.options) - 1)]
        times = self.factor if up else 1 / self.factor
        moved = 1 - (1 - value) * times if dimension.scale == "complement" else value * times
        if dimension.whole:
            moved = max(round(moved), value + 1) if moved > value else min(round(moved), value - 1)
        return min(max(moved, dimension.low), dimension.high)
