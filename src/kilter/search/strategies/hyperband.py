"""Hyperband: brackets of successive halving from bold to careful."""

from typing import ClassVar

from kilter.search.strategies.rungs import Bracket, Climbing, bracket, climb
from kilter.search.strategies.state import Ask, State


class Hyperband(Climbing):
    """Successive halving in s + 1 brackets, from many trials of few epochs to few trials of all epochs R.

    Bracket s = smax ... 0, smax = floor(log_eta(R / least)), starts n = ceil((smax + 1) / (s + 1) eta^s) trials at
    R eta^-s epochs. All brackets cost about the same, so that no harm is done where the first epochs mislead. The search is
    over after the last bracket.

    Args:
        epochs: of a trial that reaches the top, R; left open, those of the recipe.
        least: epochs of the lowest rung.
        eta: of eta trials one is trained on.
    """

    formula: ClassVar[str] = (
        "for s = smax ... 0: halving of ceil((smax + 1) / (s + 1) eta^s) trials from R eta^-s epochs"
    )
    source: ClassVar[str] = "Li et al. 2018, algorithm 1"
    choose: ClassVar[str] = "As successive halving, where nobody knows how early good and bad part."

    def next(self, state: State) -> Ask | None:
        return climb(state, self.brackets)

    @property
    def brackets(self) -> tuple[Bracket, ...]:
        """Trials and epochs of every rung, bracket by bracket.

        >>> Hyperband(9).brackets
        (((9, 1), (3, 3), (1, 9)), ((5, 3), (1, 9)), ((3, 9),))
        """
        ladder, most = self.ladder, len(self.ladder)
        starts = ((s, -(-most * self.eta**s // (s + 1))) for s in reversed(range(most)))
        return tuple(bracket(trials, ladder[most - 1 - s :], self.eta) for s, trials in starts)
