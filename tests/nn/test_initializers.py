"""Every initializer through one table: what it promises, draws and keeps; and LSUV on deep nets."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from kilter import nn
from kilter.core import trees
from kilter.core.errors import DoubtWarning, InputError
from kilter.core.values import Value
from kilter.nn import initializers as init

KEY = jax.random.key(0)
REQUIRED = {init.Constant: {"value": 0.25}}
CASES = [
    *(kind(**REQUIRED.get(kind, {})) for kind in init.ALL),
    init.Identity(0.5),
    init.Normal(0.5),
    init.TruncatedNormal(0.5),
    init.VarianceScaling(2.0, "out", "uniform"),
    init.VarianceScaling(0.5, "avg", "normal"),
    init.HeNormal(0.5),
    init.HeUniform(0.5),
    init.Matched(nn.ReLU()),
    init.Orthogonal(1.4),
    init.DeltaOrthogonal(0.7),
    init.Sparse(4, 0.5),
]
SHAPES = [(96, 128), (5, 16, 24), (3, 3, 24, 40)]
every = pytest.mark.parametrize("case", CASES, ids=repr)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
PAIRS = [
    (case, shape) for case in CASES for shape in SHAPES if len(shape) > 2 or not isinstance(case, init.DeltaOrthogonal)
]  # delta-orthogonal kernels are for convolutions alone
fitting = pytest.mark.parametrize(("case", "shape"), PAIRS, ids=repr)


@functools.cache
def drawn(case, shape, seed=0):
    """Weights in float64."""
    weights = case(jax.random.key(seed), shape)
    assert weights.shape == shape
    assert weights.dtype == jnp.float32
    return np.asarray(weights, np.float64)


@fitting
def test_the_sample_has_the_promised_spread(case, shape):
    weights, promised = drawn(case, shape), float(case.std(shape))
    found, size = weights.std(), weights.size
    if promised == 0:
        assert found == 0
        return
    kurtosis = ((weights - weights.mean()) ** 4).mean() / found**4
    # Standard error of a standard deviation; 1e-5 for those whose sum of squares is fixed.
    assert abs(found / promised - 1) < 4 * math.sqrt(max(kurtosis - 1, 0) / (4 * size)) + 1e-5
    if not isinstance(case, init.Identity):
        assert abs(weights.mean()) < 4 * promised / math.sqrt(size)


@every
def test_the_same_key_draws_the_same(case):
    shape = SHAPES[2]
    np.testing.assert_array_equal(drawn(case, shape), np.asarray(case(KEY, shape)))
    if not isinstance(case, init.Zeros | init.Constant | init.Identity):
        assert (drawn(case, shape) != drawn(case, shape, seed=1)).any()


FORMULAS = {
    init.Uniform(0.3): 0.3 / 3**0.5,
    init.TruncatedNormal(std=0.02): 0.02,
    init.Normal(std=0.3): 0.3,
    init.GlorotUniform(): (2 / (9 * 24 + 9 * 40)) ** 0.5,
    init.GlorotNormal(): (2 / (9 * 24 + 9 * 40)) ** 0.5,
    init.HeUniform(): (2 / (9 * 24)) ** 0.5,
    init.HeNormal(0.5): (2 / 1.25 / (9 * 24)) ** 0.5,
    init.LeCunUniform(): (1 / (9 * 24)) ** 0.5,
    init.LeCunNormal(): (1 / (9 * 24)) ** 0.5,
    init.Matched(nn.LeakyReLU(0.5)): (2 / 1.25 / (9 * 24)) ** 0.5,
    init.Sparse(54, 2.0): 1.0,
    init.Sparse(1000, 2.0): 2.0,
}


@pytest.mark.parametrize("case", FORMULAS, ids=repr)
def test_promises_are_the_published_ones(case):
    assert float(case.std((3, 3, 24, 40))) == pytest.approx(FORMULAS[case], rel=1e-5)


@every
def test_json_print_and_catalog(case):
    assert Value.from_json(case.to_json()) == case
    assert eval(repr(case), {"nn": nn}) == case
    assert jax.tree.map(lambda leaf: leaf, case) == case
    assert case.formula
    assert any(letter.isdigit() for letter in case.source)
    assert case.choose.endswith(".")


def in_units(case, shape):
    """Weights divided by the promised standard deviation, where that is not 0."""
    return drawn(case, shape) / (float(case.std(shape)) or 1.0)


CORNERS = [((3, 4), (96, 128)), ((3, 3, 5, 8), (3, 3, 24, 40))]


def is_corner(case, small, large):
    inside = tuple(slice(size) for size in small)
    return np.allclose(in_units(case, small), in_units(case, large)[inside], rtol=1e-5, atol=1e-6)


@every
def test_paddable_kernels_are_corners_of_larger_ones(case):
    held = [
        is_corner(case, *pair) for pair in CORNERS if len(pair[0]) > 2 or not isinstance(case, init.DeltaOrthogonal)
    ]
    assert all(held) if case.paddable else not all(held)
    if case.paddable:
        assert is_corner(case, (3,), (8,))  # biases


def test_weights_of_a_kernel_are_independent():
    """No correlation of neighbors along any axis, of units and kernels of near keys, nor of squares: 4 standard errors."""
    kernels = np.stack([drawn(init.Normal(std=1.0), (3, 3, 24, 40), seed) for seed in range(8)])
    for each in (kernels, (kernels**2 - 1) / math.sqrt(2)):
        for axis in range(5):
            ahead, behind = np.delete(each, 0, axis), np.delete(each, -1, axis)
            assert abs((ahead * behind).mean()) < 4 / math.sqrt(ahead.size), axis


@pytest.mark.parametrize("case", [init.Normal(std=1.0), init.TruncatedNormal(std=1.0), init.Uniform(1.0)], ids=repr)
def test_draws_have_their_distribution(case):
    cut = 1 / 0.8796256610342398
    witness = {
        init.Normal: stats.norm(),
        init.TruncatedNormal: stats.truncnorm(-2, 2, scale=cut),
        init.Uniform: stats.uniform(-1, 2),
    }
    assert stats.kstest(drawn(case, (96, 128)).ravel(), witness[type(case)].cdf).pvalue > 6e-5  # 4 standard errors


@pytest.mark.parametrize("kind", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_any_kind_of_key(kind):
    weights = np.asarray(init.Normal(std=1.0)(jax.random.key(5, impl=kind), (96, 128)))
    assert abs(weights.std() - 1) < 4 / math.sqrt(2 * weights.size)


def test_names_of_the_family():
    assert len(set(init.ALL)) == len(init.ALL)
    assert all(
        getattr(init, kind.__name__) is kind and kind.name() in repr(kind(**REQUIRED.get(kind, {})))
        for kind in init.ALL
    )


STACKED = [init.Constant(0.2), init.Identity(), init.Uniform(), init.TruncatedNormal(), init.HeNormal(0.3)]
STACKED += [init.VarianceScaling(), init.Matched(nn.ELU()), init.Orthogonal(), init.DeltaOrthogonal(), init.Sparse()]


def test_stacked_members_equal_a_loop():
    by = (0.5, 1.0, 1.5)
    members = {repr(c): [jax.tree.map(lambda leaf, b=b: leaf * b, c) for b in by] for c in STACKED}

    @jax.jit  # one compile for all
    def both(stacked, members):
        def draw(case):
            return case(KEY, (3, 4, 6)), jnp.asarray(case.std((3, 4, 6)), jnp.float32)

        return {n: jax.vmap(draw)(s) for n, s in stacked.items()}, {
            n: [draw(m) for m in ms] for n, ms in members.items()
        }

    together, alone = both({name: trees.stack(each) for name, each in members.items()}, members)
    for name, each in alone.items():
        for index, (weights, std) in enumerate(each):
            np.testing.assert_allclose(together[name][0][index], weights, rtol=1e-5, atol=1e-6, err_msg=name)
            np.testing.assert_allclose(np.broadcast_to(together[name][1], 3)[index], std, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "case", [init.TruncatedNormal(0.5), init.HeNormal(), init.GlorotNormal(), init.Matched(nn.Tanh())]
)
def test_truncation_cuts_at_two_standard_deviations(case):
    weights = drawn(case, (96, 128))
    cut = 2 * float(case.std((96, 128))) / 0.8796256610342398
    assert 0.99 * cut < np.abs(weights).max() <= cut * (1 + 1e-6)


@pytest.mark.parametrize("case", [init.GlorotUniform(), init.HeUniform(), init.LeCunUniform(), init.Uniform(0.2)])
def test_uniform_keeps_its_limits(case):
    weights = drawn(case, (96, 128))
    limit = float(case.std((96, 128))) * 3**0.5
    assert 0.999 * limit < np.abs(weights).max() <= limit * (1 + 1e-6)


@pytest.mark.parametrize("shape", [*SHAPES, (128, 96), (7, 7), (3, 3, 1, 4)], ids=str)
@pytest.mark.parametrize("case", [init.Orthogonal(), init.Orthogonal(1.4), init.LSUV()], ids=repr)
def test_orthogonal(case, shape):
    matrix = drawn(case, shape).reshape(-1, shape[-1]) / getattr(case, "gain", 1.0)
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=2e-6)


def test_orthogonal_is_uniform_over_rotations():
    """The sign of a determinant is fair, and traces of Haar rotations have mean 0 and variance 1."""
    matrices = np.asarray(jax.vmap(lambda key: init.Orthogonal()(key, (3, 3)))(jax.random.split(KEY, 4000)))
    traces = np.trace(matrices, axis1=1, axis2=2)
    assert abs(traces.mean()) < 4 / 4000**0.5
    assert abs(np.linalg.det(matrices).mean()) < 4 / 4000**0.5


@pytest.mark.parametrize("window", [(3, 3), (2, 4), (5,), (1, 1)])
def test_delta_orthogonal_keeps_the_norm_of_images(window):
    layer = nn.Conv(24, window, initializer=init.DeltaOrthogonal(0.5))
    image = (6, 7, 16)[-len(window) - 1 :]
    params, state = layer.init(KEY, image)
    x = np.random.default_rng(0).normal(size=(3, *image)).astype(np.float32)
    y = np.asarray(layer.apply(params, state, x)[0])
    axes = tuple(range(1, x.ndim))
    np.testing.assert_allclose((y**2).sum(axes), 0.25 * (x**2).sum(axes), rtol=1e-5)


def test_identity_passes_images_and_vectors_on():
    x = np.random.default_rng(0).normal(size=(3, 6, 7, 4)).astype(np.float32)
    for layer in (nn.Conv(4, (3, 2), initializer=init.Identity(0.5)), nn.Dense(4, initializer=init.Identity(0.5))):
        params, state = layer.init(KEY, x.shape[1:])
        np.testing.assert_allclose(layer.apply(params, state, x)[0], 0.5 * x, rtol=1e-6)
    np.testing.assert_array_equal(drawn(init.Identity(), (2, 3)), np.eye(2, 3))


@shapes
def test_sparse_counts(shape):
    for case in (init.Sparse(), init.Sparse(4, 0.5), init.Sparse(10_000)):
        seen = (drawn(case, shape).reshape(-1, shape[-1]) != 0).sum(0)
        assert (seen == min(case.nonzeros, math.prod(shape[:-1]))).all()


REFUSED = [
    (lambda: init.Normal(-1), "Normal(std=-1): std must be above 0"),
    (lambda: init.Sparse(0), "Sparse(nonzeros=0): nonzeros must be at least 1"),
    (lambda: init.Sparse(3, std=0), "Sparse(std=0): std must be above 0"),
    (lambda: init.Orthogonal(0), "Orthogonal(gain=0): gain must be above 0"),
    (
        lambda: init.Orthogonal()(KEY, (3,)),
        "nn.initializers.Orthogonal(): needs a kernel of shape (*window, in, out), got (3,)",
    ),
    (
        lambda: init.Identity()(KEY, (3,)),
        "nn.initializers.Identity(): needs a kernel of shape (*window, in, out), got (3,)",
    ),
    (
        lambda: init.DeltaOrthogonal()(KEY, (3, 4)),
        "nn.initializers.DeltaOrthogonal(): needs a convolution's kernel of shape (*window, in, out), got (3, 4)",
    ),
    (
        lambda: nn.Conv(2, initializer=init.DeltaOrthogonal()).init(KEY, (4, 4, 3)),
        "nn.initializers.DeltaOrthogonal(): needs at least as many units as inputs, got 2 and 3",
    ),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_refusals_are_one_sentence(make, sentence):
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value) == sentence


class Wave(nn.Activation):
    """An activation as a user writes one, with nothing but its function."""

    def __call__(self, x):
        return jnp.sin(2 * x) + 0.5 * x


def propagation(f):
    """By how much a layer multiplies a relative error of the second moment q, and (kurtosis - 1) of f(z).

    The first is d log E[f(sqrt(q) z)^2] / d log q at q = 1; the second over the width is the variance of such an error.
    """
    z = np.linspace(-8, 8, 4001)
    density = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    squares = {q: np.asarray(f((q**0.5 * z).astype(np.float32)), np.float64) ** 2 for q in (0.98, 1.0, 1.02)}
    moments = {q: each @ density for q, each in squares.items()}
    growth = math.log(moments[1.02] / moments[0.98]) / math.log(1.02 / 0.98)
    return growth, (squares[1.0] ** 2 @ density) / moments[1.0] ** 2 - 1


ACTIVATIONS = [*(kind() for kind in nn.activations.ALL if kind.elementwise), Wave()]


@pytest.mark.parametrize("f", ACTIVATIONS, ids=repr)
def test_matched_keeps_second_moments_through_twenty_layers(f):
    """Over as many of twenty layers as an error of the first doubles in; where it doubles sooner, no start can help."""
    growth, excess = propagation(f)
    width = 256
    depth = min(20, int(math.log(2) / math.log(growth))) if growth > 1 else 20
    matched = init.Matched(f)

    @jax.jit
    def through(z, keys):
        def layer(z, key):
            z = f(z) @ matched(key, (width, width))
            return z, jnp.square(z).mean()

        return jax.lax.scan(layer, z, keys)[1]

    start = jax.random.normal(KEY, (64, width))
    moments = np.asarray(through(start, jax.random.split(jax.random.key(1), 20)))[:depth]
    error = math.sqrt((excess + 2) / width * sum(growth ** (2 * k) for k in range(depth)))
    assert np.abs(np.log(moments)).max() < 4 * error


def outputs(net, params, state, x):
    """Variance of the output of each weighted layer of a chain."""
    found = []
    for layer, p, s in zip(net.layers, params, state, strict=True):
        x, _ = layer.apply(p, s, x)
        if isinstance(layer, nn.Weighted):
            found.append(float(x.var()))
    return np.array(found)


@pytest.mark.parametrize("start", [init.LSUV(), init.SmallRandom()], ids=repr)
def test_lsuv_of_a_deep_tanh_net(start):
    layers = [layer for _ in range(10) for layer in (nn.Dense(48, initializer=start), nn.Tanh())]
    net = nn.Chain(*layers)
    params, state = net.init(KEY, (48,))
    x = 3 * jax.random.normal(jax.random.key(1), (256, 48)) + 1
    before = jax.tree.map(np.array, params)
    after = nn.calibrate.lsuv(net, params, state, x)
    assert (abs(outputs(net, params, state, x) - 1) > 0.1).any()
    assert (abs(outputs(net, after, state, x) - 1) <= 0.1).all()
    assert jax.tree.structure(params) == jax.tree.structure(after)
    jax.tree.map(np.testing.assert_array_equal, before, params)


def test_lsuv_of_a_convolutional_net_with_shortcuts():
    drawn = {"initializer": init.LSUV()}
    body = nn.Chain(nn.ReLU(), nn.Conv(8, **drawn))
    net = nn.Chain(nn.Conv(8, **drawn), nn.Residual(body), nn.Flatten(), nn.Maxout(9, **drawn), nn.Dense(3, **drawn))
    params, state = net.init(KEY, (8, 8, 3))
    x = 0.1 * jax.random.normal(jax.random.key(1), (64, 8, 8, 3))
    params = nn.calibrate.lsuv(net, params, state, x, tolerance=0.01)
    assert (abs(outputs(net, params, state, x) - 1) <= 0.01).all()
    inside, _ = net.layers[0].apply(params[0], state[0], x)
    assert (abs(outputs(body, params[1]["body"], state[1]["body"], inside) - 1) <= 0.01).all()


def test_lsuv_says_where_it_cannot():
    net = nn.Chain(nn.Dense(4), nn.Chain(nn.ReLU(), nn.Dense(2, initializer=init.Zeros())))
    x = jax.random.normal(KEY, (32, 4))
    params, state = net.init(KEY, (4,))
    with pytest.raises(InputError) as error:
        nn.calibrate.lsuv(net, params, state, x)
    assert str(error.value).startswith(
        "layers[1].layers[1] nn.Dense(2, initializer=nn.initializers.Zeros()): its outputs"
    )
    layer = nn.Dense(4, bias_initializer=init.Normal(5.0))
    with pytest.warns(DoubtWarning, match="after 3 tries, as its biases vary too"):
        nn.calibrate.lsuv(layer, *layer.init(KEY, (4,)), x, tries=3)
