"""Populations in a search: copies are their parents, schedules are found, told, trained again, and survive an end."""

import jax
import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim, strategies
from kilter.core.errors import InputError
from kilter.search import confirm, importance, lineage, standings
from kilter.search.trial import Trial
from kilter.train.launch import fleets
from kilter.train.task import Task

LR = "optimizer.lr"
# Searches that are ended on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:search.trials=:kilter.DoubtWarning")


def recipe(epochs=4, **given):
    """Iris, 4-8-3, with all that a copy must bring: momentum, dropout, a slope that decides on what weights predict."""
    net = nn.Chain(nn.Dense(8), nn.LeakyReLU(kl.Uniform(0.0, 0.9)), nn.Dropout(kl.Uniform(0.0, 0.4)), nn.Dense(3))
    optimizer = optim.SGD(kl.LogUniform(1e-3, 1.0), momentum=0.5)
    parts = {"optimizer": optimizer, "epochs": epochs, "metric": kl.metrics.LogLoss()} | given
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), **parts)


PBT = strategies.PBT(population=6, share=0.34, resample=0.5)


def search(iris, space=None, **given):
    return kl.search(space or recipe(), iris, **{"trials": 24, "strategy": PBT, "progress": False} | given)


@pytest.fixture(scope="module")
def study(iris):
    return search(iris)


def test_copies_are_their_parents_bit_for_bit(iris, study):
    before, after = search(iris, trials=12).members, search(iris, trials=18).members
    asks = study.state.asks
    children = {id: asks[id].parent for id in range(12, 18)}
    assert max(list(children.values()).count(parent) for parent in children.values()) >= 2
    changed = [id for id, parent in children.items() if asks[id].point != asks[parent].point]
    assert changed
    for id, parent in children.items():
        for name, line in before[parent][0].lines.items():
            np.testing.assert_array_equal(after[id][0].lines[name][: len(line)], line)
            assert len(after[id][0].lines[name]) == len(line) + 1
    recipes = [study.space.build(asks[id].point) for id in children]
    paused = [before[parent][0] for parent in children.values()]
    ((_, fleet),) = fleets(Task([(each, 0) for each in recipes], iris, paused=paused))
    for copy, parent in zip(fleet.paused(), children.values(), strict=True):
        jax.tree.map(np.testing.assert_array_equal, copy.leaves, before[parent][0].leaves)


def test_a_member_that_is_never_changed_is_one_trained_straight_through(iris, study):
    asks = study.state.asks
    ids = [id for id in range(18, 24) if lineage.steady(lineage.line(asks, id)) and id in study.runs]
    assert ids
    straight = kl.train_fleet([study.space.build(asks[id].point) for id in ids], iris, progress=False)
    for id, run in zip(ids, straight, strict=True):
        np.testing.assert_allclose(study.runs[id][0].history["loss"], run.history["loss"], rtol=1e-4)


def test_the_rates_of_the_history_are_those_of_the_lineage(study):
    table = study.lineage()
    assert list(table) == ["begin", "end", "net.layers[1].slope", "net.layers[2].rate", LR, "score", "last"]
    assert table["begin"].tolist() == [0, 1, 2, 3]
    assert table["end"].tolist() == [1, 2, 3, 4]
    assert table.index[-1] == study.best.trial
    run = study.best.run
    np.testing.assert_allclose(run.history["lr"], table[LR], rtol=1e-6)
    np.testing.assert_allclose(run.history["val_log_loss"], table["last"], rtol=1e-6)
    assert (table["score"].cummin() == table["score"]).all()
    assert table["score"].iloc[-1] == study.best.score == study.trials["score"].min()
    other = study.lineage(3)
    assert (len(other), other.loc[3, LR]) == (1, study.records[3].point[LR])
    for wrong in (99, "best"):
        with pytest.raises(InputError, match="trial must be the number of a trial that has ended"):
            study.lineage(wrong)


def test_runs_have_the_recipe_that_their_best_epoch_was_trained_with(iris):
    """A falling metric late in training makes the best epoch one of the parents; its slope must be the parent's."""
    space = recipe(epochs=6, optimizer=optim.SGD(kl.Uniform(1.0, 2.0), momentum=0.9))
    study = search(iris, space, trials=36, keep=36, seed=1)
    earlier = 0
    for id, (run,) in study.runs.items():
        line = lineage.line(study.state.asks, id)
        assert run.recipe == study.space.build(line[run.epoch - 1].point)
        # The program measures in float32, the run in float64.
        assert run.score == pytest.approx(run.history["val_log_loss"][run.epoch - 1], rel=1e-4)
        assert study.records[id].score == run.score
        earlier += run.recipe.net != study.space.build(line[-1].point).net
    assert earlier
    assert study.best.recipe == study.best.run.recipe


def test_the_shape_of_a_copy_is_that_of_its_parent(iris):
    net = nn.Chain(nn.Dense(kl.Choice(4, 8)), nn.ReLU(), nn.Dense(3))
    study = search(iris, recipe(2).replace(net=net), trials=12)
    asks = study.state.asks
    units = "net.layers[0].units"
    assert len({ask.point[units] for ask in asks[:6]}) == 2
    assert all(ask.point[units] == asks[ask.parent].point[units] for ask in asks[6:])
    assert any(ask.point[LR] != asks[ask.parent].point[LR] for ask in asks[6:])
    assert all(trial.ok for trial in study.records)


def test_the_best_now_are_copied_not_those_that_once_were(study):
    for trial, told in zip(study.records, study.state.scores, strict=True):
        assert told == -trial.last
        assert trial.last >= trial.score or trial.last == pytest.approx(trial.score, rel=1e-6)


def trial(id, parent, epochs, score, kept):
    return Trial(id, {}, epochs, parent, (score,), "", 0.0, (score,), (kept,))


@pytest.mark.parametrize(
    ("trials", "listed"),
    [
        # Trained on and better, trained on and worse since measured anew.
        ([trial(0, None, 1, 0.5, 1), trial(1, 0, 2, 0.7, 2)], [1]),
        ([trial(0, None, 1, 0.5, 1), trial(1, 0, 2, 0.4, 2)], [0, 1]),
        # Two copies that found nothing are one network; so is a copy of a copy.
        ([trial(0, None, 1, 0.5, 1), trial(1, 0, 2, 0.5, 1), trial(2, 0, 2, 0.5, 1)], [1]),
        ([trial(0, None, 1, 0.5, 1), trial(1, 0, 2, 0.5, 1), trial(2, 1, 3, 0.5, 1)], [2]),
        # A sibling was better: the copy that found nothing is but the parent.
        ([trial(0, None, 1, 0.5, 1), trial(1, 0, 2, 0.7, 2), trial(2, 0, 2, 0.5, 1)], [1]),
    ],
)
def test_each_network_is_listed_once(trials, listed):
    found = standings.distinct(trials, {each.id: (each.score,) for each in trials})
    assert sorted(each.id for each in found) == listed


def test_what_a_study_tells_of_a_population(study, iris):
    assert len(study.trials) == 24
    names = [each.id for each in study.ranked]
    weights = [np.asarray(jax.tree.leaves(study.runs[id][0].params)[0]).tobytes() for id in names if id in study.runs]
    assert len(set(weights)) == len(weights)
    assert len(study.ensemble(2).runs) == 2
    fresh = [each for each in study.records if each.epochs == 1]
    told = importance.table(fresh, study.space, study.metric, 4, 0)
    assert study.importance(trees=4).equals(told)  # of later ones fewer were never changed


def test_a_schedule_is_trained_again_and_confirmed(study, iris):
    lines = {trial.id: lineage.line(study.state.asks, trial.id) for trial in study.ranked}
    id = next(id for id, line in lines.items() if not lineage.steady(line))
    (run,) = study.runs[id]
    (again,) = confirm._along(lines[id], study.space, iris, (0,), False)
    np.testing.assert_allclose(again.history["loss"], run.history["loss"], rtol=1e-4)
    assert again.score == pytest.approx(run.score, rel=1e-4)
    assert again.recipe == run.recipe
    found = study.confirm(seeds=2, progress=False)
    assert found.scores.shape == (2, 2)
    assert len(set(found.scores.ravel())) == 4


def test_a_population_beats_the_same_one_left_alone():
    """Digits and a rate from a range of five decades; left alone, most of its members have a poor one.

    The initial population of PBT is the same; each member is trained as many epochs.
    """
    net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(10))
    loss = losses.SoftmaxCrossEntropy()
    space = kl.Recipe(net, loss, optimizer=optim.SGD(kl.LogUniform(1e-4, 10.0)), epochs=8, metric=kl.metrics.LogLoss())
    data = kl.data.digits()
    for seed in range(3):
        study = kl.search(space, data, trials=64, strategy=strategies.PBT(population=8), seed=seed, progress=False)
        alone = [study.space.build(ask.point) for ask in study.state.asks[:8]]
        scores = [run.score for run in kl.train_fleet(alone, data, progress=False)]
        last = [each.score for each in study.records[-8:]]
        assert study.best.score < 0.6 * np.median(scores)
        assert study.best.score <= min(scores) * (1 + 1e-4)
        assert np.median(last) < 0.7 * np.median(scores)


def test_a_population_goes_on_where_it_was_ended(iris, study, tmp_path):
    for trials in (6, 12, 24):
        parts = search(iris, trials=trials, storage=tmp_path / "study")
    columns = [name for name in study.trials if name != "seconds"]
    assert parts.trials[columns].equals(study.trials[columns])
    assert parts.best.recipe == study.best.recipe
    np.testing.assert_array_equal(parts.best.run.history["loss"], study.best.run.history["loss"])


def test_parents_stay_until_their_generation_is_over(iris, study, monkeypatch):
    """A batch smaller than the population: the second half of a generation still needs the one before."""
    monkeypatch.setattr(strategies.PBT, "batch", 4)
    found = search(iris)
    assert [ask.parent for ask in found.state.asks] == [ask.parent for ask in study.state.asks]
    assert all(each.ok for each in found.records)


def test_what_no_population_can_train_is_refused(iris):
    net = nn.Chain(nn.Dense(kl.Choice(4, 8)), nn.Dense(3))
    fixed = recipe(optimizer=optim.SGD(0.1)).replace(net=net)
    with pytest.raises(InputError, match=r"none of \['net.layers\[0\].units'\] can change while a network trains"):
        search(iris, fixed)


def test_nothing_but_the_population_ends_a_member(iris):
    stopping = kl.EarlyStopping(1, min_delta=9.0)  # would end all after one epoch
    study = search(iris, recipe(stopping=stopping), trials=12)
    assert study.space.recipe.stopping is None
    assert study.trials["epochs"].tolist() == [1] * 6 + [2] * 6


@pytest.mark.filterwarnings("error")
def test_a_population_that_would_end_half_trained_is_doubted(iris):
    with pytest.warns(
        kl.DoubtWarning, match=r"^search\(trials=6\): .* needs 24 trials and .* about epoch 1 of 4; give"
    ):
        search(iris, trials=6)
    search(iris, trials=24, time_limit=1e-9)
    assert [strategies.PBT(epochs, every=every).needed for epochs, every in ((20, 1), (20, 6), (1, 9))] == [320, 64, 16]
