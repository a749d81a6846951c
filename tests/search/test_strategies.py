"""Strategies one by one: what their papers promise, against outside witnesses."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from driving import MIXED, scores, through
from scipy.stats import qmc

from kilter.core.errors import InputError
from kilter.search.dimension import Dimension
from kilter.search.strategies import (
    ASHA,
    GP,
    PBT,
    TPE,
    CoarseToFine,
    Grid,
    Hyperband,
    Random,
    Sobol,
    State,
    SuccessiveHalving,
)

LINE = (Dimension("x", 0.0, 1.0),)


def test_what_cannot_be_told_or_begun_is_refused():
    state, asks = Random().ask(Random().init(LINE), 2)
    with pytest.raises(InputError, match="a score a trial is needed, got 1 for 2 trials"):
        Random().tell(state, asks, [0.1])
    with pytest.raises(InputError, match="trial 0 is not out"):
        Random().tell(Random().tell(state, asks[:1], [0.1]), asks[:1], [0.2])
    with pytest.raises(InputError, match="epochs is open; give it, or use"):
        Hyperband().init(LINE)
    with pytest.raises(InputError, match="least must be at most the 9 epochs"):
        ASHA(9, least=10).init(LINE)
    with pytest.raises(InputError, match=r"Grid\(.*: 1e\+06 points are more than 100000"):
        Grid(levels=10).init([Dimension(f"x{i}", 0.0, 1.0) for i in range(6)])
    for text in ("", "[]", "{}", '{"dimensions": [], "seed": 0, "asks": [], "told": [[3, 0.5]]}'):
        with pytest.raises(InputError):
            State.from_json(text)


def test_a_grid_asks_for_every_combination_once():
    state, asks = Grid(levels=3).ask(Grid(levels=3).init(MIXED, 1), 10**6)
    points = [tuple(sorted(ask.point.items(), key=str)) for ask in asks]
    assert len(set(points)) == len(points) == 3 * 3 * 3 * 3 * 3 * (1 + 1 + 3) * 3
    assert sorted({ask.point["lr"] for ask in asks}) == pytest.approx([1e-5, 1e-3, 1e-1])
    assert Counter(ask.point["batch"] for ask in asks) == {size: len(asks) / 3 for size in (16, 32, 64)}
    assert Grid(levels=3).ask(state, 5)[1] == ()


def test_sobol_points_are_scipys_and_fill_better_than_random_ones():
    dimensions = [Dimension(f"x{i}", 0.0, 1.0) for i in range(4)]
    for seed in range(5):
        found = {
            kind: np.array([list(ask.point.values()) for ask in kind().ask(kind().init(dimensions, seed), 64)[1]])
            for kind in (Sobol, Random)
        }
        np.testing.assert_array_equal(found[Sobol], qmc.Sobol(4, rng=np.random.default_rng(seed)).random(64))
        assert qmc.discrepancy(found[Sobol]) < 0.5 * qmc.discrepancy(found[Random])


LOGS = tuple(Dimension(f"x{i}", 1e-6, 1.0, "log") for i in range(3))


def hill(point):
    """A quadratic bowl in the logarithms, its optimum off the middle."""
    return -sum((math.log10(point[f"x{i}"]) + 1.5 + i) ** 2 for i in range(3))


def best(strategy, seed, batches, size, objective=hill, dimensions=LOGS):
    state = through(strategy, strategy.init(dimensions, seed), [size] * batches, objective)
    return max(score for score in state.scores if score is not None)


def test_coarse_to_fine_beats_random_search_on_a_bowl():
    found = {
        kind: np.array([best(strategy, seed, 4, 16) for seed in range(20)])
        for kind, strategy in (("fine", CoarseToFine(trials=16)), ("random", Random()))
    }
    assert (found["fine"] > found["random"]).sum() >= 18  # a fair coin: p = 0.0002
    assert np.median(found["fine"]) > 0.2 * np.median(found["random"])  # regrets are negative scores


def test_coarse_to_fine_stays_in_its_boxes():
    strategy = CoarseToFine(trials=8, rounds=3, keep=0.01, shrink=0.5)
    state = through(strategy, strategy.init(LOGS, 0), [8] * 5, hill)
    places = np.array([[dimension.encode(ask.point[dimension.name]) for dimension in LOGS] for ask in state.asks])
    for done in range(1, 5):
        center = places[state.ranked(range(8 * done))[0]]
        width = 0.5 ** min(done, 2)
        low = np.clip(center - width / 2, 0, 1 - width)
        inside = places[8 * done : 8 * done + 8]
        assert (inside >= low - 1e-9).all()
        assert (inside <= low + width + 1e-9).all()


# Li et al. 2018, table 1: trials and epochs of the brackets of Hyperband for R = 81, eta = 3.
TABLE = [
    [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
    [(34, 3), (11, 9), (3, 27), (1, 81)],
    [(15, 9), (5, 27), (1, 81)],
    [(8, 27), (2, 81)],
    [(5, 81)],
]


def test_hyperband_has_the_brackets_of_its_paper():
    strategy = Hyperband(81)
    asked, state = [], strategy.init(LOGS, 0)
    while True:
        state, asks = strategy.ask(state, 1000)
        if not asks:
            break
        assert len({ask.epochs for ask in asks}) == 1
        asked.append((len(asks), asks[0].epochs))
        state = strategy.tell(state, asks, scores(asks, hill))
    assert asked == [rung for bracket in TABLE for rung in bracket]


def test_halving_trains_the_best_on_and_no_others():
    strategy = SuccessiveHalving(27, trials=30)
    state, asks = strategy.ask(strategy.init(LOGS, 0), 40)
    sizes = []
    while asks:
        sizes.append((len(asks), asks[0].epochs))
        told = np.random.default_rng(len(sizes)).permutation(len(asks)).astype(float)
        state = strategy.tell(state, asks, told)
        winners = {asks[i].id for i in np.argsort(-told)[: len(asks) // 3]}
        state, asks = strategy.ask(state, 40)
        assert {ask.parent for ask in asks} == (winners if asks else set())
    assert sizes == [(30, 1), (10, 3), (3, 9), (1, 27)]
    assert not state.pending


def test_halving_costs_what_its_paper_says():
    """Jamieson and Talwalkar 2016, algorithm 1: all rungs cost the same, each trial being trained to r_k in all.

    Of the 16 epochs of a rung those are not spent again that its trials have behind them: half, with eta 2.
    """
    state = through(SuccessiveHalving(16, eta=2), SuccessiveHalving(16, eta=2).init(LOGS, 0), [16, 8, 4, 2, 1], hill)
    cost = Counter()
    for ask in state.asks:
        cost[ask.epochs] += ask.epochs - (0 if ask.parent is None else state.asks[ask.parent].epochs)
    assert cost == {1: 16, 2: 8, 4: 8, 8: 8, 16: 8}


def learning(ask):
    """A learning curve: the hill, and a gap that closes with the root of the epochs, at a pace of its own."""
    pace = 2.0 + math.sin(1e4 * ask.point["x0"])
    return hill(ask.point) - 8.0 * pace / math.sqrt(ask.epochs)


@pytest.mark.parametrize("strategy", [SuccessiveHalving(81), Hyperband(81), ASHA(81)], ids=lambda s: type(s).__name__)
def test_halving_beats_random_search_of_as_many_epochs(strategy):
    wins = 0
    for seed in range(20):
        state, asks = strategy.ask(strategy.init(LOGS, seed), 27)
        spent = 0
        while asks and spent < 2000:
            spent += sum(a.epochs - (0 if a.parent is None else state.asks[a.parent].epochs) for a in asks)
            state, asks = strategy.ask(strategy.tell(state, asks, list(map(learning, asks))), 27)
        found = max(hill(ask.point) for ask in state.asks if ask.epochs == 81)
        wins += found > best(Random(), seed + 100, 1, math.ceil(spent / 81))
    assert wins >= 15  # a fair coin: p = 0.02


def test_asha_never_waits_and_promotes_the_best_third():
    strategy = ASHA(9)
    state = strategy.init(LOGS, 0)
    for turn in range(60):
        state, (ask,) = strategy.ask(state, 1)
        if ask.parent is not None:
            rung = [a.id for a in state.asks if a.epochs == state.asks[ask.parent].epochs and a.id < ask.id]
            assert ask.parent in state.ranked(rung)[: len(rung) // 3]
        state = strategy.tell(state, [ask], [hill(ask.point)])
        if turn == 2:
            assert strategy.next(state).parent is not None
    counts = Counter(ask.epochs for ask in state.asks)
    assert counts[1] // 3 <= counts[3] <= counts[1] // 2  # a few were among the best only so far
    assert counts[9] >= 1
    busy, asks = strategy.ask(strategy.init(LOGS, 0), 50)
    assert len(asks) == 50
    assert busy.pending


@pytest.mark.parametrize("least", [1, 2, 7])
@pytest.mark.parametrize("eta", [2, 3, 4])
@pytest.mark.parametrize("epochs", [7, 50, 81, 100, 243])
def test_ladders_rise_by_eta_to_all_epochs(epochs, eta, least):
    ladder = ASHA(epochs, least, eta).ladder
    assert ladder[-1] == epochs
    assert ladder[0] >= least
    assert ladder[0] <= least * eta
    for low, high in pairwise(ladder):
        assert abs(high / eta - low) <= 0.5 + 0.5 / eta  # both are rounded


def test_pbt_replaces_the_worst_by_changed_copies_of_the_best():
    strategy = PBT(epochs=3, population=10, share=0.2, resample=0.0)
    state, asks = strategy.ask(strategy.init(MIXED, 0), 99)
    assert len(asks) == 10
    told = [float(ask.id) for ask in asks]
    told[4] = math.nan
    state, asks = strategy.ask(strategy.tell(state, asks, told), 99)
    by_member = {ask.id - 10: ask for ask in asks}
    for member in (0, 1, 4):
        assert by_member[member].parent in (8, 9) or (member == 1 and by_member[1].parent == 1)
    for member in (2, 3, 5, 6, 7, 8, 9):
        assert by_member[member].parent == member
        assert by_member[member].point == state.asks[member].point
    changed = by_member[0]
    parent = state.asks[changed.parent].point
    expected = {round(min(max(parent["lr"] * times, 1e-5), 1e-1), 12) for times in (1.2, 1 / 1.2)}
    assert round(changed.point["lr"], 12) in expected
    share = (1 - changed.point["momentum"]) / (1 - parent["momentum"])
    assert share == pytest.approx(1.2) or share == pytest.approx(1 / 1.2) or changed.point["momentum"] in (0.5, 0.999)
    assert abs((0.1, 0.2, 0.5).index(changed.point["rate"]) - (0.1, 0.2, 0.5).index(parent["rate"])) <= 1
    assert all(ask.epochs == 2 for ask in asks)
    state = through(strategy, strategy.tell(state, asks, scores(asks)), [99])
    assert strategy.ask(state, 99)[1] == ()
    assert len(state.asks) == 30


def test_pbt_follows_a_moving_optimum():
    """Jaderberg et al. 2017: with a rate that should fall over time, the last generation's is near the last optimum."""

    def moving(ask):
        return -abs(math.log10(ask.point["x"]) + 1 + ask.epochs / 10)

    dimension = (Dimension("x", 1e-6, 1.0, "log", leaf=True),)
    strategy = PBT(epochs=20, population=12, factor=2)
    first, last = [], []
    for seed in range(8):
        state, asks = strategy.ask(strategy.init(dimension, seed), 99)
        first.append(np.median(list(map(moving, asks))))
        while asks:
            told = list(map(moving, asks))
            state, asks = strategy.ask(strategy.tell(state, asks, told), 99)
        last.append(np.median(told))
    assert np.mean(last) > 0.5 * np.mean(first)
    assert np.mean(last) > -0.7  # decades from an optimum that moved by two


def test_tpe_is_no_worse_than_optuna_by_itself():
    import optuna

    def theirs(seed):
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True), direction="maximize"
        )
        study.optimize(
            lambda trial: hill({f"x{i}": trial.suggest_float(f"x{i}", 1e-6, 1.0, log=True) for i in range(3)}), 40
        )
        return study.best_value

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        own = np.log([-best(TPE(), seed, 40, 1) for seed in range(8)])
        other = np.log([-theirs(seed) for seed in range(8)])
    finally:
        optuna.logging.set_verbosity(before)
    spread = math.sqrt((own.var(ddof=1) + other.var(ddof=1)) / 8)
    assert own.mean() < other.mean() + 2.5 * spread
    random = np.log([-best(Random(), seed, 40, 1) for seed in range(8)])
    assert own.mean() < random.mean()


def test_replaying_leaves_optunas_log_level_alone():
    import optuna

    before = optuna.logging.get_verbosity()
    through(TPE(startup=1), TPE(startup=1).init(LOGS, 0), [2, 2], hill)
    assert optuna.logging.get_verbosity() == before


def test_a_batch_of_tpe_asks_for_different_points():
    state = through(TPE(startup=4), TPE(startup=4).init(LOGS, 0), [12], hill)
    _, asks = TPE(startup=4).ask(state, 8)
    places = np.log10([list(ask.point.values()) for ask in asks])
    distances = np.abs(places[:, None] - places[None]).max(-1) + 9 * np.eye(len(places))
    assert distances.min() > 1e-3


def test_a_gaussian_process_climbs_a_hill():
    dimension = (Dimension("x", 1e-6, 1.0, "log"),)
    found = best(GP(startup=4), 0, 10, 1, lambda point: -((math.log10(point["x"]) + 1.5) ** 2), dimension)
    assert found > -1e-3


def test_gp_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(InputError, match=r"needs PyTorch: pip install kilter\[gp\]"):
        GP().ask(GP().init(LOGS), 1)
