"""Preprocessing: every kind against scikit-learn or its definition, and back again."""

import numpy as np
import pytest
from sklearn import preprocessing as sk

import kilter as kl
from kilter import losses, nn, optim

DRAW = np.random.default_rng(0)
ROWS = (DRAW.normal(size=(40, 5)) * [1, 100, 1e-3, 5, 0] + [0, 1e4, 0, -7, 3]).astype(
    np.float32
)  # the last one constant
PICTURES = (DRAW.normal(size=(6, 4, 5, 3)) * [1, 30, 2] + [0, 100, -5]).astype(np.float32)
WEIGHTS = DRAW.random(40).astype(np.float32)
# Float32 results of float64 statistics; 1e4 with a spread of 100 leaves 1e-5.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def through(scaler, x, weights=None):
    return scaler.apply(scaler.fit(x, weights), x)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_standardize_as_in_scikit_learn(weights):
    expected = sk.StandardScaler().fit(ROWS.astype(float), sample_weight=weights).transform(ROWS.astype(float))
    np.testing.assert_allclose(through(kl.data.Standardize(), ROWS, weights), expected, **CLOSE)


def test_min_max_as_in_scikit_learn():
    expected = sk.MinMaxScaler().fit_transform(ROWS.astype(float))
    np.testing.assert_allclose(through(kl.data.MinMax(), ROWS), expected, **CLOSE)
    np.testing.assert_allclose(through(kl.data.MinMax(), PICTURES).min(0), 0)
    np.testing.assert_allclose(through(kl.data.MinMax(), PICTURES).max(0), 1)


def test_channel_standardize():
    flat = PICTURES.reshape(-1, 3).astype(float)
    expected = sk.StandardScaler().fit_transform(flat).reshape(PICTURES.shape)
    np.testing.assert_allclose(through(kl.data.ChannelStandardize(), PICTURES), expected, **CLOSE)
    weights = np.arange(6.0) + 1
    scaler = sk.StandardScaler().fit(flat, sample_weight=np.repeat(weights, 20))
    found = kl.data.ChannelStandardize().fit(PICTURES, weights)
    np.testing.assert_allclose(found["offset"], scaler.mean_, rtol=1e-9)
    np.testing.assert_allclose(found["scale"], scaler.scale_, rtol=1e-9)


def test_channel_mean_leaves_the_scale():
    found = through(kl.data.ChannelMean(), PICTURES)
    np.testing.assert_allclose(found, PICTURES - PICTURES.mean((0, 1, 2), dtype=float), **CLOSE)


@pytest.mark.parametrize("kind", [kind for kind in kl.data.PREPROCESSING if issubclass(kind, kl.data.Scale)])
@pytest.mark.parametrize("constant", [0.0, 3.0, -1e-20, 1e30, 0.1])
def test_constant_features_are_never_blown_up(kind, constant):
    x = np.full((7, 2), constant, np.float32)
    found = through(kind(), x, np.arange(1.0, 8.0))
    # Zero, but for the rounding of the mean of equal numbers.
    assert np.abs(found).max() <= 1e-6 * abs(constant)


@pytest.mark.parametrize("kind", kl.data.PREPROCESSING)
@pytest.mark.parametrize("x", [ROWS, PICTURES], ids=["rows", "pictures"])
def test_invert_undoes_apply(kind, x):
    first = kl.data.Standardize()
    x = x if issubclass(kind, kl.data.Scale) else first.apply(first.fit(x), x)
    statistics = kind().fit(x)
    between = kind().apply(statistics, x)
    found = kind().invert(statistics, between)
    assert between.shape == found.shape == x.shape
    assert between.dtype == found.dtype == np.float32
    # Of each feature's own size: the float32 in between has seven digits, of which whitening spends half a dozen on
    # directions in which forty rows hardly vary.
    size = np.abs(x).max(0) + 1e-12
    np.testing.assert_allclose(found / size, x / size, atol=1e-6 if issubclass(kind, kl.data.Scale) else 2e-3)


def test_numbers_that_outgrow_float32_become_infinite_without_a_warning():
    scaler = kl.data.Standardize()
    statistics = scaler.fit(np.array([[0.0], [200.0]], np.float32))
    assert scaler.invert(statistics, np.array([[3e38], [-3e38]], np.float32)).tolist() == [
        [np.inf],
        [-np.inf],
    ]


CORRELATED = (DRAW.normal(size=(500, 4)) @ DRAW.normal(size=(4, 4)) + [1, 2, 3, 4]).astype(np.float32)


@pytest.mark.parametrize("kind", [kind for kind in kl.data.PREPROCESSING if issubclass(kind, kl.data.Whitening)])
@pytest.mark.parametrize("weights", [None, DRAW.random(500).astype(np.float32)])
def test_whitened_features_have_mean_zero_variance_one_and_no_correlation(kind, weights):
    found = through(kind(epsilon=1e-12), CORRELATED, weights)
    np.testing.assert_allclose(np.average(found, 0, weights), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(found.T, bias=True, aweights=weights), np.eye(4), atol=1e-4)


def test_what_the_whitenings_differ_in():
    pca, zca, triangle = (kind().fit(CORRELATED)["matrix"] for kind in kl.data.PREPROCESSING[-3:])
    np.testing.assert_allclose(zca, zca.T, atol=1e-9)
    np.testing.assert_allclose(triangle, np.triu(triangle), atol=1e-9)
    widths = np.linalg.norm(pca, axis=0)
    assert (np.diff(widths) > 0).all()  # the widest direction is shrunk most
    spread = np.linalg.eigvalsh(np.cov(CORRELATED.T))[::-1]
    np.testing.assert_allclose(widths, spread**-0.5, rtol=1e-2)


def test_whitening_survives_constant_features_and_fewer_rows_than_features():
    for kind in (kl.data.PCAWhitening, kl.data.ZCAWhitening, kl.data.CholeskyWhitening):
        for x in (np.ones((5, 3), np.float32), DRAW.normal(size=(4, 9)).astype(np.float32), CORRELATED[:1]):
            assert np.isfinite(through(kind(), x)).all()
        assert through(kind(), PICTURES).shape == PICTURES.shape


def test_robust_as_in_scikit_learn():
    x = ROWS[:, :4]
    expected = sk.RobustScaler().fit_transform(x.astype(float))
    np.testing.assert_allclose(through(kl.data.Robust(), x), expected, **CLOSE)
    mostly = np.r_[np.zeros(30), 4.0].astype(np.float32)[:, None]  # quartiles coincide: half the range
    np.testing.assert_allclose(through(kl.data.Robust(), mostly).max(), 2.0)


def test_smooth_clip_bends_only_what_is_far_off():
    x = np.array([[-1e30], [-9.0], [-0.1], [0.0], [0.1], [1e30]], np.float32)
    found = through(kl.data.SmoothClip(), x)
    np.testing.assert_allclose(found[:, 0], [-3, -9 / 10**0.5, -0.1, 0, 0.1, 3], rtol=1e-3)


def test_quantiles_become_normal_as_in_scikit_learn():
    x = np.exp(DRAW.normal(size=(2000, 2))).astype(np.float32)
    found = through(kl.data.QuantileNormal(), x)
    theirs = sk.QuantileTransformer(output_distribution="normal", n_quantiles=1000).fit_transform(x)
    inside = np.abs(theirs) < 3  # they cut their ends elsewhere
    np.testing.assert_allclose(found[inside], theirs[inside], atol=1e-3)
    assert np.abs(found).max() < 5.3
    np.testing.assert_allclose(found[inside].std(), 1, atol=0.05)


def test_steps_are_fitted_one_after_the_other():
    steps = kl.data.Steps(kl.data.Robust(), kl.data.SmoothClip(2.0), kl.data.Standardize())
    found = through(steps, ROWS[:, :4])
    np.testing.assert_allclose(found.std(0), 1, rtol=1e-4)
    by_hand = through(kl.data.SmoothClip(2.0), through(kl.data.Robust(), ROWS[:, :4]))
    np.testing.assert_allclose(found, through(kl.data.Standardize(), by_hand), rtol=1e-6)
    assert kl.data.Steps.from_json(steps.to_json()) == steps


def test_statistics_are_kept_with_the_run(tmp_path):
    inputs = kl.data.Steps(kl.data.Robust(), kl.data.SmoothClip(), kl.data.ZCAWhitening())
    recipe = kl.Recipe(nn.Dense(3), losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.1), inputs=inputs, epochs=3)
    data = kl.data.iris()
    run = kl.train(recipe, data)
    again = kl.load(run.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.predict_proba(data.test), run.predict_proba(data.test))
    with pytest.raises(kl.InputError, match="preprocessed as they were"):
        kl.train(recipe.replace(inputs=kl.data.Standardize()), data, start=run)
