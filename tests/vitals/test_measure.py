"""Vitals against PyTorch's hooks, closed forms and NumPy; the same on NumPy arrays as inside programs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kilter import losses, nn, optim
from kilter.core import trees
from kilter.vitals import EDGES, Signal, measure, places, summary

torch.set_num_threads(1)
# Sums of some hundred float32 numbers in another order.
CLOSE = {"rtol": 2e-5, "atol": 1e-6}
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(24, 5)).astype(np.float32)
Y = np.arange(24) % 3
NET = nn.Chain(nn.Dense(7), nn.ReLU(), nn.Dense(6), nn.Tanh(), nn.Dense(3))
LOSS = losses.SoftmaxCrossEntropy()
compiled = jax.jit(measure)
jitted = jax.jit(summary)


def initial(net, shape, seed=0):
    return jax.jit(lambda key: net.init(key, shape))(jax.random.key(seed))


def numbers(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_close(a, b, **close):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **(CLOSE | close)), a, b)


def hooked(params, x, y):
    """Outputs of all modules, gradients with respect to these of the summed loss, and the module, by PyTorch."""
    t = torch.nn
    net = t.Sequential(t.Linear(5, 7), t.ReLU(), t.Linear(7, 6), t.Tanh(), t.Linear(6, 3))
    with torch.no_grad():
        for place in (0, 2, 4):
            net[place].weight.copy_(torch.from_numpy(np.array(params[place]["kernel"]).T))
            net[place].bias.copy_(torch.from_numpy(np.array(params[place]["bias"])))
    outputs, gradients = {}, {}
    for place, module in enumerate(net):
        module.register_forward_hook(lambda _, __, y, place=place: outputs.__setitem__(place, y.detach().numpy()))
        module.register_full_backward_hook(lambda _, __, g, place=place: gradients.__setitem__(place, g[0].numpy()))
    x = torch.from_numpy(x).requires_grad_()  # hooks fire for inputs that have gradients
    loss = t.functional.cross_entropy(net(x), torch.from_numpy(y))
    loss.backward()
    return outputs, gradients, net, loss.item()


@pytest.fixture(scope="module")
def found():
    params, state = initial(NET, (5,))
    params = jax.tree.map(lambda p: p + np.float32(0.1), params)
    start = jax.tree.map(lambda p: p * np.float32(2.0), params)
    optimizer = optim.SGD(0.1)
    vitals = compiled(
        NET, LOSS, params, state, X, Y, optimizer=optimizer, moments=optimizer.init(params), start=start,
        penalty=losses.L2(0.0),
    )  # fmt: skip
    return params, jax.device_get(vitals)


def test_signals_are_those_of_pytorchs_hooks(found):
    params, vitals = found
    outputs, gradients, _, _ = hooked(params, X, Y)
    for place in range(5):
        y, own = outputs[place], jax.tree.map(lambda leaf, place=place: leaf[place], vitals.signals)
        rows, flat = y.reshape(24, -1), np.abs(np.corrcoef(y.T))
        varies = y.std(0) > 0
        covariance = np.cov(y.T, bias=True)
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = unit @ unit.T
        expected = {
            "mean": y.mean(), "std": y.std(), "rms": np.sqrt((y**2).mean()), "zero": (y == 0).mean(),
            "rank": np.trace(covariance) ** 2 / np.trace(covariance @ covariance),
            "units": flat[varies][:, varies][~np.eye(varies.sum(), dtype=bool)].mean(),
            "examples": cosines[~np.eye(24, dtype=bool)].mean(),
            "backward": 24 * np.sqrt((gradients[place] ** 2).mean()), "nans": 0, "infs": 0,
        }  # fmt: skip
        assert_close({name: getattr(own, name) for name in expected}, expected, rtol=2e-4)


def test_saturated_and_dead_shares_are_counted_on_the_inputs(found):
    params, vitals = found
    outputs, _, _, _ = hooked(params, X, Y)
    slope = 1.0 - np.tanh(outputs[2]) ** 2
    np.testing.assert_allclose(vitals.signals.saturated[3], (slope < 0.05).mean())
    assert vitals.signals.saturated[1] == 0.0  # a rectifier is dead, not saturated
    np.testing.assert_allclose(vitals.signals.dead[1], (outputs[1] == 0).all(0).mean())
    assert np.isnan(vitals.signals.dead[[0, 2, 3, 4]]).all()
    assert np.isnan(vitals.signals.saturated[[0, 2, 4]]).all()


def test_gradients_of_weights_are_pytorchs(found):
    params, vitals = found
    _, _, net, loss = hooked(params, X, Y)
    names = places(NET, params, ((),) * 5, (5,)).weights
    assert names == tuple(f"layers[{i}].{name}" for i in (0, 2, 4) for name in ("bias", "kernel"))
    own = [getattr(net[i], name) for i in (0, 2, 4) for name in ("bias", "weight")]
    assert_close(vitals.weights.rms, np.array([p.detach().square().mean().sqrt() for p in own]))
    gradient = np.array([p.grad.square().mean().sqrt() for p in own])
    assert_close(vitals.weights.gradient, gradient)
    norm = torch.nn.utils.get_total_norm([p.grad for p in own])
    assert_close((vitals.whole.loss, vitals.whole.gradient_norm), (loss, float(norm)))
    assert_close(vitals.weights.update, 0.1 * gradient / vitals.weights.rms)
    assert_close((vitals.weights.moved, vitals.weights.growth), (np.full(6, 0.5), np.full(6, 0.5)))


def test_a_penalty_is_in_the_gradients_and_apart_from_the_loss(found):
    params, plain = found
    _, state = initial(NET, (5,))
    own = compiled(NET, LOSS, params, state, X, Y, penalty=losses.L2(1e6))
    assert own.whole.loss == pytest.approx(plain.whole.loss, rel=1e-6)
    kernels = [p for p in jax.tree.leaves(params) if p.ndim > 1]
    assert own.whole.penalty == pytest.approx(5e5 * sum(float((k**2).sum()) for k in kernels), rel=1e-4)
    assert_close(own.weights.gradient[1::2], 1e6 * own.weights.rms[1::2], rtol=1e-3)


def test_the_number_of_rows_does_not_change_what_is_propagated_back(found):
    params, plain = found
    _, state = initial(NET, (5,))
    twice = compiled(NET, LOSS, params, state, np.concatenate([X, X]), np.concatenate([Y, Y]))
    assert_close(twice.signals.backward, plain.signals.backward)
    weighted = compiled(NET, LOSS, params, state, X, Y, weights=np.repeat(np.float32([0.0, 2.0]), 12))
    half = compiled(NET, LOSS, params, state, X[12:], Y[12:])
    assert_close((weighted.whole, weighted.weights.gradient), (half.whole, half.weights.gradient))


@pytest.mark.parametrize("optimizer", [optim.Adam(1e-2), optim.SAM(optim.SGD(0.1))], ids=repr)
def test_the_update_is_the_one_that_the_optimizer_makes(optimizer):
    params, state = initial(NET, (5,))
    moments = optimizer.init(params)
    objective = optim.Objective(lambda p: NET.apply(p, state, X), lambda outputs: LOSS(outputs, jnp.asarray(Y)).mean())
    new = jax.jit(lambda p, m: optimizer.minimize(objective, p, m, 3)[0])(params, moments)
    vitals = compiled(NET, LOSS, params, state, X, Y, optimizer=optimizer, moments=moments, step=3)
    for found, before, after in zip(vitals.weights.update, jax.tree.leaves(params), jax.tree.leaves(new), strict=True):
        if np.any(before):
            expected = np.linalg.norm(after - before) / np.linalg.norm(before)
            np.testing.assert_allclose(found, expected, rtol=1e-4)
        else:
            assert np.isnan(found)


def test_a_key_makes_dropout_draw_and_norms_follow_the_batch():
    net = nn.Chain(nn.Dense(40), nn.BatchNorm(), nn.Dropout(0.5), nn.Dense(3))
    params, state = initial(net, (5,))
    params = jax.tree.map(lambda p: p + np.float32(0.3), params)
    trained = compiled(net, LOSS, params, state, 5 * X + 2, Y, key=jax.random.key(0)).signals
    settled = compiled(net, LOSS, params, state, 5 * X + 2, Y).signals
    # 960 draws: a standard error of 0.016.
    assert trained.zero[2] == pytest.approx(0.5, abs=0.06)
    assert settled.zero[2] == 0.0
    assert trained.std[1] == pytest.approx(1.3, rel=1e-2)
    assert settled.std[1] > 2.0


BODY = nn.Chain(nn.Conv(4), nn.BatchNorm(), nn.ReLU())
NETS = {
    "conv": (nn.Chain(BODY, nn.MaxPool(), nn.Flatten(), nn.Dense(3)), (6, 6, 1)),
    "residual": (nn.Chain(nn.Dense(4), nn.Residual(nn.Chain(nn.Dense(4), nn.PReLU())), nn.Dense(3)), (5,)),
    "columns": (
        nn.Chain(nn.Concatenate(nn.Select((1, 2)), nn.Chain(nn.Select(0), nn.Embedding(3, 2))), nn.Dense(3)), (3,),
    ),
    "recurrent": (nn.Chain(nn.GRU(4, sequences=True), nn.LSTM(3)), (4, 2)),
    "block": (nn.Chain(nn.TransformerBlock(2, units=4), nn.GlobalAvgPool(), nn.Dense(3)), (4, 4)),
    "gated": (nn.Chain(nn.Dense(6), nn.GLU(), nn.Softmax()), (5,)),
    "one layer": (nn.Dense(3), (5,)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_every_leaf_of_a_network_is_tapped(name):
    net, shape = NETS[name]
    params, state = initial(net, shape)
    x = np.abs(numbers(9, *shape)) if name != "columns" else np.arange(27).reshape(9, 3).astype(np.float32) % 3
    vitals = jax.device_get(compiled(net, LOSS, params, state, x, np.arange(9) % 3, start=params))
    own = places(net, params, state, shape)
    assert len(own.signals) == len(own.kinds) == len(set(own.signals)) == len(vitals.signals.mean)
    assert vitals.signals.histogram.shape == (len(own.signals), len(EDGES) + 1)
    assert len(own.weights) == len(set(own.weights)) == len(jax.tree.leaves(params)) == len(vitals.weights.rms)
    for place, kind in zip(own.signals, own.kinds, strict=True):
        assert kind == (net.at(place) if place else net)
    y = net.apply(params, state, x)[0]
    np.testing.assert_allclose(vitals.signals.mean[-1], y.mean(), rtol=1e-4, atol=1e-6)
    gradient = jax.grad(lambda y: LOSS(y, jnp.arange(9) % 3).sum())(y)
    np.testing.assert_allclose(vitals.signals.backward[-1], np.sqrt((gradient**2).mean()), rtol=1e-4)
    assert np.isfinite(vitals.signals.backward).all()


def test_units_of_a_convolution_are_its_channels():
    x = numbers(20, 6, 6, 3)
    x[..., 1] = -np.abs(x[..., 1])
    found = summary(np.maximum(x, 0), layer=nn.ReLU(), x=x)
    assert found.dead == pytest.approx(1 / 3)
    rows = np.maximum(x, 0).reshape(-1, 3)[::3]  # 720 positions, every third of them: at most 256
    assert found.units == pytest.approx(abs(np.corrcoef(rows[:, 0], rows[:, 2])[0, 1]), rel=1e-4)


def test_stacked_members_are_measured_at_once():
    nets = [NET.replace(layers=(*NET.layers[:1], nn.LeakyReLU(slope), *NET.layers[2:])) for slope in (0.1, 0.9)]
    made = [initial(net, (5,), seed) for seed, net in enumerate(nets)]
    both = jax.jit(jax.vmap(lambda net, params: measure(net, LOSS, params, made[0][1], X, Y)))(
        trees.stack(nets), trees.stack([jax.device_get(params) for params, _ in made])
    )
    for index, (net, (params, state)) in enumerate(zip(nets, made, strict=True)):
        alone = compiled(net, LOSS, params, state, X, Y)
        assert_close(jax.tree.map(lambda leaf, index=index: leaf[index], both), alone, rtol=1e-4)


ARRAYS = {
    "normal": numbers(30, 6),
    "image": numbers(7, 4, 4, 5),
    "column": numbers(30),
    "tiny": numbers(30, 6) * np.float32(1e-30),
    "huge": numbers(30, 6) * np.float32(1e30),
    "still": np.full((30, 6), np.float32(0.1)),
    "zeros": np.zeros((30, 6), np.float32),
    "rectified": np.maximum(numbers(30, 6), 0.0),
    "a NaN": np.where(np.arange(180).reshape(30, 6) == 7, np.float32(np.nan), numbers(30, 6)),
    "an infinity": np.where(np.arange(180).reshape(30, 6) == 7, np.float32(-np.inf), numbers(30, 6)),
    "all NaN": np.full((4, 3), np.float32(np.nan)),
    "wide": numbers(40, 700),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_numpy_and_programs_give_the_same(name):
    y = ARRAYS[name]
    with np.errstate(over="raise", divide="raise"):
        eager = summary(y, gradient=y)
    assert all(isinstance(leaf, np.ndarray | np.generic | float) for leaf in eager)
    assert_close(jitted(y, gradient=y), eager, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name, y in ARRAYS.items() if np.isfinite(y).any()])
def test_moments_are_those_of_the_finite_entries(name):
    found, y = jitted(ARRAYS[name]), ARRAYS[name].astype(np.float64)
    y = y[np.isfinite(y)]
    expected = (y.mean(), y.std(), np.sqrt((y**2).mean()))
    np.testing.assert_allclose(found[:3], expected, rtol=1e-4, atol=1e-5 * np.abs(y).max())


def test_nothing_finite_has_no_moments_and_no_histogram():
    found = jitted(ARRAYS["all NaN"])
    assert np.isnan([found.mean, found.std, found.rms]).all()
    assert (int(found.nans), int(found.infs), float(found.histogram.sum())) == (12, 0, 0.0)


def test_nans_and_infinities_are_counted_and_show():
    y = np.array([[np.nan, 1.0], [np.inf, -np.inf], [0.0, 2.0]], np.float32)
    found = jitted(y, gradient=y)
    assert (int(found.nans), int(found.infs), float(found.zero)) == (1, 2, pytest.approx(1 / 6))
    assert float(found.mean) == 1.0
    assert np.isnan([found.rank, found.units, found.examples, found.backward]).all()
    assert np.isinf(jitted(y[1:], gradient=y[1:]).backward)


def test_histograms_are_numpys():
    scales = 10.0 ** np.random.default_rng(0).uniform(-8, 8, 4000)
    y = (scales * np.random.default_rng(1).choice([-1, 1], 4000)).astype(np.float32)
    y[:20], y[20:25], y[25:27] = 0.0, np.nan, np.inf
    finite = y[np.isfinite(y)]
    expected = np.histogram(finite, np.concatenate([[-np.inf], EDGES.astype(np.float64), [np.inf]]))[0] / len(finite)
    np.testing.assert_allclose(jitted(y.reshape(40, 100)).histogram, expected, rtol=1e-5)


def test_an_edge_is_in_the_bin_that_is_farther_from_zero():
    for place, edge in enumerate(EDGES):
        filled = np.flatnonzero(summary(np.full((2, 1), edge)).histogram)
        assert filled.tolist() == [place + 1 if edge > 0 else place]


def test_rank_of_known_covariances():
    """Rows +-sqrt(n) s_i e_i have covariance diag(s_i^2) exactly."""
    scale = np.float32([3.0, 2.0, 1.0, 0.0])
    rows = np.concatenate([np.diag(scale), -np.diag(scale)])
    found = summary(rows)
    assert found.rank == pytest.approx((9 + 4 + 1) ** 2 / (81 + 16 + 1), rel=1e-5)
    assert found.units == pytest.approx(0.0, abs=1e-6)
    assert summary(np.concatenate([np.eye(5), -np.eye(5)])).rank == pytest.approx(5.0, rel=1e-5)


def test_units_that_say_the_same_and_rows_that_are_alike():
    symmetric = np.outer(np.arange(1, 9), [1.0, 1.0, -2.0]).astype(np.float32) + np.float32([0.0, 3.0, 1.0])
    found = summary(symmetric)
    assert (found.rank, found.units) == (pytest.approx(1.0, rel=1e-4), pytest.approx(1.0, rel=1e-4))
    collapsed = summary(np.tile(np.float32([[1.0, -2.0, 0.5]]), (8, 1)))
    assert collapsed.examples == pytest.approx(1.0, rel=1e-5)
    assert collapsed.rank == 0.0
    assert np.isnan(collapsed.units)


def test_examples_at_right_angles_and_opposite():
    assert summary(np.eye(6, dtype=np.float32)).examples == pytest.approx(0.0, abs=1e-6)
    assert summary(np.float32([[1.0, 2.0], [-2.0, -4.0]])).examples == pytest.approx(-1.0, rel=1e-5)
    assert summary(np.float32([[1.0, 1.0], [3.0, 3.0], [0.0, 0.0]])).examples == pytest.approx(1.0, rel=1e-5)


def test_whole_numbers_are_summed_up_without_a_gradient():
    class Codes(nn.Layer):
        def apply(self, params, state, x, *, key=None):
            return x.astype(jnp.int32), state

    class Back(nn.Layer):
        def apply(self, params, state, x, *, key=None):
            return x.astype(jnp.float32), state

    net = nn.Chain(Codes(), Back(), nn.Dense(3))
    params, state = initial(net, (5,))
    found = compiled(net, LOSS, params, state, 3 * X, Y).signals
    assert isinstance(found, Signal)
    assert found.mean[0] == pytest.approx((3 * X).astype(np.int32).mean())
    assert np.isnan(found.backward[0])
    assert found.backward[1] > 0


def test_of_large_feature_maps_some_positions_stand_for_all():
    y = numbers(16, 40, 40, 12) * np.arange(1, 13, dtype=np.float32)
    y[:, :, :, 3] = np.maximum(y[:, :, :, 3], 0)
    y[5, 6, 7, 8], y[1, 2, 3, 4] = np.nan, np.inf
    found, finite = summary(y), y[np.isfinite(y)]
    # 102,000 of 307,200 entries: relative standard errors of the moments below 0.3 %.
    assert found.rms == pytest.approx(np.sqrt(np.square(finite).mean()), rel=0.02)
    assert found.zero == pytest.approx(1 / 24, rel=0.05)
    assert (int(found.nans), int(found.infs)) == (1, 1)
