"""The contract of strategies: one table of laws for all of them."""

import math

import numpy as np
import pytest
from driving import MIXED, bowl, scores, through
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kilter import strategies
from kilter.search.dimension import Dimension, Need
from kilter.search.strategies import (
    GP,
    PBT,
    TPE,
    CoarseToFine,
    Grid,
    State,
    Strategy,
)

# Small enough that a few batches take each past its start.
SMALL = {
    Grid: Grid(levels=2),
    CoarseToFine: CoarseToFine(trials=4),
    TPE: TPE(startup=3),
    GP: GP(startup=3),
    PBT: PBT(epochs=4, population=5),
}
EACH = [SMALL.get(kind, kind()).over(9) for kind in strategies.ALL]
ALL = pytest.mark.parametrize("strategy", EACH, ids=lambda strategy: type(strategy).__name__)


def sizes(strategy, *wanted):
    """Sizes of batches; the Gaussian process takes a second for every trial after its third, so it gets but one of them."""
    return (3, 1)[: len(wanted)] if type(strategy) is GP else wanted


@ALL
def test_the_same_seed_asks_the_same_and_another_does_not(strategy):
    first, second, other = (through(strategy, strategy.init(MIXED, seed), sizes(strategy, 5, 4)) for seed in (0, 0, 1))
    assert first == second
    assert first.asks != other.asks


@ALL
def test_a_state_that_was_written_and_read_goes_on_as_the_other(strategy):
    state = through(strategy, strategy.init(MIXED, 3), sizes(strategy, 5))
    state, out = strategy.ask(state, 2)
    state = strategy.tell(state, out[:1], [math.nan])
    read = State.from_json(state.to_json())
    assert read.to_json() == state.to_json()
    assert read.dimensions == state.dimensions
    uninterrupted = through(strategy, strategy.tell(state, out[1:], scores(out[1:])), [1])
    resumed = through(strategy, strategy.tell(read, out[1:], scores(out[1:])), [1])
    assert resumed.to_json() == uninterrupted.to_json()


@ALL
def test_order_and_cuts_of_telling_do_not_matter(strategy):
    state, asks = strategy.ask(strategy.init(MIXED, 2), 6)
    at_once = strategy.tell(state, asks, scores(asks))
    one_by_one = state
    for ask in reversed(asks):
        one_by_one = strategy.tell(one_by_one, [ask], scores([ask]))
    assert one_by_one == at_once
    assert strategy.next(one_by_one) == strategy.next(at_once)


@ALL
def test_asking_at_once_is_asking_in_parts(strategy):
    state = through(strategy, strategy.init(MIXED, 4), sizes(strategy, 5))
    whole, asks = strategy.ask(state, 3)
    half, first = strategy.ask(state, 1)
    rest, second = strategy.ask(half, 2)
    assert first + second == asks
    assert rest == whole


@ALL
def test_parents_are_told_and_keep_what_needs_a_new_network(strategy):
    state = through(strategy, strategy.init(MIXED, 5), sizes(strategy, 6, 6, 6, 6))
    for ask in state.asks:
        assert state.asks[ask.id] is ask
        if ask.parent is None:
            continue
        parent = state.asks[ask.parent]
        assert ask.parent < ask.id
        assert ask.epochs > parent.epochs
        assert state.scores[ask.parent] is not None
        for dimension in MIXED:
            if not dimension.leaf:
                assert ask.point.get(dimension.name) == parent.point.get(dimension.name)


@pytest.mark.parametrize("strategy", [s for s in EACH if type(s) is not GP], ids=lambda s: type(s).__name__)
def test_parents_are_among_those_that_were_said_to_be_resumable(strategy):
    state = strategy.init(MIXED, 8)
    kept = set()
    for _ in range(6):
        before = len(state.asks)
        state, asks = strategy.ask(state, 4)
        assert {ask.parent for ask in asks} - {None} <= kept
        # What was let go once is never wanted again.
        kept = (kept | set(range(before, len(state.asks)))) & (strategy.resumable(state) | {ask.parent for ask in asks})
        state = strategy.tell(state, asks, scores(asks))
        kept &= strategy.resumable(state)


@ALL
@pytest.mark.parametrize("failing", [1.0, 0.5])
def test_trials_that_fail_are_borne(strategy, failing):
    rng = np.random.default_rng(0)
    state = strategy.init(MIXED, 6)
    state = through(strategy, state, sizes(strategy, 6, 6), lambda p: math.nan if rng.random() < failing else bowl(p))
    _, asks = strategy.ask(state, 1)
    assert all(state.scores[ask.parent] == state.scores[ask.parent] for ask in asks if ask.parent is not None)


def legal(dimensions, point):
    for dimension in dimensions:
        assert (dimension.name in point) == dimension.exists(point)
        assert dimension.name not in point or dimension.holds(point[dimension.name])
    assert set(point) <= {dimension.name for dimension in dimensions}


@ALL
def test_mixed_points_are_legal(strategy):
    for ask in through(strategy, strategy.init(MIXED, 7), sizes(strategy, 6, 6, 6)).asks:
        legal(MIXED, ask.point)


SPANS = st.tuples(st.floats(1e-6, 1.0), st.floats(1.5, 1e4))
RANGES = st.one_of(
    SPANS.map(lambda s: (s[0] - 0.5, s[0] * s[1] - 0.5, "linear", False)),
    SPANS.map(lambda s: (s[0], s[0] * s[1], "log", False)),
    SPANS.map(lambda s: (1 - s[0], 1 - s[0] / s[1], "complement", False)),
    st.tuples(st.integers(-5, 5), st.integers(1, 300)).map(lambda s: (s[0], s[0] + s[1], "linear", True)),
    st.tuples(st.integers(1, 5), st.integers(1, 300)).map(lambda s: (s[0], s[0] + s[1], "log", True)),
)
OPTIONS = st.lists(st.one_of(st.integers(-9, 9), st.sampled_from("abc")), min_size=1, max_size=4, unique=True)


@st.composite
def spaces(draw):
    """A few dimensions of any kind; each may need an option of one before."""
    made = []
    for index in range(draw(st.integers(1, 4))):
        asked = [each for each in made if each.options]
        parent = draw(st.none() | st.sampled_from(asked)) if asked else None
        needs = () if parent is None else (Need(parent.name, (draw(st.sampled_from(parent.options)),)),)
        if draw(st.booleans()):
            options = tuple(draw(OPTIONS))
            made.append(Dimension(f"d{index}", 0, len(options) - 1, options=options, needs=needs))
        else:
            low, high, scale, whole = draw(RANGES)
            leaf = draw(st.booleans())
            made.append(Dimension(f"d{index}", low, high, scale, whole, leaf=leaf, needs=needs))
    return tuple(made)


# One ask of a Gaussian process costs a second; its points are checked on the mixed space.
@pytest.mark.parametrize("strategy", [s for s in EACH if type(s) is not GP], ids=lambda s: type(s).__name__)
@given(spaces(), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_points_of_any_space_are_legal(strategy, dimensions, seed):
    assume(type(strategy) is not PBT or any(each.leaf for each in dimensions))
    state = through(strategy, strategy.init(dimensions, seed), [4, 4], lambda point: float(len(str(point))))
    assert state.asks
    for ask in state.asks:
        legal(dimensions, ask.point)


@ALL
def test_strategies_are_values(strategy):
    assert Strategy.from_json(strategy.to_json()) == strategy
    assert eval(repr(strategy), {"kl": __import__("kilter")}) == strategy
    assert strategy.formula
    assert strategy.source
    assert strategy.choose
