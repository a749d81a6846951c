"""What the tests of strategies share: a space, an objective, and asking and telling."""

import math

from kilter.search.dimension import Dimension, Need

# Every kind of dimension, and one that exists for one option alone.
MIXED = (
    Dimension("lr", 1e-5, 1e-1, "log", leaf=True),
    Dimension("momentum", 0.5, 0.999, "complement", leaf=True),
    Dimension("units", 16, 512, "log", whole=True),
    Dimension("depth", 1, 4, whole=True),
    Dimension("batch", 0, 2, options=(16, 32, 64)),
    Dimension("act", 0, 2, options=("relu", "leaky", None)),
    Dimension("slope", 0.0, 0.3, leaf=True, needs=(Need("act", ("leaky",)),)),
    Dimension("rate", 0, 2, options=(0.1, 0.2, 0.5), leaf=True),
)


def bowl(point):
    """Best at lr 0.003 and momentum 0.9, and a little better with leaky units."""
    distance = (math.log10(point["lr"]) + 2.5) ** 2 + (math.log10(1 - point["momentum"]) + 1) ** 2
    return -distance + 0.1 * (point["act"] == "leaky")


def scores(asks, objective=bowl):
    return [objective(ask.point) for ask in asks]


def through(strategy, state, sizes, objective=bowl):
    """Ask and tell batches of the given sizes."""
    for size in sizes:
        state, asks = strategy.ask(state, size)
        state = strategy.tell(state, asks, scores(asks, objective))
    return state
