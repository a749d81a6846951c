"""Pictures of all objects: what is drawn is what was measured, and nothing to draw is said in a sentence."""

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import FileError, InputError
from kilter.train import Prediction

NET = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
RECIPE = kl.Recipe(NET, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.02), epochs=6)


@pytest.fixture(scope="module")
def data():
    return kl.data.iris()


@pytest.fixture(scope="module")
def runs(data):
    return kl.train_fleet([RECIPE, RECIPE.put("optimizer.lr", 0.2)], data, watch=kl.Watch(every=2), progress=False)


def test_a_run_draws_its_history(runs, tmp_path):
    figure = runs[0].plot(tmp_path / "run.png")
    left, right = figure.axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), runs[0].history["loss"])
    np.testing.assert_array_equal(right.lines[0].get_ydata(), runs[0].history["val_accuracy"])
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_runs_are_drawn_over_each_other(runs):
    left, right = runs.plot().axes
    assert len(left.lines) == len(right.lines) == 2


def test_a_trace_is_drawn_as_maps(runs):
    trace = runs[0].vitals
    maps = [np.ma.filled(axes.images[0].get_array(), np.nan) for axes in trace.plot().axes if axes.images]
    for drawn, values in zip(maps, (trace.signals.mean, trace.signals.std, trace.signals.dead), strict=False):
        np.testing.assert_allclose(drawn, values)
    assert [each.shape for each in maps] == [(len(trace), 3)] * 5 + [(len(trace), 4)]


def test_a_checkup_is_drawn_beside_its_reference(data):
    check = kl.examine(RECIPE.put("optimizer.lr", 1e-6), data)
    (axes,) = check.plot().axes
    assert len(axes.lines) == 6  # three seeds of each
    assert axes.get_title() == "lr too low"


def test_a_range_test_and_a_study_are_drawn(data):
    assert len(kl.lr_range_test(RECIPE, data).plot().axes) == 1
    study = kl.search(RECIPE.put("optimizer.lr", kl.LogUniform(1e-3, 1e-1)), data, trials=4, progress=False)
    assert next(axes.get_xlabel() for axes in study.plot().axes) == "trial"


def test_folds_are_drawn_and_their_means(data):
    found = kl.cross_validate([RECIPE, RECIPE.put("optimizer.lr", 0.1)], data, folds=2, seeds=1, progress=False)
    (axes,) = found.plot().axes
    worst_first = np.argsort(found.mean)
    folds, means = ([line.get_xdata() for line in axes.lines[first::2]] for first in (0, 1))
    np.testing.assert_allclose(folds, [found.scores[place].ravel() for place in worst_first])
    np.testing.assert_allclose(np.ravel(means), found.mean[worst_first])
    names = np.array(["lr 0.02", "lr 0.1"])
    assert [label.get_text() for label in axes.get_yticklabels()] == list(names[worst_first])


def test_members_are_drawn_beside_the_ensemble(runs, data):
    both = kl.ensemble(runs, data)
    (axes,) = both.plot().axes
    np.testing.assert_allclose(axes.collections[0].get_offsets()[:, 1], sorted(m["accuracy"] for m in both.members))
    assert axes.lines[1].get_ydata()[0] == both.score
    with pytest.raises(InputError, match="made without data"):
        kl.ensemble(runs).plot()


def test_how_sure_a_prediction_is_is_drawn(runs, data):
    both = kl.ensemble(runs, data)
    told = both.spread(data.test)
    (axes,) = told.plot().axes
    top = axes.collections[1].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(told.entropy.max())
    mean, spread = np.arange(5.0), np.full(5, 0.5)
    (axes,) = Prediction(mean, mean, spread, None, None, None).plot().axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), mean)


def test_nothing_to_draw(data, runs, tmp_path):
    with pytest.raises(InputError, match="a run of no epochs"):
        kl.train(RECIPE.replace(epochs=0), data, progress=False).plot()
    with pytest.raises(InputError, match="there are no runs"):
        type(runs)().plot()
    with pytest.raises(InputError, match="nothing was trained"):
        kl.examine(RECIPE.put("optimizer.lr", -0.1), data).plot()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot write"):
        runs[0].plot(tmp_path / "file" / "run.png")
