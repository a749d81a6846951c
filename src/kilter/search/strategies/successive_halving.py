"""Successive halving: one bracket of trials, cut to a share again and again."""

from dataclasses import KW_ONLY
from typing import ClassVar

from kilter.core.specs import option
from kilter.search.strategies.rungs import Climbing, bracket, climb
from kilter.search.strategies.state import Ask, State


class SuccessiveHalving(Climbing):
    """Starts many trials, and of each rung trains the best 1 / eta on for eta times the epochs; nothing is trained twice.

    Rung k has floor(trials eta^-k) trials of R eta^(k - s) epochs, s = floor(log_eta(R / least)). The search is over when
    the top rung is told. Jamieson and Talwalkar's own form halves (eta 2) and shares one budget out equally over the rungs,
    which this does, too, up to rounding. A trial that is trained on costs the epochs that it has not had yet.

    Args:
        epochs: of a trial that reaches the top, R; left open, those of the recipe.
        least: epochs of the lowest rung.
        eta: of eta trials one is trained on.
        trials: that are started; left open, eta^s: one reaches the top.
    """

    formula: ClassVar[str] = "floor(trials eta^-k) trials of R eta^(k - s) epochs at rung k = 0 ... s"
    source: ClassVar[str] = "Jamieson and Talwalkar 2016, algorithm 1; Li et al. 2018, section 3"
    choose: ClassVar[str] = "Where the first epochs already tell good from bad."

    _: KW_ONLY
    trials: int | None = option(default=None, kinds=int, range="[1, inf)", optional=True)

    def next(self, state: State) -> Ask | None:
        ladder = self.ladder
        trials = self.trials or self.eta ** (len(ladder) - 1)
        return climb(state, [bracket(trials, ladder, self.eta)])
