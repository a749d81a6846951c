"""Every activation through one table: derivative, gain, bounds, tails, masks, JSON, stacking, and PyTorch in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as tf

from kilter import nn
from kilter.core import trees
from kilter.core.errors import InputError
from kilter.core.values import Value
from kilter.nn.activation import SATURATED
from kilter.nn.rectifiers import Leaky

KEY = jax.random.key(0)
# Every member with its defaults, and settings away from them.
OTHERS = [
    nn.LeakyReLU(0.2),
    nn.PReLU(0.1),
    nn.RReLU(0.0, 0.5),
    nn.ThresholdedReLU(0.5),
    nn.ELU(1.5),
    nn.CELU(0.5),
    nn.GELU(approximate=True),
    nn.Swish(2.0),
    nn.Parametric(start=0.5),
]
CASES = [*(kind() for kind in nn.activations.ALL), *OTHERS]
ELEMENTWISE = [case for case in CASES if case.elementwise]
every = pytest.mark.parametrize("f", CASES, ids=repr)
elementwise = pytest.mark.parametrize("f", ELEMENTWISE, ids=repr)

# Steps of 0.05, at least 0.0123 away from every bend (0, 0.5, 1, 3, 6); and the tails.
GRID = (np.arange(-140, 140) * 0.05 + 0.0123).astype(np.float32).reshape(70, 4)
TAILS = np.array([-1e4, -100, -30, -12, -1e-6, -1e-30, 0, 1e-30, 1e-6, 12, 30, 100, 1e4], np.float32)
TAILS = np.stack([TAILS, TAILS[::-1], 0 * TAILS, 0 * TAILS + 1], axis=-1)


def halves(gate):
    return lambda x: x[..., : x.shape[-1] // 2] * gate(x[..., x.shape[-1] // 2 :])


WITNESSES = {
    nn.Identity: lambda f, x: x * 1,
    nn.ReLU: lambda f, x: torch.relu(x),
    nn.LeakyReLU: lambda f, x: tf.leaky_relu(x, f.slope),
    nn.PReLU: lambda f, x: tf.prelu(x, torch.tensor(f.slope, dtype=x.dtype)),
    nn.RReLU: lambda f, x: tf.rrelu(x, f.low, f.high, training=False),
    nn.ReLU6: lambda f, x: tf.relu6(x),
    nn.ThresholdedReLU: lambda f, x: tf.threshold(x, f.threshold, 0.0),
    nn.Tanh: lambda f, x: torch.tanh(x),
    nn.Sigmoid: lambda f, x: torch.sigmoid(x),
    nn.Softsign: lambda f, x: tf.softsign(x),
    nn.HardTanh: lambda f, x: tf.hardtanh(x),
    nn.HardSigmoid: lambda f, x: tf.hardsigmoid(x),
    nn.ELU: lambda f, x: tf.elu(x, f.alpha),
    nn.CELU: lambda f, x: tf.celu(x, f.alpha),
    nn.SELU: lambda f, x: tf.selu(x),
    nn.Exponential: lambda f, x: torch.exp(x),
    nn.Parametric: lambda f, x: (1 - f.start) * x + f.start * tf.selu(x),
    nn.GELU: lambda f, x: tf.gelu(x, approximate="tanh" if f.approximate else "none"),
    nn.SiLU: lambda f, x: tf.silu(x),
    nn.Swish: lambda f, x: x * torch.sigmoid(f.beta * x),
    nn.Mish: lambda f, x: tf.mish(x),
    nn.HardSwish: lambda f, x: tf.hardswish(x),
    nn.Softplus: lambda f, x: tf.softplus(x, threshold=50),
    nn.Softmax: lambda f, x: torch.softmax(x, -1),
    nn.LogSoftmax: lambda f, x: torch.log_softmax(x, -1),
    nn.GLU: lambda f, x: tf.glu(x),
    nn.GEGLU: lambda f, x: halves(tf.gelu)(x),
    nn.SwiGLU: lambda f, x: halves(tf.silu)(x),
}


def weights(y):
    return np.cos(np.arange(y.size, dtype=np.float32)).reshape(y.shape)


@functools.cache
def facts(f, tails=False):
    """All that is asked of an activation, on the grid or in the tails."""
    part = slice(len(GRID), None) if tails else slice(len(GRID))
    return {name: value if np.ndim(value) == 0 else value[part] for name, value in measured(f).items()}


@functools.cache
def measured(f):
    """On the grid and in the tails in one compile."""
    x = np.concatenate([GRID, TAILS])

    @jax.jit
    def measure(x, lost):
        y = f(x)
        plain = nn.Activation.derivative(f, x)
        pulled = jax.grad(lambda x: jnp.vdot(f(x), weights(y)))(x)
        near = (f(x + 0.01) - f(x - 0.01)) / 0.02
        return {
            **{"y": y, "derivative": f.derivative(x), "autodiff": plain, "pulled": pulled, "differences": near},
            **{"saturated": f.saturated(x), "dead": f.dead(x), "steepest": f.steepest() if f.elementwise else 0.0},
            "lost": f(lost),
        }

    return {name: np.asarray(value) for name, value in measure(x, np.nan * x[:1]).items()}


def witnessed(f, x):
    """Output and gradient of sum(y * w) in float64 torch."""
    x = torch.tensor(np.asarray(x, np.float64), requires_grad=True)
    y = WITNESSES[type(f)](f, x)
    (y * torch.tensor(weights(y.detach().numpy()).astype(np.float64))).sum().backward()
    return y.detach().numpy(), x.grad.numpy()


def test_every_activation_has_a_witness():
    assert set(WITNESSES) == set(nn.activations.ALL)


@every
def test_torch_agrees(f):
    y, gradient = witnessed(f, np.concatenate([GRID, TAILS]))
    # What float32 cannot hold, exp(100), is left out; rounding the inputs of exp and the sums costs a few 1e-6.
    held = np.abs(y) < 1e30
    np.testing.assert_allclose(measured(f)["y"][held], y[held], rtol=2e-5, atol=2e-6)
    held = np.abs(gradient) < 1e30
    np.testing.assert_allclose(measured(f)["pulled"][held], gradient[held], rtol=5e-5, atol=5e-5)


@every
def test_the_closed_derivative_equals_autodiff(f):
    found = facts(f)
    np.testing.assert_allclose(found["derivative"], found["autodiff"], rtol=1e-4, atol=2e-6)
    tails = facts(f, tails=True)
    smooth = np.abs(TAILS) > 1e-3 if f.elementwise else slice(None)  # bends at zero: a subgradient either way
    np.testing.assert_allclose(tails["derivative"][smooth], tails["autodiff"][smooth], rtol=1e-3, atol=2e-6)


@elementwise
def test_the_closed_derivative_equals_central_differences(f):
    # Step 0.01: cut off h^2 |f'''| / 6 < 1e-4, rounding 6e-8 |f| / h < 1e-4 for |f| up to 7.
    found = facts(f)
    np.testing.assert_allclose(found["derivative"], found["differences"], rtol=1e-3, atol=5e-4)


@elementwise
def test_each_output_depends_on_one_input(f):
    np.testing.assert_allclose(f(GRID[3, 1:2]), facts(f)["y"][3, 1:2], rtol=1e-6, atol=1e-7)
    assert facts(f)["y"].shape == GRID.shape


@every
def test_nothing_breaks_in_the_tails(f):
    found = facts(f, tails=True)
    for name in ("y", "derivative", "autodiff", "pulled"):
        assert not np.isnan(found[name]).any(), name
    if not isinstance(f, nn.Exponential):  # whose true values are beyond float32
        for name in ("y", "derivative", "autodiff", "pulled"):
            assert np.isfinite(found[name]).all(), name


@every
def test_a_nan_is_never_hidden(f):
    assert np.isnan(measured(f)["lost"]).all()


@every
def test_bounds_hold_and_are_reached(f):
    y = np.concatenate([facts(f)["y"].ravel(), facts(f, tails=True)["y"].ravel()])
    low, high = f.bounds
    assert y.min() >= np.float32(low)
    assert y.max() <= np.float32(high)
    if isinstance(f, nn.Parametric):  # whose bounds hold for all strengths that it may learn
        return
    for bound, reached in ((low, y.min()), (high, y.max())):
        assert abs(reached - bound) < 1e-3 if np.isfinite(bound) else abs(reached) > 50


def moment(f, z):
    """Squares of f in float64 at z; of two inputs for those that gate."""
    return WITNESSES[type(f)](f, torch.tensor(z)).numpy() ** 2


@pytest.mark.parametrize("f", [c for c in CASES if not isinstance(c, nn.Softmax | nn.LogSoftmax)], ids=repr)
def test_gain_makes_up_for_what_is_lost(f):
    z = np.random.default_rng(0).normal(size=(200_000, 1 if f.elementwise else 2))
    squares = moment(f, z)
    error = squares.std() / np.sqrt(squares.size)
    assert abs(squares.mean() - float(f.gain()) ** -2) < 4 * error


@elementwise
def test_gain_equals_a_finer_quadrature(f):
    z = np.linspace(-14, 14, 280_001) + 1e-5  # 25 times as fine, in float64, and off the jump of a threshold
    weights = np.exp(-(z**2) / 2)
    expected = (moment(f, z) * weights).sum() / weights.sum()
    np.testing.assert_allclose(float(f.gain()), expected**-0.5, rtol=5e-5)


def test_gain_over_an_axis_is_left_at_one():
    assert nn.Softmax().gain() == nn.LogSoftmax().gain() == 1.0


def test_famous_gains():
    np.testing.assert_allclose([float(f.gain()) for f in (nn.ReLU(), nn.SELU(), nn.Identity())], [2**0.5, 1, 1], 1e-6)


@every
def test_masks_follow_the_derivative(f):
    found = facts(f)
    slope, y = found["autodiff"], found["y"]
    assert found["saturated"].shape == found["dead"].shape == GRID.shape
    if not f.elementwise:
        return
    dead = (y == 0) & (slope == 0) if f.mortal else np.zeros(y.shape, bool)
    np.testing.assert_array_equal(found["dead"], dead)
    limit = 0.0 if isinstance(f, nn.Exponential | Leaky) else SATURATED * np.abs(slope).max()
    clear = np.abs(np.abs(slope) - limit) > 2e-3  # the largest slope on this grid is nearly the largest
    np.testing.assert_array_equal(found["saturated"][clear], ((np.abs(slope) < limit) & ~dead)[clear])
    assert not (found["saturated"] & found["dead"]).any()
    assert found["steepest"] >= 0.999 * np.abs(slope[np.abs(GRID) < 6.9]).max()


def test_masks_where_they_are_known():
    x = jnp.array([-20.0, -2.0, 0.5, 2.0, 20.0])
    expected = {
        nn.Tanh(): ("10001", "00000"),
        nn.Sigmoid(): ("10001", "00000"),
        nn.ReLU(): ("00000", "11000"),
        nn.ReLU6(): ("00001", "11000"),
        nn.ThresholdedReLU(): ("00000", "11100"),
        nn.HardSwish(): ("00000", "10000"),
        nn.LeakyReLU(): ("00000", "00000"),
        nn.LeakyReLU(0.0): ("00000", "11000"),
        nn.ELU(): ("10000", "00000"),
        nn.Identity(): ("00000", "00000"),
        nn.Exponential(): ("00000", "00000"),
    }
    for f, masks in expected.items():
        found = tuple("".join(map(str, mask(x).astype(int).tolist())) for mask in (f.saturated, f.dead))
        assert found == masks, f
    scores = jnp.array([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert nn.Softmax().saturated(scores).tolist() == [[True] * 3, [False] * 3]
    assert nn.LogSoftmax().saturated(scores).tolist() == [[True, False, False], [False] * 3]
    assert nn.GLU().saturated(jnp.array([20.0, 20.0, 20.0, 0.0])).tolist() == [False, False, True, False]


@every
def test_json_and_print(f):
    assert Value.from_json(f.to_json()) == f
    assert eval(repr(f), {"nn": nn}) == f
    assert jax.tree.map(lambda leaf: leaf, f) == f


@pytest.mark.parametrize("f", [case for case in CASES[: len(nn.activations.ALL)] if jax.tree.leaves(case)], ids=repr)
def test_stacked_members_equal_a_loop(f):
    members = [jax.tree.map(lambda leaf, by=by: leaf * by, f) for by in (0.5, 1.0, 1.5)]

    @jax.jit
    def both(stacked, members):
        def measure(f):
            return f(GRID), f.derivative(GRID), f.gain(), f.saturated(GRID), f.dead(GRID)

        return jax.vmap(measure)(stacked), [measure(member) for member in members]

    together, alone = both(trees.stack(members), members)
    for index, each in enumerate(alone):
        for found, expected in zip(trees.take(together, index), each, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [*nn.activations.ALL, nn.Maxout], ids=lambda kind: kind.__name__)
def test_the_catalog_can_describe_each(kind):
    assert kind.formula
    assert any(letter.isdigit() for letter in kind.source)
    assert kind.choose.endswith(".")
    for name, spec in kind._specs.items():
        assert spec.role != "number" or spec.search, name


@every
def test_layer_contract(f):
    params, state = f.init(KEY, (4,))
    y, after = f.apply(params, state, jnp.asarray(GRID))
    np.testing.assert_allclose(y, facts(f)["y"], rtol=1e-6, atol=1e-6)
    assert after == state
    before = jnp.array([[-1.0, 2.0]])
    f.apply(*f.init(KEY, (2,)), before)
    np.testing.assert_array_equal(before, [[-1.0, 2.0]])


def test_prelu_learns_a_slope_per_channel():
    params = {"slope": jnp.array([0.25, -0.5, 0.0, 2.0])}
    x, slope = (torch.tensor(np.array(a), requires_grad=True) for a in (GRID, params["slope"]))
    y = tf.prelu(x, slope)
    (y**2).sum().backward()
    ours = jax.grad(lambda p: (nn.PReLU().apply(p, (), GRID)[0] ** 2).sum())(params)
    np.testing.assert_allclose(nn.PReLU().apply(params, (), GRID)[0], y.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(ours["slope"], slope.grad.numpy(), rtol=1e-4)
    assert nn.PReLU(0.3).init(KEY, (8, 8, 5))[0]["slope"].tolist() == pytest.approx([0.3] * 5)
    with pytest.raises(InputError, match=r"expects an input of shape \(..., channels\), got \(\)"):
        nn.PReLU().init(KEY, ())


def test_parametric_learns_a_strength_per_channel():
    f, params = nn.Parametric(nn.Mish(), 0.3), {"alpha": jnp.array([0.3, -0.5, 0.0, 1.0])}
    x, alpha = (torch.tensor(np.array(a), requires_grad=True) for a in (GRID, params["alpha"]))
    y = x + alpha * (tf.mish(x) - x)
    (y**2).sum().backward()
    ours = jax.grad(lambda p: (f.apply(p, (), GRID)[0] ** 2).sum())(params)
    np.testing.assert_allclose(f.apply(params, (), GRID)[0], y.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours["alpha"], alpha.grad.numpy(), rtol=1e-4)
    assert f.init(KEY, (8, 5))[0]["alpha"].tolist() == pytest.approx([0.3] * 5)
    prelu = nn.PReLU().apply({"slope": 1 - params["alpha"]}, (), GRID)[0]
    np.testing.assert_allclose(nn.Parametric(nn.ReLU()).apply(params, (), GRID)[0], prelu, rtol=1e-6, atol=1e-7)
    with pytest.raises(InputError, match=r"expects an input of shape \(..., channels\), got \(\)"):
        f.init(KEY, ())


def test_rrelu_draws_slopes_while_training():
    x = jnp.linspace(-3, -1, 100_000)
    slopes = np.asarray(nn.RReLU().apply((), (), x, key=KEY)[0] / x)
    assert 1 / 8 - 1e-6 <= slopes.min() < slopes.max() <= 1 / 3 + 1e-6
    # Uniform: standard deviation (1/3 - 1/8) / sqrt(12); four standard errors of 1e5 draws.
    assert abs(slopes.mean() - 11 / 48) < 4 * (1 / 3 - 1 / 8) / np.sqrt(12e5)
    np.testing.assert_array_equal(nn.RReLU().apply((), (), -x, key=KEY)[0], -x)
    with pytest.raises(InputError, match=r"RReLU\(low=0.5, high=0.25\): low must be at most high"):
        nn.RReLU(0.5, 0.25)


@pytest.mark.parametrize("f", [nn.GLU(), nn.GEGLU(), nn.SwiGLU()], ids=repr)
def test_gated_units_refuse_odd_sizes(f):
    with pytest.raises(InputError) as error:
        nn.Chain(nn.Dense(5), f).init(KEY, (3,))
    assert str(error.value) == (
        f"layers[1] {f!r}: splits the last axis in two halves, so its size must be even, got (5,)"
    )
    with pytest.raises(InputError, match="must be even"):
        f(jnp.ones((2, 3)))
    assert nn.layer.shapes(f, (7, 6))[2] == (7, 3)


def test_maxout_takes_the_largest_piece():
    layer = nn.Maxout(3, 4)
    params, _ = layer.init(KEY, (5,))
    params = params | {"bias": jnp.arange(12.0)}
    x = GRID.reshape(-1, 5)
    pieces = x @ np.asarray(params["kernel"]) + np.arange(12.0)
    expected = np.stack([pieces[:, 4 * unit : 4 * unit + 4].max(1) for unit in range(3)], axis=1)
    np.testing.assert_allclose(layer.apply(params, (), x)[0], expected, rtol=1e-5, atol=1e-5)
    assert set(nn.Maxout(3, bias=False).init(KEY, (5,))[0]) == {"kernel"}
    with pytest.raises(InputError, match="expects an input of shape"):
        layer.init(KEY, ())


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_maxout_gain(pieces):
    largest = np.random.default_rng(0).normal(size=(200_000, pieces)).max(1) ** 2
    error = largest.std() / np.sqrt(largest.size)
    assert abs(largest.mean() - float(nn.Maxout(1, pieces).gain()) ** -2) < 4 * error


@pytest.mark.parametrize("f", [nn.PReLU(), nn.RReLU(), nn.Mish(), nn.Swish(2.0)], ids=repr)
def test_layers_are_matched_to_what_follows(f):
    chain = nn.Chain(nn.Dense(3), nn.Dropout(), f, nn.Dense(2), nn.Softmax())
    matched = chain.followed_by(None)
    assert matched.layers[0].initializer == nn.initializers.Matched(f)
    assert matched.layers[3].initializer == nn.initializers.Matched(None)
