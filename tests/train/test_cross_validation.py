"""Cross-validation: folds as scikit-learn would have them, scores as single runs give them, the test as published."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import StratifiedKFold

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.data.split import fold


@pytest.fixture(scope="module")
def recipes():
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    first = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(0.05, momentum=0.5), epochs=5)
    return [first, first.put("optimizer.lr", 0.2), first.put("optimizer.lr", 1e30)]


@pytest.fixture(scope="module")
def found(recipes, iris):
    return kl.cross_validate(recipes, iris, folds=4, seeds=[0, 7], progress=False)


@pytest.mark.parametrize(("rows", "folds"), [(10, 3), (150, 5), (7, 7)])
@pytest.mark.parametrize("seed", [0, 1])
def test_folds_cut_all_rows_with_classes_in_their_shares(rows, folds, seed):
    classes = np.random.default_rng(seed).choice(3, rows, p=[0.6, 0.3, 0.1])
    cut = fold(rows, folds, seed, classes)
    assert sorted(np.concatenate(cut)) == list(range(rows))
    sizes = [len(each) for each in cut]
    assert max(sizes) - min(sizes) <= 1
    counts = np.array([np.bincount(classes[each], minlength=3) for each in cut])
    assert (counts.max(0) - counts.min(0) <= 1).all()
    if min(np.bincount(classes)) >= folds:  # scikit-learn's folds hold as many of each class
        other = StratifiedKFold(folds).split(classes, classes)
        expected = np.array([np.bincount(classes[held], minlength=3) for _, held in other])
        assert sorted(map(tuple, np.sort(counts, 0).tolist())) == sorted(map(tuple, np.sort(expected, 0).tolist()))


def test_every_score_is_that_of_one_run(found, recipes, iris):
    a, b = iris.train, iris.validation
    x, y = np.concatenate([a.x, b.x]), np.concatenate([a.y, b.y])
    held = fold(len(x), 4, 7, y)[2]
    rest = np.setdiff1d(np.arange(len(x)), held)
    parts = {"train": replace(a, x=x[rest], y=y[rest]), "validation": None, "test": replace(a, x=x[held], y=y[held])}
    run = kl.train(recipes[1], replace(iris, **parts), seed=7, progress=False)
    assert found.scores[1, 1, 2] == pytest.approx(run.metrics["test_accuracy"], abs=1e-6)
    assert found.scores.shape == (3, 2, 4)


def test_recipes_meet_the_same_chance(recipes, iris):
    twice = kl.cross_validate([recipes[0], recipes[0]], iris, folds=3, seeds=1, progress=False)
    np.testing.assert_array_equal(twice.scores[0], twice.scores[1])
    same = twice.compare(0, 1)
    assert (same.difference, same.t, same.p) == (0.0, 0.0, 1.0)


def test_the_corrected_test_is_the_paired_one_with_a_wider_spread(found):
    a, b = found.scores[0].ravel(), found.scores[1].ravel()
    plain = stats.ttest_rel(a, b).statistic
    corrected = plain * np.sqrt((1 / 8) / (1 / 8 + 1 / 3))  # eight pairs; a third as many rows held out as trained on
    ours = found.compare(0, 1)
    assert ours.t == pytest.approx(corrected, rel=1e-9)
    assert ours.p == pytest.approx(2 * stats.t.sf(abs(corrected), 7), rel=1e-9)
    assert found.compare(1, 0).t == pytest.approx(-ours.t)


def test_means_spreads_and_the_best(found):
    np.testing.assert_allclose(found.mean[:2], [np.mean(found.scores[i]) for i in range(2)])
    np.testing.assert_allclose(found.spread[:2], [np.std(found.scores[i], ddof=1) for i in range(2)])
    assert found.best == int(np.argmax(found.mean[:2]))
    assert np.isnan(found.mean[2])  # it diverged
    assert repr(found).count("\n") == 3
    assert "against the best" in repr(found)


def test_the_table_has_a_row_for_each_network(found):
    table = found.frame()
    assert len(table) == 24
    assert list(table.columns) == ["recipe", "seed", "fold", "score", "outcome", "epochs", "optimizer.lr"]
    assert set(table[table["recipe"] == 2]["outcome"]) == {"diverged"}
    np.testing.assert_allclose(table[table["recipe"] == 1]["score"], np.ravel(found.scores[1]))


def test_the_rows_that_score_do_not_choose_the_epoch(recipes, iris):
    found = kl.cross_validate(recipes[0], iris, folds=2, seeds=1, validation=0.2, progress=False)
    assert found.scores.shape == (1, 1, 2)
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"folds": 1}, "folds must be a whole number of at least 2, got 1"),
        ({"folds": 2.5}, "folds must be a whole number"),
        ({"folds": 1000}, "rows cannot be cut into 1000 folds"),
        ({"seeds": 0}, "one seed"),
        ({"seeds": [-1]}, "seed must be"),
    ],
)
def test_what_cannot_be_cut_is_refused(recipes, iris, given, said):
    with pytest.raises(InputError, match=said):
        kl.cross_validate(recipes, iris, **given)


def test_one_class_alone_is_refused(recipes, iris):
    alone = replace(iris, train=iris.train.take(np.flatnonzero(iris.train.y == 1)), validation=None)
    with pytest.raises(InputError, match="all rows are of one class"):
        kl.cross_validate(recipes, alone)


def test_recipes_of_different_metrics_are_refused(recipes, iris):
    other = recipes[0].replace(metric=kl.metrics.LogLoss())
    with pytest.raises(InputError, match="different metrics"):
        kl.cross_validate([recipes[0], other], iris)
