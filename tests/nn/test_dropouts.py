"""Every dropout through one table: means, rates, inference, keys, gradients, text."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kilter import nn
from kilter.core.errors import InputError

KEY = jax.random.key(0)
OTHER = jax.random.key(1)
SHAPE = (4000, 3, 4, 5)
RATES = (0.0, 0.1, 0.5, 0.9)


def inner():
    return nn.Dense(30)


TABLE = {
    "dropout": nn.Dropout,
    "dropout, original": lambda rate: nn.Dropout(rate, inverted=False),
    "spatial": nn.SpatialDropout,
    "spatial, original": lambda rate: nn.SpatialDropout(rate, inverted=False),
    "depth": nn.StochasticDepth,
    "depth, original": lambda rate: nn.StochasticDepth(rate, inverted=False),
    "gaussian": nn.GaussianDropout,
    "alpha": nn.AlphaDropout,
    "connect": lambda rate: nn.DropConnect(inner(), rate),
}
# How many numbers of a batch of SHAPE share one draw.
SHARED = {"dropout": 1, "spatial": 12, "depth": 60}
MASKS = [name for name in TABLE if name.split(",")[0] in SHARED]
SIGNALS = [name for name in TABLE if name != "connect"]


def initial(layer, shape):
    """Parameters and state, in one compile rather than one an operation."""
    return jax.jit(lambda key: layer.init(key, shape))(KEY)


def every(names):
    return pytest.mark.parametrize("name", list(names))


def run(layer, x, key=None):
    return np.asarray(jax.jit(lambda layer, x: layer.apply((), (), x, key=key)[0])(layer, x))


def test_every_dropout_is_in_the_table():
    assert {type(make(0.5)) for make in TABLE.values()} == set(nn.dropouts.ALL)


@every(MASKS)
@pytest.mark.parametrize("rate", RATES)
def test_rate_within_four_standard_errors(name, rate):
    y = run(TABLE[name](rate), jnp.ones(SHAPE), KEY)
    draws = y.size / SHARED[name.split(",")[0]]
    assert abs((y == 0).mean() - rate) <= 4 * math.sqrt(rate * (1 - rate) / draws)
    kept = 1.0 if "original" in name else 1 / (1 - rate)
    np.testing.assert_allclose(y[y != 0], kept, rtol=1e-6)


@every(SIGNALS)
@pytest.mark.parametrize("rate", [0.1, 0.9])
def test_training_has_the_mean_of_inference(name, rate):
    layer, x = TABLE[name](rate), jnp.full(SHAPE, 2.0)
    trained, inferred = run(layer, x, KEY), run(layer, x)
    if name == "alpha":  # keeps the mean of signals whose mean is 0, and no other
        x = jax.random.normal(OTHER, SHAPE)
        trained, inferred = run(layer, x, KEY), np.zeros(())
    draws = trained.size / SHARED.get(name.split(",")[0], 1)
    assert abs(trained.mean() - inferred.mean()) <= 4 * trained.std() / math.sqrt(draws) + 1e-6


@every(["spatial", "depth"])
def test_what_shares_a_draw(name):
    y = run(TABLE[name](0.5), jnp.ones((50, 3, 4, 5)), KEY)
    together = y.reshape(50, 12, 5) if name == "spatial" else y.reshape(50, 60, 1)
    assert (together == together[:, :1]).all()
    assert 0.2 < (together[:, 0] == 0).mean() < 0.8


def test_spatial_on_examples_without_positions_drops_numbers():
    x = jnp.ones((30, 6))
    np.testing.assert_array_equal(run(nn.SpatialDropout(0.5), x, KEY), run(nn.Dropout(0.5), x, KEY))


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.6])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    y = run(nn.AlphaDropout(rate), jax.random.normal(OTHER, (1000, 300)), KEY)
    assert abs(y.mean()) < 4 / math.sqrt(y.size)
    # The variance's standard error is sqrt((kurtosis - 1) / n).
    kurtosis = ((y - y.mean()) ** 4).mean() / y.var() ** 2
    assert abs(y.var() - 1) < 4 * math.sqrt((kurtosis - 1) / y.size)


def test_alpha_dropout_takes_the_two_values_of_pytorch():
    torch.manual_seed(0)
    x = np.full((200, 50), 0.7, np.float32)
    theirs = torch.nn.functional.alpha_dropout(torch.tensor(x), 0.4, training=True).numpy()
    np.testing.assert_allclose(np.unique(run(nn.AlphaDropout(0.4), x, KEY)), np.unique(theirs), rtol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_gaussian_dropout_has_the_variance_of_dropout(rate):
    y = run(nn.GaussianDropout(rate), jnp.ones((1000, 200)), KEY)
    expected = rate / (1 - rate)
    # A normal variance's standard error is sqrt(2 / n) of it.
    assert abs(y.var() / expected - 1) < 4 * math.sqrt(2 / y.size)


def test_drop_connect_drops_weights():
    layer = nn.DropConnect(nn.Dense(300, bias=False), 0.3)
    params, state = initial(layer, (200,))
    kernel = run_kernel(layer, params, state)
    own = np.asarray(params["kernel"])
    dropped = kernel == 0
    np.testing.assert_allclose(kernel[~dropped], own[~dropped] / 0.7, rtol=1e-6)
    assert abs(dropped.mean() - 0.3) < 4 * math.sqrt(0.21 / kernel.size)


def run_kernel(layer, params, state):
    """The kernel that a layer runs with, read off from unit inputs."""
    return np.asarray(layer.apply(params, state, jnp.eye(len(params["kernel"])), key=KEY)[0])


def test_drop_connect_has_the_mean_of_inference():
    layer = nn.DropConnect(nn.Dense(4), 0.3)
    params, state = initial(layer, (6,))
    x = jax.random.normal(OTHER, (3, 6))
    keys = jax.random.split(KEY, 4000)
    y = np.asarray(jax.jit(jax.vmap(lambda key: layer.apply(params, state, x, key=key)[0]))(keys))
    error = y.std(0) / math.sqrt(len(keys))
    assert (np.abs(y.mean(0) - layer.apply(params, state, x)[0]) < 4 * error).all()


@pytest.mark.parametrize("layer", [nn.Conv(4, 3), nn.Dense(4)])
def test_drop_connect_at_rate_zero_and_at_inference_is_its_layer(layer):
    wrapped = nn.DropConnect(layer, 0.5)
    x = jax.random.normal(OTHER, (2, 6, 6, 3))
    params, state = initial(wrapped, x.shape[1:])
    expected = jax.jit(lambda x: layer.apply(params, (), x)[0])(x)
    for own, key in ((wrapped, None), (wrapped.put("rate", 0.0), KEY)):
        found = jax.jit(lambda own, x, key=key: own.apply(params, state, x, key=key)[0])(own, x)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@every(SIGNALS)
def test_without_a_key_a_signal_passes(name):
    x = jax.random.normal(OTHER, (7, 3, 5))
    factor = 0.7 if "original" in name else 1.0
    np.testing.assert_allclose(run(TABLE[name](0.3), x), x * np.float32(factor), rtol=1e-6)


@every(TABLE)
def test_keys_decide(name):
    layer, x = TABLE[name](0.5), jax.random.normal(OTHER, (20, 3, 8))
    params, state = initial(layer, (3, 8))
    apply = jax.jit(lambda key: layer.apply(params, state, x, key=key)[0])
    np.testing.assert_array_equal(apply(KEY), apply(KEY))
    np.testing.assert_allclose(apply(KEY), layer.apply(params, state, x, key=KEY)[0], rtol=1e-5, atol=1e-5)
    assert not np.array_equal(apply(KEY), apply(OTHER))


@every(TABLE)
def test_gradients_are_finite_and_those_of_the_same_mask(name):
    layer, x = TABLE[name](0.4), jax.random.normal(OTHER, (6, 3, 8))
    params, state = initial(layer, (3, 8))

    both = jax.jit(jax.value_and_grad(lambda x: layer.apply(params, state, x, key=KEY)[0].sum()))
    direction = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    before, gradient = both(x)
    assert np.isfinite(gradient).all()
    # Every one of them is linear in x once its mask is drawn.
    np.testing.assert_allclose(both(x + direction)[0] - before, (gradient * direction).sum(), rtol=1e-3, atol=1e-3)


@every(TABLE)
def test_members_of_a_fleet_have_their_own_rates(name):
    layer, x = TABLE[name](0.2), jnp.ones((64, 3, 8))
    params, state = initial(layer, (3, 8))
    rates = [0.2, 0.6]
    both = jax.tree.map(lambda *leaves: jnp.stack([jnp.float32(leaf) for leaf in leaves]), *map(TABLE[name], rates))
    apply = jax.jit(lambda layer: layer.apply(params, state, x, key=KEY)[0])
    found = jax.vmap(apply)(both)
    for index, rate in enumerate(rates):
        alone = apply(TABLE[name](rate))
        np.testing.assert_allclose(found[index], alone, rtol=1e-4, atol=1e-5)


def test_equal_layers_of_a_chain_draw_different_masks():
    net = nn.Chain(nn.Dropout(0.5), nn.Dropout(0.5))
    x = jnp.ones((100, 40))
    both = np.asarray(net.apply(((), ()), ((), ()), x, key=KEY)[0])
    # Equal masks would leave a half; independent ones leave a quarter.
    assert abs((both != 0).mean() - 0.25) < 4 * math.sqrt(0.1875 / both.size)


def test_stochastic_depth_leaves_the_shortcut():
    net = nn.Residual(nn.Chain(nn.Dense(5), nn.StochasticDepth(0.5)))
    params, state = initial(net, (5,))
    x = jax.random.normal(OTHER, (200, 5))
    y = np.asarray(net.apply(params, state, x, key=KEY)[0])
    branch = np.asarray(net.body.apply(params["body"], state["body"], x)[0])
    dropped = (y == np.asarray(x)).all(1)
    assert 0.3 < dropped.mean() < 0.7
    np.testing.assert_allclose(y[~dropped], (x + 2 * branch)[~dropped], rtol=1e-4, atol=1e-5)


@every(TABLE)
@pytest.mark.parametrize("rate", [-0.1, 1.0, math.nan])
def test_rates_outside_are_refused(name, rate):
    with pytest.raises(InputError, match="rate must be"):
        TABLE[name](rate)


@every(TABLE)
def test_text_and_json_round_trips(name):
    layer = TABLE[name](0.25)
    assert eval(repr(layer), {"nn": nn}) == layer
    assert nn.Layer.from_json(layer.to_json()) == layer


@pytest.mark.parametrize("kind", nn.dropouts.ALL)
def test_the_catalog_says_what_it_is(kind):
    assert all(vars(kind)[text] for text in ("formula", "source", "choose"))
