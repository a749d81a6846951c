"""The estimators do as scikit-learn demands, and what they promise beyond."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import kilter as kl
from kilter import losses, nn, optim
from kilter.estimators import KilterClassifier, KilterRegressor

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])
DX, DY = load_diabetes(return_X_y=True)
SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 20, "random_state": 0}
ARRAY_API = "check_array_api_input"  # runs only where SCIPY_ARRAY_API is set before SciPy is imported


def small(**given):
    return KilterClassifier(**SMALL | given)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [KilterClassifier, KilterRegressor])
@pytest.mark.filterwarnings("default")
def test_passes_all_checks_of_scikit_learn(kind):
    results = check_estimator(kind(max_epochs=40), on_skip=None)
    skipped = {result["check_name"] for result in results if result["status"] != "passed"}
    assert skipped <= {ARRAY_API}
    assert len(results) > 50


def test_iris_as_it_comes():
    assert cross_val_score(KilterClassifier(random_state=0), X, Y, cv=3).mean() > 0.93


def test_diabetes_beats_a_constant_as_ridge_does():
    assert cross_val_score(KilterRegressor(random_state=0), DX, DY, cv=3).mean() > 0.4


def test_no_hidden_layer_is_logistic_regression():
    own = KilterClassifier((), learning_rate=0.05, max_epochs=6000, batch_size=100, weight_decay=0, random_state=0)
    keep = Y > 0  # these two overlap, so that the likelihood has its maximum at finite weights
    x = StandardScaler().fit_transform(X[keep])
    own.fit(x, Y[keep])
    witness = LogisticRegression(C=np.inf, tol=1e-8, max_iter=10_000).fit(x, Y[keep])
    np.testing.assert_allclose(own.predict_proba(x), witness.predict_proba(x), atol=0.01)


def test_probabilities_and_their_logarithms():
    fitted = small().fit(X, NAMES[Y])
    proba = fitted.predict_proba(X)
    assert proba.shape == (150, 3)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(X)), proba, rtol=1e-5)
    assert (fitted.predict(X) == NAMES[proba.argmax(1)]).all()
    assert fitted.classes_.tolist() == NAMES.tolist()
    assert (fitted.run_.predict(X.astype(np.float32)) == fitted.predict(X)).all()


def test_attributes_of_a_fit():
    fitted = small().fit(X, Y)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 20
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    assert not hasattr(fitted, "validation_scores_")
    assert isinstance(fitted.run_, kl.Run)
    assert fitted.run_.seed == 0


def test_words_and_values_build_the_same_recipe():
    by_word = small(activation="tanh", initializer="he_normal", normalization="batch", dropout=0.1).fit(X, Y)
    by_value = small(
        activation=nn.Tanh(), initializer=nn.initializers.HeNormal(), normalization=nn.BatchNorm(), dropout=0.1
    ).fit(X, Y)
    assert by_word.run_.recipe == by_value.run_.recipe
    layers = by_word.run_.recipe.net.layers
    assert [type(layer).__name__ for layer in layers] == ["Dense", "BatchNorm", "Tanh", "Dropout", "Dense"]
    assert (by_word.predict_proba(X) == by_value.predict_proba(X)).all()


def test_optimizer_by_word_and_by_value():
    sgd = small(optimizer="sgd", learning_rate=0.1, schedule="constant").fit(X, Y).run_.recipe.optimizer
    assert sgd == optim.SGD(0.1, momentum=0.9)
    adam = small(optimizer=optim.Adam(0.02)).fit(X, Y).run_.recipe.optimizer
    assert adam == optim.Adam(0.02)


def test_a_whole_recipe():
    net = nn.Chain(nn.Dense(5), nn.Tanh(), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.05), epochs=7)
    fitted = KilterClassifier(recipe=recipe, random_state=1).fit(X, Y)
    direct = kl.train(recipe, kl.data.from_arrays(X, Y, validation=0), seed=1, progress=False)
    assert fitted.run_.recipe == recipe
    np.testing.assert_allclose(fitted.predict_proba(X), direct.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda fitted: pickle.loads(pickle.dumps(fitted))])
def test_copies_predict_the_same(copied):
    fitted = small(optimizer=optim.Adam(optim.Cosine(0.01), b1=0.8)).fit(X, NAMES[Y])
    other = copied(fitted)
    assert (other.predict_proba(X) == fitted.predict_proba(X)).all()
    assert other.run_.recipe == fitted.run_.recipe
    assert other.optimizer == fitted.optimizer
    assert (other.partial_fit(X, NAMES[Y]).predict_proba(X) == fitted.partial_fit(X, NAMES[Y]).predict_proba(X)).all()


def test_clones_keep_values_and_lose_the_fit():
    fitted = small(activation=nn.Tanh()).fit(X, Y)
    other = clone(fitted)
    assert other.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        other.predict(X)


def test_pipelines_and_searches():
    pipeline = make_pipeline(MinMaxScaler(), small())
    grid = {"kilterclassifier__activation": ["relu", nn.Tanh()], "kilterclassifier__learning_rate": [1e-5, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    assert search.best_params_["kilterclassifier__learning_rate"] == 0.1
    assert search.best_score_ > 0.8


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame])
def test_tables_bring_their_names(table):
    frame = table({f"column {i}": X[:, i] for i in range(4)})
    fitted = small().fit(frame, Y)
    assert fitted.feature_names_in_.tolist() == [f"column {i}" for i in range(4)]
    assert fitted.run_.names == ("column 0", "column 1", "column 2", "column 3")
    assert (fitted.predict(frame) == small().fit(X, Y).predict(X)).all()
    swapped = frame[[f"column {i}" for i in (1, 0, 2, 3)]]
    with pytest.raises(ValueError, match="same order"):
        fitted.predict(swapped)


@pytest.mark.parametrize("kind", [KilterClassifier, KilterRegressor])
def test_weights_are_repetitions_to_the_last_bit_on_small_data(kind):
    rng = np.random.default_rng(0)
    x, y, counts = rng.normal(size=(20, 3)), np.arange(20) % 3, rng.integers(0, 4, 20)
    weighted = kind(**SMALL).fit(x, y, sample_weight=counts)
    repeated = kind(**SMALL).fit(x.repeat(counts, 0), y.repeat(counts))
    read = "predict_proba" if kind is KilterClassifier else "predict"
    assert (getattr(weighted, read)(x) == getattr(repeated, read)(x)).all()
    assert (getattr(weighted, read)(x) != getattr(kind(**SMALL).fit(x, y), read)(x)).any()


@pytest.mark.parametrize("given", [{"normalization": "batch"}, {"dropout": 0.2}, {"batch_size": 8}])
def test_rows_are_merged_only_where_it_changes_nothing(given):
    x, y = np.tile(X[::10], (2, 1)), np.tile(Y[::10], 2)
    assert len(np.unique(x, axis=0)) == 15
    merged = small(max_epochs=1).fit(x, y)
    plain = small(max_epochs=1, **given).fit(x, y)
    assert merged.run_.recipe.batch_size == 15
    assert plain.run_.recipe.batch_size == given.get("batch_size", 30)


def test_sample_weight_moves_the_regression():
    x = np.zeros((20, 1)) + np.arange(20)[:, None] % 2
    y = np.where(np.arange(20) < 10, 0.0, 1.0)
    weight = np.where(y == 1, 3.0, 1.0)
    fitted = KilterRegressor(**SMALL | {"max_epochs": 300}).fit(x, y, sample_weight=weight)
    np.testing.assert_allclose(fitted.predict(x), 0.75, atol=0.02)


def test_class_weight():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 2)), np.where(np.arange(200) < 180, "common", "rare")
    fast = {"learning_rate": 0.05}
    plain, balanced = small(**fast).fit(x, y), small(**fast, class_weight="balanced").fit(x, y)
    named = small(**fast, class_weight={"common": 200 / 360, "rare": 5.0}).fit(x, y)
    assert plain.predict_proba(x)[:, 1].mean() == pytest.approx(0.1, abs=0.05)
    assert balanced.predict_proba(x)[:, 1].mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(named.predict_proba(x), balanced.predict_proba(x), atol=1e-4)


def test_balanced_counts_by_sample_weight():
    counts = np.arange(40) % 4
    x, y = X[50:130:2], Y[50:130:2]
    weighted = small(class_weight="balanced").fit(x, y, sample_weight=counts)
    repeated = small(class_weight="balanced").fit(x.repeat(counts, 0), y.repeat(counts))
    np.testing.assert_allclose(weighted.predict_proba(x), repeated.predict_proba(x), atol=1e-4)


def test_warm_start_goes_on_where_shapes_agree():
    cold, warm = small().fit(X, Y), small(warm_start=True).fit(X, Y)
    assert warm.fit(X, Y).loss_curve_[0] < 0.8 * cold.loss_curve_[0]
    assert cold.fit(X, Y).loss_curve_[0] > warm.loss_curve_[0]
    warm.set_params(hidden_layer_sizes=(9,)).fit(X, Y)
    fresh = small(hidden_layer_sizes=(9,)).fit(X, Y)
    assert (warm.predict_proba(X) == fresh.predict_proba(X)).all()
    warm.fit(X[Y > 0], Y[Y > 0])
    assert warm.classes_.tolist() == [1, 2]


def test_partial_fit_over_batches():
    learner = small()
    for start in range(40):
        rows = np.arange(150)[start % 3 :: 3]
        learner.partial_fit(X[rows], NAMES[Y[rows]], classes=NAMES)
    # Seeds 0 to 7 reach 0.82 to 0.89 after 40 epochs of one batch each; who tells one class apart alone has 0.67.
    assert learner.score(X, NAMES[Y]) > 0.75
    assert learner.n_iter_ == len(learner.loss_curve_) == 40
    assert learner.loss_curve_[-1] < learner.loss_curve_[0] / 2


def test_partial_fit_keeps_the_scale_of_the_first_rows():
    learner = KilterRegressor(**SMALL).partial_fit(DX[:100], DY[:100])
    before = learner.run_.inputs.statistics, learner.run_.targets.statistics
    learner.partial_fit(DX[100:200] * 50 + 7, DY[100:200] * 3)
    after = learner.run_.inputs.statistics, learner.run_.targets.statistics
    for old, new in zip(before, after, strict=True):
        assert (old["offset"] == new["offset"]).all()
        assert (old["scale"] == new["scale"]).all()
    assert learner.run_.recipe.inputs == kl.data.Standardize()


def test_partial_fit_takes_classes_that_come_later():
    learner = small().partial_fit(X[Y == 0], Y[Y == 0], classes=[0, 1, 2])
    assert learner.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match="the class 3, but the classes known are"):
        learner.partial_fit(X[:2], [3, 0])
    with pytest.raises(ValueError, match="needs all classes"):
        small().partial_fit(X, Y)
    with pytest.raises(ValueError, match="must stay what they were"):
        learner.partial_fit(X, Y, classes=[0, 1])


def test_early_stopping_and_validation_data():
    held = small(early_stopping=True, patience=2, max_epochs=300).fit(X, Y)
    assert held.n_iter_ == len(held.validation_scores_) < 300
    assert held.run_.score == pytest.approx(max(held.validation_scores_))
    own = small().fit(X[::2], Y[::2], validation_data=(X[1::2], Y[1::2]))
    assert own.score(X[1::2], Y[1::2]) == pytest.approx(max(own.validation_scores_))
    own.fit(X, Y)
    assert not hasattr(own, "validation_scores_")


def test_several_outputs():
    targets = np.stack([DY, DX[:, 2] * 1000], 1)
    fitted = KilterRegressor(**SMALL | {"learning_rate": 0.05}).fit(DX, targets)
    assert fitted.predict(DX).shape == (442, 2)
    assert fitted.predict(DX).dtype == np.float64
    assert fitted.score(DX, targets) > 0.5
    assert KilterRegressor(**SMALL).fit(DX, DY.astype(np.float32)).predict(DX).dtype == np.float32


def test_a_generator_draws_the_seed():
    one, two = (small(random_state=np.random.RandomState(3)).fit(X, Y).run_.seed for _ in range(2))
    assert one == two
    assert small(random_state=None).fit(X, Y).run_.seed != small(random_state=None).fit(X, Y).run_.seed


def test_verbose_asks_for_the_progress_line(monkeypatch):
    asked = []
    real = kl.estimators.base.train_fleet

    def watched(*args, progress, **kwargs):
        asked.append(progress)
        return real(*args, progress=progress, **kwargs)

    monkeypatch.setattr("kilter.estimators.base.train_fleet", watched)
    small(verbose=True).fit(X, Y)
    small().fit(X, Y)
    assert asked == [True, False]


def test_divergence_is_told():
    with pytest.warns(ConvergenceWarning, match="lower learning_rate"):
        KilterRegressor(**SMALL | {"optimizer": "sgd", "learning_rate": 1e6}).fit(DX, DY)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"activation": "swoosh"}, "activation must be one of"),
        ({"initializer": "he"}, "initializer must be one of"),
        ({"normalization": "layers"}, "normalization must be one of"),
        ({"optimizer": "adamm"}, "optimizer must be"),
        ({"optimizer": "sgd", "weight_decay": 0.1}, "weight_decay=0.1 needs"),
        ({"optimizer": optim.SGD(0.1), "learning_rate": 0.1}, "leave it at 'auto'"),
        ({"schedule": "linear"}, "schedule must be"),
        ({"hidden_layer_sizes": (0,)}, "units must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"max_epochs": "many"}, "max_epochs must be"),
        ({"dropout": 1.5}, "rate must be"),
        ({"recipe": "mine"}, "recipe must be"),
        ({"random_state": -1}, "random_state must be"),
        ({"class_weight": {7: 1.0}}, "names the class 7"),
        ({"class_weight": "fair"}, "class_weight must be"),
        ({"early_stopping": True, "validation_fraction": 0}, "validation_fraction above 0"),
    ],
)
def test_errors_are_one_sentence(given, told):
    with pytest.raises(ValueError, match=told) as caught:
        small(**given).fit(X, Y)
    assert "\n" not in str(caught.value)


def test_weights_that_cannot_be():
    for weights in (-np.ones(150), np.zeros(150)):
        with pytest.raises(ValueError, match=r"at least zero|non-zero"):
            small().fit(X, Y, sample_weight=weights)
