"""Studies: what a search finds and records, that it goes on after any end, and that what is trained on never restarts."""

import importlib
import json
import multiprocessing
import os
import signal
from itertools import count

import jax
import numpy as np
import optuna
import pytest

import kilter as kl
from kilter import losses, nn, optim, strategies
from kilter.core.errors import FileError, InputError
from kilter.report.study_figure import study_figure
from kilter.search import fleets, importance
from kilter.search.storage import settings
from kilter.train import launch
from kilter.train.interrupt import Interrupt, interruptible
from kilter.train.stack import Stack
from kilter.train.task import Task

RATE = kl.LogUniform(1e-3, 1.0)


def recipe(lr=RATE, momentum=0.5, epochs=4, units=8, **given):
    """Iris, 4-8-3, with what a survivor must keep: a schedule, momentum, dropout."""
    net = nn.Chain(nn.Dense(units), nn.ReLU(), nn.Dropout(0.1), nn.Dense(3))
    optimizer = optim.SGD(optim.Cosine(lr), momentum=momentum)
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, **given)


SPACE = recipe(momentum=kl.Uniform(0.0, 0.9))


def search(iris, space=SPACE, **given):
    return kl.search(space, iris, **{"trials": 4, "strategy": strategies.Random(), "progress": False} | given)


def same_trials(one, other):
    """All but the time that they took."""
    columns = [name for name in one.trials if name != "seconds"]
    return one.trials[columns].equals(other.trials[columns])


@pytest.fixture(scope="module")
def study(iris):
    return search(iris)


def test_a_study_has_every_trial_and_the_best_of_them(study, iris):
    table = study.trials
    assert list(table) == ["optimizer.lr.lr", "optimizer.momentum", "score", "outcome", "seconds", "epochs"]
    assert len(table) == 4
    assert table["score"].nunique() > 1
    best = study.best
    assert best.score == table["score"].max() == best.run.score
    assert best.recipe == study.space.build(study.records[best.trial].point) == best.run.recipe
    assert study.leaderboard(2).index[0] == best.trial
    assert f"trial {best.trial}" in repr(study)
    alone = kl.train(best.recipe, iris, progress=False)  # a trial is a plain training
    assert alone.score == pytest.approx(best.score, abs=1e-6)


def test_the_direction_is_that_of_the_metric(iris):
    study = search(iris, recipe(momentum=kl.Uniform(0.0, 0.9), metric=kl.metrics.LogLoss()))
    assert study.best.score == study.trials["score"].min()
    assert list(study.leaderboard()["score"]) == sorted(study.trials["score"])


def test_the_best_are_an_ensemble_and_are_confirmed_on_fresh_seeds(study, iris):
    assert len(study.ensemble(2).runs) == 2
    with pytest.raises(InputError, match="from 1 to the 4 trials"):
        study.ensemble(5)
    found = study.confirm(seeds=2, progress=False)
    assert found.scores.shape == (2, 2)
    fresh = kl.train_fleet(found.recipes, iris, seeds=[1, 2], progress=False)
    assert np.allclose(found.scores.ravel(), [run.score for run in fresh])
    assert found.curse == pytest.approx(study.best.score - found.scores[0].mean())
    assert (found.intervals[:, 0] <= found.means).all()
    assert "winner" in repr(found)


def test_seeds_are_averaged(iris):
    study = search(iris, trials=2, seeds=2)
    assert all(trial.score == np.mean(trial.scores) and len(trial.scores) == 2 for trial in study.records)


def test_trials_that_cannot_be_trained_are_recorded_and_no_more(iris):
    space = recipe(units=kl.Choice(8, 500), momentum=kl.Choice(0.0, 0.5))
    table = search(iris, space, trials=6, max_params=1000).trials
    large = table["net.layers[0].units"] == 500
    assert 0 < large.sum() < 6
    assert table.loc[large, "score"].isna().all()
    assert table.loc[large, "outcome"].str.contains("max_params=1,000, at {'net.layers\\[0\\].units': 500").all()
    assert table.loc[~large, "score"].notna().all()
    wrong = recipe().replace(net=nn.Chain(kl.Choice(nn.Dense(3), nn.MaxPool())))
    failed = search(iris, wrong, trials=6).trials["outcome"]
    assert failed.str.contains("net.layers\\[0\\]").any()
    with pytest.raises(InputError, match="no trial of this study has a score; trial 0 failed"):
        _ = search(iris, max_params=1).best


@pytest.mark.parametrize(("most", "failed"), [(1, 0), (0, 4)])
def test_what_is_too_large_for_the_device_trains_in_halves_or_fails(iris, study, monkeypatch, most, failed):
    whole = fleets._run

    def short(fleet, indices, *given):
        if len(indices) > most:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return whole(fleet, indices, *given)

    monkeypatch.setattr(fleets, "_run", short)
    found = search(iris)
    assert found.trials["score"].isna().sum() == failed
    assert found.trials["outcome"].str.contains("out of memory").sum() == failed
    if not failed:
        assert np.allclose(found.trials["score"], study.trials["score"])


def test_trials_that_memory_cannot_hold_have_failed_and_the_others_go_on(iris, monkeypatch):
    monkeypatch.setattr(importlib.import_module("kilter.train.plan"), "free_memory", lambda: 1 << 20)
    table = search(iris, recipe(units=kl.Choice(8, 50_000), momentum=kl.Uniform(0.0, 0.9)), trials=6).trials
    large = table["net.layers[0].units"] == 50_000
    assert 0 < large.sum() < 6
    assert table.loc[large, "outcome"].str.contains("one member needs .* of memory").all()
    assert table.loc[~large, "score"].notna().all()


def test_a_trial_that_diverges_has_failed(iris):
    study = search(iris, recipe(kl.LogUniform(1e30, 1e32), momentum=kl.Uniform(0.0, 0.9)))
    assert study.trials["score"].isna().all()
    assert study.trials["outcome"].str.startswith("diverged").all()


def test_members_that_pause_go_on_as_if_they_had_not(iris):
    recipes = [recipe(0.1), recipe(0.3)]
    members, stop = [(each, 0) for each in recipes], Interrupt()
    straight = kl.train_fleet(recipes, iris, progress=False)
    ((_, first),) = launch.fleets(Task(members, iris, until=1))
    early = first.run(False, stop)
    assert [run.outcome for run in early] == [kl.Outcome.PAUSED] * 2
    ((_, second),) = launch.fleets(Task(members[::-1], iris, paused=first.paused()[::-1]))
    late = second.run(False, stop)[::-1]
    for one, other in zip(straight, late, strict=True):
        assert (one.epoch, one.score, one.outcome) == (other.epoch, other.score, other.outcome)
        jax.tree.map(np.testing.assert_array_equal, (one.history, one.params), (other.history, other.params))


def test_survivors_go_on_where_they_were(iris):
    study = search(iris, SPACE, strategy=strategies.SuccessiveHalving(4, 1, 2))
    assert list(study.trials["epochs"]) == [1] * 4  # the fourth ask ends it
    study = search(iris, SPACE, trials=9, strategy=strategies.SuccessiveHalving(4, 1, 2))
    assert list(study.trials["epochs"]) == [1, 1, 1, 1, 2, 2, 4]
    last = study.records[-1]
    straight = kl.train(study.space.build(last.point), iris, progress=False)
    run = study.runs[last.id][0]
    assert len(run.history["loss"]) == 4
    np.testing.assert_allclose(run.history["loss"], straight.history["loss"], rtol=1e-4)
    assert not study.members.keys() & {trial.parent for trial in study.records}


def test_a_study_is_kept_and_goes_on(study, iris, tmp_path):
    folder = tmp_path / "study"
    begun = search(iris, trials=2, storage=folder)
    assert len(begun.trials) == 2
    assert len(list((folder / "runs").iterdir())) == 2
    assert settings(folder)["trials"] == 2
    again = search(iris, storage=folder)
    assert same_trials(again, study)
    kept = kl.search(data=iris, progress=False, **settings(folder))  # nothing is left to do
    assert same_trials(kept, study)
    assert kept.best.run.score == study.best.run.score
    x = iris.validation.x
    assert np.array_equal(kept.best.run.predict_proba(x), again.best.run.predict_proba(x))


def test_a_study_goes_on_in_the_middle_of_a_climb(iris, tmp_path):
    strategy = strategies.SuccessiveHalving(4, 1, 2)
    whole = search(iris, trials=9, strategy=strategy)
    for trials in (4, 6, 9):
        parts = search(iris, trials=trials, strategy=strategy, storage=tmp_path / "study")
    assert same_trials(parts, whole)
    assert len(parts.best.run.history["loss"]) == 4


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"space": recipe()}, "another space"),
        ({"data": kl.data.wine()}, "other data"),
        ({"strategy": strategies.Sobol()}, "another strategy"),
        ({"seeds": 2}, "other seeds"),
        ({"seed": 1}, "another seed"),
    ],
)
def test_another_search_in_the_folder_is_refused(iris, tmp_path, change, told):
    folder = tmp_path / "study"
    search(iris, storage=folder, time_limit=1e-9)
    given = {"space": SPACE, "data": iris, "trials": 4, "strategy": strategies.Random(), "storage": folder} | change
    with pytest.raises(InputError, match=told):
        kl.search(**given)


def test_corrupt_and_foreign_folders_get_one_sentence(iris, tmp_path):
    folder = tmp_path / "study"
    search(iris, storage=folder, trials=2)
    whole = (folder / "study.json").read_text()
    facts = json.loads(whole)
    for broken in (whole[:100], "{}", json.dumps(facts | {"trials": 3}), json.dumps(facts | {"state": {}})):
        (folder / "study.json").write_text(broken)
        with pytest.raises(FileError, match="study"):
            search(iris, storage=folder, trials=2)
    (folder / "study.json").write_text(whole)
    run = next((folder / "runs").iterdir())
    (run / "weights.safetensors").write_bytes(b"none")
    with pytest.raises(FileError, match=r"weights.safetensors"):
        search(iris, storage=folder, trials=2)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "letter.txt").write_text("dear")
    with pytest.raises(FileError, match="something else stands there"):
        search(iris, storage=tmp_path / "foreign")


def test_ctrl_c_returns_the_study_so_far(iris, study, tmp_path, monkeypatch):
    advance, calls = Stack.advance, []

    def struck(stack, *given):
        calls.append(given)
        if len(calls) == 2:  # the first epochs; the call before names the columns
            os.kill(os.getpid(), signal.SIGINT)
        return advance(stack, *given)

    monkeypatch.setattr(Stack, "advance", struck)
    found = search(iris, storage=tmp_path / "study")
    assert len(found.trials) == 0
    assert found.state.pending
    assert same_trials(search(iris, storage=tmp_path / "study"), study)


def test_ctrl_c_in_an_inner_block_is_known_outside():
    with interruptible() as outer:
        with interruptible() as inner:
            os.kill(os.getpid(), signal.SIGINT)
        assert (inner.asked, outer.asked) == (True, True)
        with interruptible() as later:
            assert not later.asked


def test_a_study_out_of_time_begins_no_training(iris):
    found = search(iris, time_limit=1e-9)
    assert len(found.trials) == 0
    assert "0 trials" in repr(found)


def test_trials_land_in_optuna_too(iris, tmp_path):
    folder = tmp_path / "study"
    study = search(iris, trials=2, storage=folder, optuna=True)
    study = search(iris, trials=4, storage=folder, optuna=True)
    url = f"sqlite:///{folder / 'optuna.sqlite'}"
    (name,) = optuna.get_all_study_names(url)
    there = optuna.load_study(study_name=name, storage=url)
    assert [trial.value for trial in there.trials] == list(study.trials["score"])
    assert there.best_params == study.records[study.best.trial].point
    with pytest.raises(FileError, match="cannot be used"):
        search(iris, optuna=f"sqlite:///{tmp_path}/none/where.db")
    with pytest.raises(InputError, match="storage='FOLDER'"):
        search(iris, optuna=True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"space": recipe(0.1)}, "no distribution in this recipe"),
        ({"space": 3}, "kl.Recipe with distributions"),
        ({"data": [1]}, "made by kl.data"),
        ({"data": kl.data.from_arrays(np.eye(4), np.arange(4) % 2, validation=0)}, "validation rows"),
        ({"trials": 0}, "trials must be"),
        ({"seeds": [1, 1]}, "different seeds"),
        ({"time_limit": 0}, "time_limit must be above 0"),
        ({"time_limit": "1h"}, "time_limit must be above 0"),
        ({"max_params": 0}, "max_params must be"),
        ({"strategy": "tpe"}, "strategy must be one of kl.strategies"),
        ({"optuna": 3}, "URL of a storage"),
    ],
)
def test_bad_input_gets_one_sentence(iris, given, told):
    with pytest.raises(InputError, match=told):
        kl.search(**{"space": SPACE, "data": iris, "progress": False} | given)


def test_importance_is_the_known_decomposition_of_a_sum():
    """f = u0 + 2 u1 + 0 u2 + 4 (u0 - 1/2)(u1 - 1/2): variances 1/12, 4/12 and, of both together, 16/144."""
    places = np.random.default_rng(0).random((2000, 3))
    scores = places[:, 0] + 2 * places[:, 1] + 4 * (places[:, 0] - 0.5) * (places[:, 1] - 0.5)
    shares = importance.shares(places, scores, 8, 0)
    total = 1 / 12 + 4 / 12 + 16 / 144
    # A forest on 2000 points is within some hundredths of the function.
    np.testing.assert_allclose(shares.mean(0), np.array([1 / 12, 4 / 12, 0.0]) / total, atol=0.03)
    assert (shares.sum(1) < 1).all()
    assert shares.shape == (8, 3)


def test_the_importance_of_one_split_is_exact():
    """A tree with one cut: all variance is that of the dimension it cuts."""
    places = np.array([[0.2, 0.5], [0.2, 0.5], [0.8, 0.5], [0.8, 0.5]])
    shares = importance.shares(places, np.array([0.0, 0.0, 1.0, 1.0]), 16, 0)
    cut = shares.sum(1) > 0
    assert cut.any()
    np.testing.assert_allclose(shares[cut], np.broadcast_to([1.0, 0.0], shares[cut].shape), atol=1e-12)


def test_importance_and_the_figure_of_a_study(study, iris, tmp_path):
    table = study.importance(trees=4)
    assert set(table.index) == {"optimizer.lr.lr", "optimizer.momentum"}
    assert ((table["importance"] >= 0) & (table["importance"] <= 1)).all()
    study_figure(study, tmp_path / "study.svg")
    chosen = search(iris, recipe(momentum=kl.Choice(0.0, 0.5, 0.9), lr=kl.Choice(0.1, 0.2, 0.3)))
    assert len(study_figure(chosen).axes) == 3
    assert "optimizer.lr.lr" in (tmp_path / "study.svg").read_text()


# Processes that a server forks, which has imported what is slow to import and has never run anything.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["kilter", "kilter.report.study_figure", "optuna", "pytest", "sklearn.datasets"])


def searching(folder, cache, strategy, begins):
    """What is killed."""
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    data, strategy = kl.data.iris(), eval(strategy, {"kl": kl})
    begins.send("begins")
    search(data, SPACE, trials=12, strategy=strategy, storage=folder)


STRATEGIES = [strategies.SuccessiveHalving(4, 1, 2), strategies.PBT(4, 3, share=0.4), strategies.Hyperband(4)]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: type(each).__name__)
def test_a_process_that_is_killed_at_any_time_loses_no_law(iris, tmp_path, strategy):
    """Twenty-one kills in all, at any moment of a search; one that ends before its kill begins anew in another folder."""
    whole, draw = search(iris, SPACE, trials=12, strategy=strategy), np.random.default_rng(0)
    folders, killed = count(), 0
    folder = tmp_path / f"study {next(folders)}"
    while killed < 7:
        begun, begins = FORKED.Pipe(duplex=False)
        given = (folder, jax.config.jax_compilation_cache_dir, repr(strategy), begins)
        process = FORKED.Process(target=searching, args=given)
        process.start()
        begins.close()
        assert begun.recv() == "begins"
        process.join(draw.uniform(0.0, 1.5))
        process.kill()
        process.join()
        if process.exitcode == -signal.SIGKILL:
            killed += 1
        else:
            assert process.exitcode == 0
            assert same_trials(search(iris, SPACE, trials=12, strategy=strategy, storage=folder), whole)
            folder = tmp_path / f"study {next(folders)}"
    assert same_trials(search(iris, SPACE, trials=12, strategy=strategy, storage=folder), whole)


def test_the_function_and_the_package_share_a_name():
    assert callable(kl.search)
    assert importlib.import_module("kilter.search.space").Space is kl.Space
