"""Monte-Carlo dropout: its moments against closed forms, its draws, and that only what draws sees a key."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
from scipy.stats import entropy

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.data import Target
from kilter.nn.settled import settled
from kilter.train import Prediction

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(64, 4)).astype(np.float32)
Y = 30 * (X[:, 0] - X[:, 1]) + 100
SAMPLES = 4000
KEY = jax.random.key(1)
QUICKLY = {"xla_backend_optimization_level": 0}


def trained(net, loss=None, y=Y, epochs=2, **given):
    data = kl.data.from_arrays(X, y, validation=0, **given)
    targets = kl.data.Standardize() if data.target.task == "numbers" else None
    loss = loss or losses.SquaredError()
    recipe = kl.Recipe(
        net, loss, optimizer=optim.Adam(0.01), epochs=epochs, inputs=kl.data.Standardize(), targets=targets
    )
    return kl.train(recipe, data, progress=False)


@pytest.fixture(scope="module")
def linear():
    return trained(nn.Chain(nn.Dropout(0.3), nn.Dense(1)))


@pytest.fixture(scope="module")
def classifier():
    net = nn.Chain(nn.Dense(16), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.5), nn.Dense(3))
    return trained(net, losses.SoftmaxCrossEntropy(), np.digitize(X[:, 0], [-0.5, 0.5]))


def test_mean_and_spread_of_a_linear_network_are_the_closed_forms(linear):
    """Var[sum_i w_i x_i m_i / (1 - p)] = sum_i (w_i x_i)^2 p / (1 - p)."""
    found = linear.predict(X, samples=SAMPLES, seed=1)
    scale, w = linear.targets.statistics["scale"], linear.params[1]["kernel"][:, 0].astype(np.float64)
    std = np.sqrt(((linear.inputs.apply(X) * w) ** 2 * (0.3 / 0.7)).sum(1)) * scale
    # All rows share the masks, so that deviations of rows go together: bounds of 4 standard errors for each row.
    np.testing.assert_array_less(abs(found.mean - linear.predict(X)), 4 * std / SAMPLES**0.5)
    np.testing.assert_allclose(found.std, std, rtol=0.06)  # 4 / sqrt(2 samples), a little more for the tails
    assert found.mean.shape == found.std.shape == found.value.shape == (64,)
    assert found.entropy is found.information is found.noise is None
    np.testing.assert_array_equal(found.total, found.std)


def test_the_seed_decides(classifier):
    one, again, other = (classifier.predict(X, samples=5, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.mean, again.mean)
    assert abs(one.mean - other.mean).max() > 1e-3


def test_a_row_does_not_depend_on_the_rows_beside_it(classifier):
    many = np.tile(X, (20, 1))  # more than a piece
    whole = classifier.predict(many, samples=5)
    for rows in (slice(3, 4), slice(1200, 1203)):
        alone = classifier.predict(many[rows], samples=5)
        # The same sums in products of another size.
        np.testing.assert_allclose(alone.mean, whole.mean[rows], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(alone.std, whole.std[rows], rtol=1e-4, atol=1e-6)


def test_nothing_dropped_is_what_predict_says(classifier):
    """Batch norm uses its averages, though there is a key."""
    without = replace(classifier, recipe=classifier.recipe.put("net.layers[3].rate", 0.0))
    found = without.predict(X, samples=3)
    np.testing.assert_allclose(found.mean, without.predict_proba(X), rtol=1e-5, atol=1e-6)
    assert (found.std == 0).all()
    assert (found.information == 0).all()
    np.testing.assert_array_equal(found.value, without.predict(X))


def test_entropies_against_scipy(classifier):
    found = classifier.predict(X, samples=20)
    np.testing.assert_allclose(found.entropy, entropy(found.mean, axis=1), rtol=1e-9)
    assert (found.information > 0).all()
    assert (found.information <= found.entropy).all()


def test_votes_of_closed_form():
    sure, target = np.array([[1.0, 0.0]]), Target("classes", ("a", "b"))
    apart = Prediction.of(target, [(1.0, sure, None), (1.0, 1 - sure, None)])
    assert apart.information == pytest.approx(np.log(2))
    np.testing.assert_allclose(apart.std, 0.5)
    unsure = Prediction.of(target, [(0.3, np.full((1, 2), 0.5), None), (0.7, np.full((1, 2), 0.5), None)])
    assert unsure.entropy == pytest.approx(np.log(2))
    assert unsure.information == unsure.std[0, 0] == 0
    weighted = Prediction.of(
        Target("numbers"), [(3.0, np.array([[4.0]]), np.array([[9.0]])), (1.0, sure[:, 1:], sure[:, :1])]
    )
    assert weighted.value.tolist() == weighted.mean.tolist() == [3.0]
    assert weighted.std.tolist() == [3.0**0.5]
    assert weighted.noise.tolist() == [7.0**0.5]
    assert weighted.total == pytest.approx(10**0.5)
    assert repr(weighted) == "Prediction(1 rows; on average std 1.732, noise 2.646)"
    with pytest.raises(InputError, match="have no mean"):
        Prediction.of(target, [(1.0, sure, None), (1.0, sure[:, :1], None)])


def test_labels_have_an_entropy_each():
    y = np.stack([X[:, 0] > 0, X[:, 1] > 0], 1).astype(int)
    run = trained(nn.Chain(nn.Dropout(0.2), nn.Dense(2)), losses.SigmoidCrossEntropy(), y, task="labels")
    found = run.predict(X, samples=10)
    p = found.mean
    np.testing.assert_allclose(found.entropy, entropy(np.stack([p, 1 - p]), axis=0), rtol=1e-6)
    np.testing.assert_array_equal(found.value, (p > 0.5).astype(int))


def test_learned_noise_is_in_the_unit_of_the_target():
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dropout(0.1), nn.Dense(2))
    noise = np.where(X[:, 0] > 0, 3.0, 30.0)
    run = trained(net, losses.GaussianLikelihood(), noise * DRAW.normal(size=64) + 500, epochs=300)
    mean, variance = run.moments(X)
    outputs, _ = run.recipe.net.apply(run.params, run.state, run.inputs.apply(X))
    np.testing.assert_allclose(
        variance[:, 0] ** 0.5, np.exp(outputs[:, 1] / 2) * run.targets.statistics["scale"], rtol=1e-4
    )
    np.testing.assert_array_equal(mean[:, 0], run.predict(X))
    found = run.predict(X, samples=50)
    assert found.noise.shape == found.std.shape == (64,)
    np.testing.assert_allclose(found.total**2, found.std**2 + found.noise**2, rtol=1e-9)
    assert np.median(found.noise[noise == 30]) / np.median(found.noise[noise == 3]) > 2


def test_counts_are_as_noisy_as_their_rate():
    counts = DRAW.poisson(5, 64).astype(np.float32)
    data = kl.data.from_arrays(X, counts, validation=0, task="numbers")
    recipe = kl.Recipe(nn.Chain(nn.Dense(1)), losses.Poisson(), optimizer=optim.Adam(0.01), epochs=2)
    mean, variance = kl.train(recipe, data, progress=False).moments(X)
    np.testing.assert_array_equal(mean, variance)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"samples": 1}, "samples must be"),
        ({"samples": 2.5}, "samples must be"),
        ({"samples": 3, "seed": -1}, "seed must be"),
    ],
)
def test_refusals(classifier, given, message):
    with pytest.raises(InputError, match=message):
        classifier.predict(X, **given)


def test_a_network_that_draws_nothing_is_refused(small_run, iris):
    with pytest.raises(InputError, match=r"net: nothing in it draws at random.*nn\.Dropout\(\)"):
        small_run.predict(iris.test.x, samples=5)


WRAPPERS = nn.DropConnect | nn.SpectralNorm | nn.WeightNorm
KINDS = {
    kind.__name__: nn.Chain(kind(nn.Dense(6)) if issubclass(kind, WRAPPERS) else kind())
    for kind in (*nn.norms.ALL, *nn.dropouts.ALL, *nn.activations.ALL)
    if kind is not nn.Maxout
}


def test_what_a_key_does_is_declared():
    """Two keys differ where a layer draws; inference differs, or the state moves, where it adapts."""
    x = 3 * DRAW.normal(size=(5, 3, 32)).astype(np.float32) + 1

    @partial(jax.jit, compiler_options=QUICKLY)
    def init():
        drawn = {name: net.init(jax.random.key(0), (3, 32)) for name, net in KINDS.items()}
        # States as after some training.
        return {name: (params, jax.tree.map(lambda s: s + 0.25, state)) for name, (params, state) in drawn.items()}

    @partial(jax.jit, compiler_options=QUICKLY)
    def run(weights, nets, key):
        return {name: net.apply(*weights[name], x, key=key) for name, net in nets.items()}

    def differ(a, b):
        return not all(map(np.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))

    weights, fixed_nets = init(), {name: settled(net) for name, net in KINDS.items()}
    one, other, quiet = (run(weights, KINDS, key) for key in (KEY, jax.random.key(2), None))
    fixed = run(weights, fixed_nets, KEY)
    for name, net in KINDS.items():
        layer, state = net.layers[0], weights[name][1]
        assert differ(one[name][0], other[name][0]) == layer.draws, name
        assert differ(one[name][0], quiet[name][0]) == (layer.draws or layer.adapts), name
        assert differ(one[name][1], state) == layer.adapts, name
        assert not differ(fixed[name][1], state), name
        assert differ(fixed[name][0], quiet[name][0]) == layer.draws, name


def test_dropouts_draw_the_same_in_a_settled_network():
    net = nn.Chain(nn.BatchNorm(), nn.Dropout(0.5))
    params, state = net.init(jax.random.key(0), (4,))
    found = settled(net).apply(params, state, X, key=KEY)[0]
    bare = nn.Chain(nn.Dropout(0.5)).apply(((),), ((),), X, key=KEY)[0]
    np.testing.assert_array_equal(np.asarray(found) == 0, np.asarray(bare) == 0)


def test_information_tells_noise_from_digits():
    data = kl.data.digits()
    net = nn.Chain(nn.Dense(64), nn.ReLU(), nn.Dropout(0.5), nn.Dense(10))
    run = kl.train(
        kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(3e-3), epochs=10), data, progress=False
    )
    known = run.predict(data.test, samples=30)
    strange = run.predict(DRAW.random((300, 64)), samples=30)
    assert strange.information.mean() > 2 * known.information.mean()
    assert (known.value == data.target.decode(np.eye(10)[data.test.y])).mean() > 0.9
