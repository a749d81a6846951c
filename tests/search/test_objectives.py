"""Several objectives: fronts against brute force, strategies that do not know of them, and what a study tells."""

import math

import numpy as np
import optuna
import pytest
from driving import MIXED, bowl
from hypothesis import given, settings
from hypothesis import strategies as st

import kilter as kl
from kilter import losses, nn, optim, strategies
from kilter.core.errors import InputError
from kilter.search import pareto
from kilter.search.strategies import ASHA, GP, PBT, TPE, CoarseToFine, Hyperband, State, Strategy, SuccessiveHalving
from kilter.search.strategies.state import Ask

# Small whole numbers, so that rows share values and are equal.
ROWS = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.tuples(*[st.integers(-3, 3)] * width), min_size=1, max_size=12)
)


def beats(x, y):
    return all(a >= b for a, b in zip(x, y, strict=True)) and x != y


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_ranks_are_the_longest_chains_of_rows_that_beat_each_other(rows):
    def chain(row):
        return max((1 + chain(other) for other in rows if beats(other, row)), default=0)

    assert pareto.ranks(np.array(rows, float)).tolist() == [chain(row) for row in rows]


def spaced(rows):
    """Crowding distances as Deb et al. 2002 write the algorithm, but that what all share counts nothing."""
    distance = [0.0] * len(rows)
    for m in range(len(rows[0])):
        order = sorted(range(len(rows)), key=lambda i: rows[i][m])
        low, high = rows[order[0]][m], rows[order[-1]][m]
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, place, after in zip(order, order[1:], order[2:], strict=False):
            distance[place] += (rows[after][m] - rows[before][m]) / (high - low)
    return distance


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_crowding_is_that_of_the_paper(rows):
    np.testing.assert_allclose(pareto.crowding(np.array(rows, float)), spaced(rows), rtol=1e-12)


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_the_order_goes_by_front_then_by_distance_then_by_number(rows):
    values = np.array(rows, float)
    order, front = pareto.order(values), pareto.ranks(values)
    assert sorted(order) == list(range(len(rows)))
    keys = []
    for row in order:
        mates = [other for other in range(len(rows)) if front[other] == front[row]]
        distance = pareto.crowding(values[mates])[mates.index(row)]
        keys.append((front[row], -distance, row))
    assert keys == sorted(keys)


SCORES = st.lists(st.none() | st.sampled_from([math.nan, -1.5, 0.0, 0.25, 0.5, 3.0]), min_size=1, max_size=12)


@given(SCORES)
@settings(max_examples=100, deadline=None)
def test_with_one_objective_the_order_is_that_of_the_score(told):
    state = State((), 0, tuple(Ask(id, {}) for id in range(len(told))), (None,) * len(told))
    one = state.told({id: score for id, score in enumerate(told) if score is not None})
    same = state.told({id: (score,) for id, score in enumerate(told) if score is not None})
    twice = state.told({id: (score, score) for id, score in enumerate(told) if score is not None})
    scored = [id for id, score in enumerate(told) if score is not None and not math.isnan(score)]
    expected = sorted(scored, key=lambda id: (-told[id], id))
    assert one.ranked() == same.ranked() == twice.ranked() == expected
    assert one.to_json() == same.to_json()
    assert all(score is None or isinstance(score, float) for score in same.scores)


def test_scores_of_several_objectives_survive_json():
    state = State(MIXED, 0, tuple(Ask(id, {}) for id in range(4)), (None,) * 4)
    state = state.told({0: (1.0, -2.0), 1: (math.nan, 3.0), 3: (2.0, -math.inf)})
    assert state.scores[0] == (1.0, -2.0)
    assert math.isnan(state.scores[1])
    assert math.isnan(state.scores[3])
    assert State.from_json(state.to_json()).to_json() == state.to_json()
    assert State.from_json(state.to_json()).scores[0] == (1.0, -2.0)
    assert state.ranked() == [0]
    with pytest.raises(InputError, match="scores of the same objectives"):
        state.told({2: 1.0})


def both(point):
    """The bowl, and units of which fewer are better; now and then a trial fails."""
    return math.nan if point["units"] % 7 == 0 else (bowl(point), -float(point["units"]))


RANKING = (
    CoarseToFine(trials=4),
    SuccessiveHalving(9),
    Hyperband(9),
    ASHA(9),
    PBT(epochs=4, population=5),
    TPE(startup=3),
    GP(startup=3),
)


@pytest.mark.parametrize("strategy", RANKING, ids=lambda strategy: type(strategy).__name__)
def test_strategies_go_through_several_objectives(strategy: Strategy):
    sizes = (3, 1) if type(strategy) is GP else (6, 5, 4)
    state = strategy.init(MIXED, 1)
    for size in sizes:
        state, asks = strategy.ask(state, size)
        told = strategy.tell(state, asks, [both(ask.point) for ask in asks])
        assert told == strategy.tell(State.from_json(state.to_json()), asks, [both(ask.point) for ask in asks])
        state = told
    assert len(state.asks) >= 4
    if type(strategy) is not GP:  # an ask of it takes seconds
        assert strategy.next(state) == strategy.next(State.from_json(state.to_json()))


def test_halving_trains_the_front_on():
    state, asks = SuccessiveHalving(9).ask(SuccessiveHalving(9).init(MIXED, 0), 9)
    # Ids 2, 5 and 7 are beaten by none; all others are beaten by id 5.
    told = [(0.0, -float(id)) for id in range(9)]
    told[2], told[5], told[7] = (1.0, 3.0), (2.0, 2.0), (3.0, 1.0)
    state = SuccessiveHalving(9).tell(state, asks, told)
    assert {ask.parent for ask in SuccessiveHalving(9).ask(state, 9)[1]} == {2, 5, 7}


def test_tpe_finds_the_front_of_two_hills():
    """One objective falls with x, the other rises; with y alone both fall: TPE must leave y low and x spread."""
    dimensions = MIXED[:2]
    found = {}
    for kind, strategy in (("tpe", TPE()), ("random", strategies.Random())):
        shares = []
        for seed in range(4):
            state = strategy.init(dimensions, seed)
            for _ in range(6):
                state, asks = strategy.ask(state, 8)
                places = [
                    (dimensions[0].encode(a.point["lr"]), dimensions[1].encode(a.point["momentum"])) for a in asks
                ]
                state = strategy.tell(state, asks, [(-x - y, x - 1 - y) for x, y in places])
            late = [dimensions[1].encode(ask.point["momentum"]) for ask in state.asks[24:]]
            shares.append(np.mean(late))
        found[kind] = np.mean(shares)
    assert found["tpe"] < found["random"] - 0.1


WIDTHS = kl.Recipe(
    nn.Chain(nn.Dense(kl.Choice(2, 4, 16)), nn.ReLU(), nn.Dense(10)),
    losses.SoftmaxCrossEntropy(),
    optimizer=optim.Adam(kl.LogUniform(1e-3, 1e-1)),
    epochs=2,
)
NAMES = ("score", "parameters")


@pytest.fixture(scope="module")
def digits():
    return kl.data.digits()


def search(data, **given):
    given = {"trials": 12, "strategy": strategies.Random(), "objectives": NAMES, "progress": False} | given
    return kl.search(WIDTHS, data, **given)


@pytest.fixture(scope="module", autouse=True)
def _small_batches():
    """Batches of 6, so that a study that was cut after 6 trials has the same fleets as one that was not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strategies.Random, "batch", 6)
        yield


@pytest.fixture(scope="module")
def study(digits, _small_batches):
    return search(digits)


def test_the_front_of_a_study_is_what_no_trial_beats(study):
    table = study.trials
    assert list(table)[2:] == ["score", "parameters", "outcome", "seconds", "epochs"]
    rows = [(score, -size) for score, size in zip(table["score"], table["parameters"], strict=True)]
    expected = {id for id, row in enumerate(rows) if not any(beats(other, row) for other in rows)}
    front = study.front
    assert set(front.index) == expected
    assert list(front) == list(table) == list(study.leaderboard())
    assert front["score"].is_monotonic_decreasing
    assert front["parameters"].is_monotonic_decreasing
    assert len(front) >= 2
    assert front.index[0] == study.best.trial
    assert study.best.score == table["score"].max()
    for id, row in front.iterrows():
        assert study.runs[id][0].score == row["score"]
        sizes = {2: 2 * 65 + 30, 4: 4 * 65 + 50, 16: 16 * 65 + 170}
        assert row["parameters"] == sizes[row["net.layers[0].units"]]


def test_runs_of_the_front_are_kept_too(study, digits):
    few = search(digits, keep=1)
    assert set(few.runs) == set(study.front.index)
    assert len(few.ensemble(1).runs) == 1
    with pytest.raises(InputError, match="from 1 to the 1 trials"):
        few.ensemble(5)


def test_a_study_of_several_objectives_goes_on(study, digits, tmp_path):
    folder = tmp_path / "study"
    search(digits, trials=6, storage=folder)
    again = search(digits, storage=folder, optuna=True)
    columns = [name for name in study.trials if name != "seconds"]
    assert again.trials[columns].equals(study.trials[columns])
    assert again.state.scores == study.state.scores
    with pytest.raises(InputError, match="other objectives"):
        search(digits, storage=folder, objectives=("score",))
    url = f"sqlite:///{folder / 'optuna.sqlite'}"
    (name,) = optuna.get_all_study_names(url)
    there = optuna.load_study(study_name=name, storage=url)
    assert [each.name for each in there.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert {each.user_attrs["kilter_trial"] for each in there.best_trials} == set(study.front.index)


def test_seconds_are_those_of_the_whole_way(iris):
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    space = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(kl.LogUniform(1e-3, 1.0)), epochs=4)
    names = ("score", "seconds", "parameters")
    strategy = SuccessiveHalving(2, 1, 2)
    study = kl.search(space, iris, trials=3, strategy=strategy, objectives=names, progress=False)
    for each, told in zip(study.records, study.state.scores, strict=True):
        assert told == (each.score, -each.seconds, -each.parameters)
        if each.parent is not None:
            assert each.seconds > study.records[each.parent].seconds
    assert len(study.front)


@pytest.mark.parametrize("wrong", ["score", (), ("parameters",), ("score", "score"), ("score", "size"), 3])
def test_wrong_objectives_are_refused(iris, wrong):
    with pytest.raises(InputError, match=r"objectives must be \('score',\)"):
        kl.search(WIDTHS, iris, objectives=wrong)
