"""Ensembles: means against plain NumPy, selection against known optima, weights, snapshots, bagging, disk, refusals."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy
from sklearn.metrics import log_loss
from typer.testing import CliRunner

import kilter as kl
from kilter import losses, nn, optim
from kilter.cli import app
from kilter.core.errors import DoubtWarning, FileError, InputError
from kilter.data import Part
from kilter.ensembles.select import select
from kilter.train.order import sample

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(80, 4)).astype(np.float32)
NUMBERS = 20 * X[:, 0] + 50 + DRAW.normal(size=80)


def fleet(recipe, data, seeds=(0, 1, 2), **given):
    return kl.train_fleet([recipe], data, seeds=seeds, progress=False, **given)


def regression(*layers, loss=None, **given):
    loss = loss or losses.SquaredError()
    given = {"targets": kl.data.Standardize(), "epochs": 5} | given
    return kl.Recipe(nn.Chain(*layers), loss, optimizer=optim.Adam(0.02), **given)


@pytest.fixture(scope="module")
def runs(small_recipe, iris):
    return fleet(small_recipe, iris)


@pytest.fixture(scope="module")
def three(runs, iris):
    return kl.ensemble(runs, iris)


@pytest.fixture(scope="module")
def numbers():
    return kl.data.from_arrays(X, NUMBERS)


@pytest.fixture(scope="module")
def lines(numbers):
    return fleet(regression(nn.Dense(1)), numbers)


def test_mean_and_spread_of_classes(three, runs, iris):
    x = iris.test.x
    each = np.stack([run.predict_proba(x).astype(np.float64) for run in runs])
    each /= each.sum(-1, keepdims=True)  # float32 sums to one within 1e-7 only
    found = three.spread(x)
    np.testing.assert_allclose(three.predict_proba(x), each.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std, each.std(0), atol=1e-12)
    np.testing.assert_array_equal(three.predict(x), np.array(three.classes)[each.mean(0).argmax(1)])
    split = entropy(each.mean(0), axis=1) - entropy(each, axis=2).mean(0)
    np.testing.assert_allclose(found.information, split, atol=1e-12)
    assert three.classes == iris.target.classes


def test_mean_and_spread_of_numbers_in_their_unit(lines, numbers):
    both = kl.ensemble(lines, numbers)
    each = np.stack([run.predict(X).astype(np.float64) for run in lines])
    np.testing.assert_allclose(both.predict(X), each.mean(0), rtol=1e-12)
    np.testing.assert_allclose(both.spread(X).std, each.std(0), atol=1e-9)
    expected = np.sqrt(np.mean((both.predict(numbers.validation) - numbers.validation.y[:, 0]) ** 2))
    assert both.metrics["rmse"] == pytest.approx(expected, rel=1e-9)
    with pytest.raises(InputError, match="predict_proba is for classes"):
        both.predict_proba(X)


def test_learned_noise_joins_the_spread(lines, numbers):
    likely = fleet(regression(nn.Dense(2), loss=losses.GaussianLikelihood()), numbers, seeds=(0, 1))
    found = kl.ensemble(likely).spread(X)
    variances = np.mean([run.moments(X)[1][:, 0] for run in likely], 0)
    np.testing.assert_allclose(found.noise, np.sqrt(variances), rtol=1e-6)
    np.testing.assert_allclose(found.total**2, variances + found.std**2, rtol=1e-6)
    assert kl.ensemble([*likely, *lines]).spread(X).noise is None  # some have learned none


def test_metrics_of_the_ensemble_and_of_its_members(three, runs, iris):
    for prefix, part in {"": iris.validation, "train_": iris.train, "test_": iris.test}.items():
        expected = log_loss(part.y, three.predict_proba(part))
        assert three.metrics[f"{prefix}log_loss"] == pytest.approx(expected, rel=1e-6)
    assert three.score == three.metrics["accuracy"]
    for metrics, run in zip(three.members, runs, strict=True):
        assert metrics == pytest.approx(run.metrics, rel=1e-6)
    assert three.weights == (1 / 3,) * 3
    assert three.evaluate(iris.test.x, np.array(three.classes)[iris.test.y]) == {
        name: pytest.approx(three.metrics[f"test_{name}"]) for name in ("accuracy", "log_loss", "auc")
    }
    assert repr(three).startswith("Ensemble(3 runs of 1 recipe: accuracy ")
    bare = kl.ensemble(runs)
    assert np.isnan(bare.score)
    assert repr(bare) == "Ensemble(3 runs of 1 recipe)"
    np.testing.assert_array_equal(bare.predict_proba(X), three.predict_proba(X))


def mean_is_zero(predictions):
    return -abs(float(predictions.mean()))


@pytest.mark.parametrize(
    ("constants", "expected"),
    [
        ((1.0, -2.0, 50.0), [2, 1, 0]),  # twice the one, so with replacement
        ((3.0, 0.0, -1.0), [0, 1, 0]),  # one alone is best
        ((1.0, -1.0, 7.0), [1, 1, 0]),  # the sorted start has it
        ((np.nan, 1.0, -1.0), [0, 1, 1]),
    ],
)
def test_selection_finds_what_is_known_to_be_best(constants, expected):
    predictions = np.tile(np.reshape(constants, (3, 1, 1)), (1, 5, 1))

    def score(rows):
        value = mean_is_zero(rows)
        return -np.inf if np.isnan(value) else value

    assert select(predictions, score, picks=9, bags=1, seed=0).tolist() == expected
    assert select(predictions, score, picks=1, bags=1, seed=0).sum() == 1


def test_bags_add_their_picks_up():
    predictions = DRAW.normal(size=(10, 30, 1))
    one, again, other = (select(predictions, mean_is_zero, picks=6, bags=8, seed=seed) for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()
    assert 8 <= one.sum() <= 48
    assert np.count_nonzero(one) > np.count_nonzero(select(predictions, mean_is_zero, picks=6, bags=1, seed=0))


def test_selected_from_any_recipes_no_worse_than_the_best_run(runs, small_recipe, iris):
    others = [
        small_recipe.put("net.layers[1]", nn.Tanh()),
        small_recipe.replace(loss=losses.Focal(), inputs=kl.data.Standardize()),
        small_recipe.put("optimizer.lr", 1e-4),
    ]
    library = [*runs, *kl.train_fleet(others, iris, progress=False)]
    for metric in (kl.metrics.Accuracy(), kl.metrics.LogLoss()):
        chosen = kl.ensemble(library, iris, select="greedy", metric=metric)
        best = max if metric.higher_is_better else min
        single = best(run.metrics[metric.key] for run in library)
        assert best(chosen.score, single) == pytest.approx(chosen.score, rel=1e-6)
        assert sum(chosen.weights) == pytest.approx(1)
        assert min(chosen.weights) > 0


def test_mean_weights_of_lines_are_the_mean_of_lines(lines, numbers):
    line = kl.ensemble(lines, numbers, average="weights")
    assert isinstance(line, kl.Run)
    np.testing.assert_allclose(line.predict(X), kl.ensemble(lines).predict(X), rtol=1e-5)
    assert line.score == pytest.approx(kl.ensemble(lines, numbers).score, rel=1e-5)
    assert line.title == "arrays, mean weights of 3 runs"
    assert "r2" in repr(line)


def test_norms_of_mean_weights_are_learned_anew(numbers, tmp_path):
    recipe = regression(
        nn.SpectralNorm(nn.Dense(5, bias=True)), nn.BatchNorm(), nn.ReLU(), nn.Dense(1), inputs=kl.data.Robust()
    )
    members = fleet(recipe, numbers)
    one = kl.ensemble(members, numbers, average="weights")
    kernel = np.mean([run.params[0]["kernel"] for run in members], 0)
    np.testing.assert_allclose(one.params[0]["kernel"], kernel, rtol=1e-6)
    reached = one.inputs.apply(numbers.train.x) @ (kernel / np.linalg.svd(kernel)[1][0]) + one.params[0]["bias"]
    np.testing.assert_allclose(one.state[1]["mean"], reached.mean(0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(one.state[1]["var"], reached.var(0, ddof=1), rtol=1e-3)
    again = kl.load(one.save(tmp_path / "one"))
    np.testing.assert_array_equal(again.predict(X), one.predict(X))
    best = max(run.score for run in members)
    assert kl.ensemble(members, numbers, average="weights", select="greedy").score >= best


def test_snapshots_go_on_from_each_other(small_recipe, iris):
    recipe = small_recipe.replace(
        optimizer=optim.SGD(optim.OneCycle(0.1), momentum=0.5), epochs=12, stopping=kl.EarlyStopping(1)
    )
    runs = kl.snapshots(recipe, iris, cycles=3, seed=4, progress=False)
    rounded = optim.OneCycle(0.1).over(12 * 3)
    peak = max(float(rounded(step)) for step in range(36))
    cycle = recipe.replace(optimizer=optim.SGD(optim.Cosine(peak), momentum=0.5), epochs=4, stopping=None)
    first = kl.train(cycle, iris, seed=4, progress=False)
    np.testing.assert_array_equal(runs[0].params[0]["kernel"], first.params[0]["kernel"])
    assert runs[0].seed == 4
    assert len({run.seed for run in runs}) == 3
    for run in runs:
        assert len(run.history["lr"]) == 4
        assert run.history["lr"][-1] < 0.02 * peak
    assert runs[1].history["loss"][0] < runs[0].history["loss"][0]  # it does not begin anew
    assert not np.array_equal(runs[1].history["loss"], runs[2].history["loss"])


def test_a_bootstrap_is_training_on_the_sample(small_recipe, iris):
    """Bit for bit the run on rows that were drawn by hand."""
    members = fleet(small_recipe, iris, seeds=(5, 6), bootstrap=True)
    for seed, member in zip((5, 6), members, strict=True):
        rows = sample(seed, len(iris.train))
        drawn = replace(iris, train=Part(iris.train.x[rows], iris.train.y[rows]))
        by_hand = kl.train(small_recipe, drawn, seed=seed, progress=False)
        alone = fleet(small_recipe, iris, seeds=(seed,), bootstrap=True)[0]
        np.testing.assert_array_equal(alone.params[0]["kernel"], by_hand.params[0]["kernel"])
        np.testing.assert_array_equal(alone.history["loss"], by_hand.history["loss"])
        np.testing.assert_allclose(member.history["loss"], alone.history["loss"], rtol=1e-4)  # sums in another order
    assert member.metrics["train_loss"] != by_hand.metrics["train_loss"]  # over all rows
    assert member.title == "iris, bootstrap sample"


def test_a_bootstrap_sample_holds_two_thirds_of_the_rows():
    shares = [len(set(sample(seed, 1000).tolist())) / 1000 for seed in range(20)]
    assert np.mean(shares) == pytest.approx(1 - np.exp(-1), abs=0.02)
    assert len(sample(0, 1000)) == 1000


def test_read_back_to_the_last_bit(three, iris, tmp_path):
    again = kl.load(three.save(tmp_path / "three"))
    assert isinstance(again, kl.Ensemble)
    np.testing.assert_array_equal(again.predict_proba(iris.test.x), three.predict_proba(iris.test.x))
    for name in ("weights", "metrics", "members", "metric"):
        assert getattr(again, name) == getattr(three, name)
    assert repr(again) == repr(three)
    assert sorted(path.name for path in (tmp_path / "three").iterdir()) == [
        "ensemble.json",
        *(f"member-00{i}" for i in range(3)),
    ]
    three.save(tmp_path / "three")  # in the place of itself
    bare = kl.load(kl.ensemble(three.runs).save(tmp_path / "bare"))
    assert bare.members == ()


def test_kinds_of_folders_do_not_overwrite_each_other(three, small_run, tmp_path):
    three.save(tmp_path / "three")
    small_run.save(tmp_path / "run")
    with pytest.raises(FileError, match="something else stands there"):
        small_run.save(tmp_path / "three")
    with pytest.raises(FileError, match="something else stands there"):
        three.save(tmp_path / "run")
    assert isinstance(kl.load(tmp_path / "run"), kl.Run)


@pytest.mark.parametrize(
    ("spoil", "phrase"),
    [
        (lambda facts: facts | {"version": 99}, "newer Kilter"),
        (lambda facts: facts | {"weights": [0.5, 0.4, 0.3]}, "no shares that sum to one"),
        (lambda facts: facts | {"weights": [1.5, -0.2, -0.3]}, "no shares that sum to one"),
        (lambda facts: facts | {"weights": [0.25] * 4}, "member-003"),
        (lambda facts: facts | {"weights": "x"}, "is corrupt"),
        (lambda facts: facts | {"metric": 3}, "cannot read"),
        (lambda facts: facts | {"members": [3]}, "is corrupt"),
        (lambda facts: {}, "not the description of an ensemble"),
        (lambda facts: None, "is corrupt"),
    ],
)
def test_hostile_folders_are_refused_in_a_sentence(three, tmp_path, spoil, phrase):
    path = three.save(tmp_path / "three") / "ensemble.json"
    facts = spoil(json.loads(path.read_text()))
    path.write_text("{" if facts is None else json.dumps(facts))
    with pytest.raises(FileError, match=phrase) as error:
        kl.load(tmp_path / "three")
    assert str(error.value).startswith("cannot read ")
    assert "\n" not in str(error.value)


def test_tables_go_through_every_member(tmp_path):
    table = pd.DataFrame({"a": X[:, 0], "kind": np.where(X[:, 1] > 0, "u", "v"), "y": NUMBERS})
    data = kl.data.from_table(table, target="y")
    both = kl.ensemble(fleet(kl.recipes.plain(data, epochs=2), data, seeds=(0, 1)), data)
    again = kl.load(both.save(tmp_path / "both"))
    assert again.door is not None
    np.testing.assert_array_equal(again.predict(table.drop(columns="y")), both.predict(table))
    table.to_csv(tmp_path / "new.csv")
    told = CliRunner().invoke(app, ["predict", str(tmp_path / "both"), str(tmp_path / "new.csv")])
    assert len(told.stdout.splitlines()) == 81
    other = kl.data.from_table(table.assign(a=table["a"] * 2), target="y")
    with pytest.raises(InputError, match="encodes the columns"):
        kl.ensemble(both.runs, other)


@pytest.fixture(scope="module")
def refused(runs, lines, iris, numbers, small_recipe):
    """What cannot be an ensemble, by name: arguments, and a phrase of the sentence."""
    plain = replace(iris, validation=None)
    wide = kl.data.from_arrays(X, np.stack([NUMBERS, NUMBERS], 1))
    pair = fleet(regression(nn.Dense(2)), wide, seeds=(0,))
    narrow = kl.data.from_arrays(X[:, :3], NUMBERS)
    three = fleet(regression(nn.Dense(1)), narrow, seeds=(0,))
    unlike = replace(runs[0], metric=kl.metrics.LogLoss())
    deep = fleet(small_recipe.put("net.layers[0].units", 9), iris, seeds=(0,))
    scaled = fleet(small_recipe.replace(inputs=kl.data.Standardize()), iris, seeds=(0,))
    diverged = replace(runs[0], outcome=kl.Outcome.DIVERGED)
    return {
        "none": ([], {}, "got none"),
        "one run": (runs[0], {}, "must be a list of runs"),
        "no run": ([runs[0], 3], {}, r"runs\[1\] must be a kl.Run"),
        "all diverged": ([diverged], {}, "all 1 runs diverged"),
        "targets": (
            [runs[0], lines[0]],
            {},
            r"predicts the classes 'setosa', .*, another numbers",
        ),
        "widths": ([lines[0], replace(pair[0], target=lines[0].target)], {}, "predicts 1 numbers a row, another 2"),
        "shapes": ([lines[0], three[0]], {}, r"inputs of shape \(4,\), another of shape \(3,\)"),
        "metrics": ([runs[1], unlike], {}, "say which one decides"),
        "metric": (runs, {"metric": kl.metrics.R2()}, "is not for classes; choose one of"),
        "data": (runs, {"data": X}, "data must be made by kl.data"),
        "other data": (runs, {"data": numbers}, r"data has inputs \(4,\) and numbers"),
        "select without data": (runs, {"select": "greedy"}, "needs data with validation rows"),
        "select without validation": (runs, {"select": "greedy", "data": plain}, "needs data with validation rows"),
        "select what": (runs, {"select": "best"}, "select must be None or 'greedy'"),
        "average what": (runs, {"average": "votes"}, "average must be 'predictions' or 'weights'"),
        "picks": (runs, {"picks": 0}, "picks must be a whole number"),
        "weights without data": (runs, {"average": "weights"}, "average='weights' needs data"),
        "structures": ([runs[0], deep[0]], {"average": "weights", "data": iris}, "networks of one structure"),
        "scales": ([runs[0], scaled[0]], {"average": "weights", "data": iris}, "preprocessed alike"),
    }


NAMES = (
    *("none", "one run", "no run", "all diverged", "targets", "widths", "shapes", "metrics", "metric", "data"),
    *("other data", "select without data", "select without validation", "select what", "average what", "picks"),
    *("weights without data", "structures", "scales"),
)


@pytest.mark.parametrize("name", NAMES)
def test_refusals(refused, name):
    runs, given, message = refused[name]
    with pytest.raises(InputError, match=message) as error:
        kl.ensemble(runs, **given)
    assert "\n" not in str(error.value)


def test_runs_that_diverged_are_left_out(runs):
    with pytest.warns(DoubtWarning, match="1 of 3 runs diverged and are left out"):
        found = kl.ensemble([runs[0], replace(runs[1], outcome=kl.Outcome.DIVERGED), runs[2]])
    assert found.weights == (0.5, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"cycles": 6}, "from 1 to the recipe's 5 epochs"), ({"cycles": 0}, "from 1 to"), ({"seed": -1}, "seed must be")],
)
def test_snapshots_that_cannot_be(small_recipe, iris, change, message):
    with pytest.raises(InputError, match=message):
        kl.snapshots(small_recipe, iris, **change)


def test_five_seeds_together_beat_their_mean_on_digits():
    """Over three splits: test accuracy of the ensembles against that of their members."""
    net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(10))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=15, batch_size=64)
    gains = []
    for seed in range(3):
        data = kl.data.digits(seed=seed)
        five = kl.ensemble(fleet(recipe, data, seeds=range(5)), data)
        gains.append(five.metrics["test_accuracy"] - np.mean([member["test_accuracy"] for member in five.members]))
        mean_loss = np.mean([member["test_log_loss"] for member in five.members])
        assert five.metrics["test_log_loss"] < 0.97 * mean_loss  # by Jensen's inequality never above it
        chosen = kl.ensemble(five.runs, data, select="greedy", metric=kl.metrics.LogLoss())
        assert chosen.score < min(member["log_loss"] for member in five.members)
    assert np.mean(gains) > 0.004
