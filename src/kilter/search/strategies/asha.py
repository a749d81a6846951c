"""Asynchronous successive halving: trials climb as soon as they are among the best of their rung so far."""

from itertools import pairwise
from typing import ClassVar

from kilter.search.strategies.rungs import Climbing
from kilter.search.strategies.state import Ask, State


class ASHA(Climbing):
    """Whenever a trial is wanted, trains one on that is among the best 1 / eta told of its rung, else starts a new one.

    Upper rungs go first. Nothing waits for the slowest trial of a rung, at the price of training some on that would not
    have been among the best of all. It has no end of its own.

    Args:
        epochs: of a trial that reaches the top; left open, those of the recipe.
        least: epochs of the lowest rung.
        eta: of eta trials one is trained on.
    """

    formula: ClassVar[str] = "train on one of the best told / eta of the highest rung that has one left, else start one"
    source: ClassVar[str] = "Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, algorithm 2"
    choose: ClassVar[str] = "Trials of very different length, on machines that should never wait."

    batch: ClassVar[int] = 16

    def next(self, state: State) -> Ask:
        ladder = self.ladder
        gone = {ask.parent for ask in state.asks}
        for epochs, above in reversed(list(pairwise(ladder))):
            told = [ask.id for ask in state.asks if ask.epochs == epochs and state.settled([ask.id])]
            for id in state.ranked(told)[: len(told) // self.eta]:
                if id not in gone:
                    return state.ask(state.asks[id].point, above, id)
        return state.ask(state.random(), ladder[0])
