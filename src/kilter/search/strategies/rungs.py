"""Rungs: budgets that grow by a factor, and brackets of trials of which ever fewer climb them."""

from collections.abc import Iterable, Sequence

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.search.dimension import Dimension
from kilter.search.strategies.state import Ask, State
from kilter.search.strategies.strategy import Strategy

# Numbers of trials and epochs of the rungs that a group of trials climbs together.
Bracket = tuple[tuple[int, int], ...]


class Climbing(Strategy, abstract=True):
    """Base of the strategies that train many trials a little and the best of them on.

    Args:
        epochs: of a trial that reaches the top, R; left open, those of the recipe.
        least: epochs of the lowest rung, r.
        eta: of eta trials one is trained on, for eta times the epochs.
    """

    epochs: int | None = option(default=None, kinds=int, range="[1, inf)", optional=True)
    least: int = option(default=1, kinds=int, range="[1, inf)")
    eta: int = option(default=3, kinds=int, range="[2, inf)")

    def init(self, dimensions: Sequence[Dimension], seed: int = 0) -> State:
        state = super().init(dimensions, seed)
        if self.least > self.ladder[-1]:
            raise InputError(f"{self!r}: least must be at most the {self.epochs} epochs")
        return state

    @property
    def ladder(self) -> tuple[int, ...]:
        """Epochs of the rungs, lowest first: R eta^-k, rounded, for all k that leave at least ``least``.

        >>> from kilter.search.strategies import ASHA
        >>> ASHA(81).ladder, ASHA(100, least=5, eta=4).ladder
        ((1, 3, 9, 27, 81), (6, 25, 100))
        """
        top = self.epochs or 0
        height = 0
        while self.least * self.eta ** (height + 1) <= top:
            height += 1
        return tuple(round(top / self.eta ** (height - k)) for k in range(height + 1))


def bracket(trials: int, ladder: Iterable[int], eta: int) -> Bracket:
    """Trials and epochs rung by rung: floor(trials eta^-k), at least one."""
    return tuple((max(1, trials // eta**k), epochs) for k, epochs in enumerate(ladder))


def climb(state: State, brackets: Iterable[Bracket]) -> Ask | None:
    """The next trial of brackets that are climbed one after the other, each rung when the one below is told."""
    position, start = len(state.asks), 0
    for rungs in brackets:
        survivors: list[int] | None = None
        for count, epochs in rungs:
            count = count if survivors is None else min(count, len(survivors))
            if position < start + count:
                if survivors is None:
                    return state.ask(state.random(), epochs)
                parent = survivors[position - start]
                return state.ask(state.asks[parent].point, epochs, parent)
            ids = range(start, start + count)
            if not state.settled(ids):
                return None
            survivors = state.ranked(ids)
            start += count
    return None
