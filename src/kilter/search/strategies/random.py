"""Random search."""

from kilter.search.strategies.state import Ask, State
from kilter.search.strategies.strategy import Strategy


class Random(Strategy):
    """Every point is drawn by itself, each dimension uniformly on its own scale."""

    formula = "point ~ U(cube)"
    source = "Bergstra and Bengio 2012"
    choose = "As the yardstick, and to see which hyper-parameters matter at all."

    def next(self, state: State) -> Ask:
        return state.ask(state.random())
