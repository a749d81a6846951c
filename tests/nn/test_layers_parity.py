"""Layers against PyTorch, or a plain reference in it: outputs, gradients of inputs and of all parameters."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as tf

from kilter import nn
from kilter.core.errors import InputError
from kilter.nn.convolve import plain_transposed, transposed
from kilter.nn.sweep import Sweep

torch.set_num_threads(1)
# Sums of up to some hundred float32 products in another order: relative errors of a few 1e-6, absolute ones near zero.
CLOSE = {"rtol": 1e-4, "atol": 2e-5}
KEY = jax.random.key(0)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def first(x):
    return torch.movedim(x, -1, 1)


def last(x):
    return torch.movedim(x, 1, -1)


def compare(layer, x, witness, by_input=True):
    """Outputs and the gradients of sum(y * w), for a fixed random w, equal those of ``witness(params, x)`` in torch."""
    abstract, state, _ = nn.layer.shapes(layer, x.shape[1:])
    params = jax.tree.map(lambda p: numbers(*p.shape, seed=7) / np.float32(math.sqrt(p.shape[0])), abstract)
    theirs = jax.tree.map(lambda p: torch.tensor(p, requires_grad=True), params)
    their_x = torch.tensor(x, requires_grad=by_input)
    expected = witness(theirs, their_x)
    w = numbers(*expected.shape, seed=1)
    (expected * torch.tensor(w)).sum().backward()

    @jax.jit
    def both(params, x):
        y, back = jax.vjp(lambda p, x: layer.apply(p, state, x)[0], params, x)
        return y, back(w)

    y, (by_params, by_x) = both(params, x)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE)
    if by_input:
        np.testing.assert_allclose(by_x, their_x.grad.numpy(), **CLOSE)
    for ours, their in zip(jax.tree.leaves(by_params), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(ours, their.grad.numpy(), **CLOSE)


def codes(*shape, count=5):
    return np.random.default_rng(2).integers(0, count, shape).astype(np.float32)


@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("shape", [(6,), (4, 3), (2, 3, 4)])
def test_embedding(shape, padding):
    def witness(p, x):
        # torch only leaves the row of padding without gradient; that it is zero is its initializer's work.
        rows = tf.embedding(x.long(), p["table"], padding)
        return rows if padding is None else torch.where(x[..., None] == padding, 0.0, rows)

    compare(nn.Embedding(5, 3, padding=padding), codes(*shape), witness, by_input=False)


def test_one_hot():
    compare(nn.OneHot(5), codes(4, 3), lambda p, x: tf.one_hot(x.long(), 5).float() + 0 * x[..., None])


@pytest.mark.parametrize("layer", [nn.OneHot(3), nn.Embedding(3, 2)])
@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_codes_never_wrap(layer, kind):
    params, _ = layer.init(KEY, ())
    known = np.asarray(layer.apply(params, (), jnp.array([0, 1, 2], kind))[0])
    found = np.asarray(layer.apply(params, (), jnp.array([2, -1, 3, -3, 99, 1], kind))[0])
    assert known.dtype == found.dtype == np.float32
    np.testing.assert_array_equal(found[[0, 5]], known[[2, 1]])
    np.testing.assert_array_equal(found[[1, 3]], 0)
    assert np.isnan(found[[2, 4]]).all()
    odd = np.asarray(layer.apply(params, (), jnp.array([0.5, -0.5, np.nan, np.inf, -np.inf]))[0])
    assert np.isnan(odd[:4]).all()


def test_what_is_no_code_has_no_gradient():
    def total(table):
        y = nn.Embedding(3, 2, padding=0).apply({"table": table}, (), jnp.array([-1.0, 0.0, 1.0]))[0]
        return y.sum()

    assert jax.grad(total)(jnp.ones((3, 2))).tolist() == [[0, 0], [1, 1], [0, 0]]


def transposed_witness(layer, space, window, stride, padding):
    axes = len(space)
    strides, dilations = np.broadcast_to(stride, axes), np.broadcast_to(layer.dilation, axes)
    spans = dilations * (np.broadcast_to(window, axes) - 1) + 1

    def witness(p, x):
        kernel = p["kernel"].permute(axes, axes + 1, *range(axes))
        spread = {1: tf.conv_transpose1d, 2: tf.conv_transpose2d}[axes]
        plain = 0 if isinstance(padding, str) else padding
        y = spread(first(x), kernel, None, stride=stride, padding=plain, dilation=layer.dilation)
        if padding == "same":  # n * stride positions of all, half of what is too much cut off in front
            for axis, (n, w, s) in enumerate(zip(space, spans, strides, strict=True)):
                start = max(w - s, 0) // 2
                y = y.movedim(2 + axis, -1)
                y = tf.pad(y, (0, max(n * s - y.shape[-1], 0)))[..., start : start + n * s].movedim(-1, 2 + axis)
        return last(y) + p["bias"] if layer.bias else last(y)

    return witness


TRANSPOSED = [
    ((4, 5), 3, 1, "same"),
    ((4, 3), 4, 2, "same"),
    ((3, 4), (2, 5), (3, 2), "same"),
    ((4, 3), 3, 2, "valid"),
    ((3, 2), 2, 3, "valid"),
    ((4, 4), 4, 2, 1),
    ((4, 3), (3, 5), (1, 2), (2, 1)),
    ((6,), 5, 2, "same"),
    ((5,), 3, 2, "valid"),
    ((5,), 4, 3, 2),
]


@pytest.mark.parametrize(("space", "window", "stride", "padding"), TRANSPOSED)
def test_conv_transpose(space, window, stride, padding):
    layer = nn.ConvTranspose(3, window, stride=stride, padding=padding, bias=len(space) == 1)
    compare(layer, numbers(2, *space, 4), transposed_witness(layer, space, window, stride, padding))


TRANSPOSED_DILATED = [
    ((4, 5), 3, 1, "same", 2),
    ((4, 3), 2, 2, "same", 3),
    ((4, 3), (3, 2), (4, 2), "valid", (2, 4)),
    ((3, 4), 3, (3, 2), 2, (2, 3)),
    ((3, 2), (1, 2), 2, "valid", 2),
    ((6,), 3, 2, "same", 4),
    ((5,), 2, 3, 1, 2),
]


@pytest.mark.parametrize(("space", "window", "stride", "padding", "dilation"), TRANSPOSED_DILATED)
def test_dilated_conv_transpose(space, window, stride, padding, dilation):
    layer = nn.ConvTranspose(3, window, stride=stride, padding=padding, dilation=dilation, bias=len(space) == 1)
    compare(layer, numbers(2, *space, 4), transposed_witness(layer, space, window, stride, padding))


@pytest.mark.parametrize("dilation", [1, 2])
def test_conv_transpose_is_the_gradient_of_conv(dilation):
    forward = nn.Conv(3, 3, stride=2, dilation=dilation, bias=False)
    back = nn.ConvTranspose(4, 3, stride=2, dilation=dilation, bias=False)
    kernel, x, y = numbers(3, 3, 4, 3), numbers(2, 6, 8, 4), numbers(2, 3, 4, 3, seed=1)
    expected = jax.vjp(lambda x: forward.apply({"kernel": kernel}, (), x)[0], x)[1](y)[0]
    found, _ = back.apply({"kernel": kernel.swapaxes(2, 3)}, (), y)
    np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize(
    "frame",
    [
        (Sweep((2, 3), ((1, 1), (0, 0))), (8, 15)),
        (Sweep((2, 3), ((1, 0), (2, 2)), (3, 2)), (15, 13)),
    ],
    ids=["dense", "dilated"],
)
def test_gradients_of_transposed_equal_autodiff_inside_a_scan(frame):
    x, kernel = numbers(3, 2, 4, 5, 2), numbers(4, 3, 2, 3)

    def scanned(spread):
        def step(_, x):
            return 0, jax.grad(lambda x, k: jnp.sum(jnp.sin(spread(x, k, *frame))), (0, 1))(x, kernel)

        return jax.jit(lambda x: jax.lax.scan(step, 0, x)[1])(x)

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE), scanned(transposed), scanned(plain_transposed))


@pytest.mark.parametrize(
    ("window", "stride", "dilation"), [(4, 2, 1), (3, 1, 1), (5, 3, 1), (2, 3, 1), (4, 2, 3), (3, 4, 2)]
)
def test_conv_transpose_keeps_the_variance(window, stride, dilation):
    layer = nn.ConvTranspose(64, window, stride=stride, dilation=dilation)
    params, _ = layer.init(KEY, (12, 12, 48))
    y = np.asarray(jax.jit(layer.apply)(params, (), numbers(4, 12, 12, 48))[0])
    edge = stride * dilation
    y = y[:, edge:-edge, edge:-edge]
    seen = y[np.abs(y) > 0]  # some are of no input, where the window or the dilation skips them
    # Thousands of outputs, but only 48 inputs and 64 units behind each: a few percent.
    assert abs((seen**2).mean() - 1) < 0.15
    exact = nn.ConvTranspose(64, window, stride=stride, initializer=nn.initializers.Normal(0.5))
    assert abs(float(exact.init(KEY, (12, 12, 48))[0]["kernel"].std()) - 0.5) < 0.02


DEPTHWISE = [
    ((6, 5), 3, 1, "same", 1, 1),
    ((6, 7), (3, 2), 2, "valid", 2, 1),
    ((7, 6), 3, (1, 2), 1, 3, 1),
    ((5, 4), 1, 2, "valid", 1, 1),
    ((9, 9), 9, 1, 4, 2, 1),
    ((7,), 3, 2, 1, 2, 1),
    ((8, 7), (3, 2), (2, 3), 2, 2, (2, 4)),
    ((18, 17), 9, 1, "valid", 1, 2),
    ((9,), 3, 2, 3, 1, 4),
]


@pytest.mark.parametrize(("space", "window", "stride", "padding", "multiplier", "dilation"), DEPTHWISE)
@pytest.mark.parametrize("general", [False, True], ids=["depthwise", "conv"])
def test_depthwise(space, window, stride, padding, multiplier, dilation, general):
    theirs, axes = {"same": 1, "valid": 0}.get(padding, padding) if isinstance(padding, str) else padding, len(space)

    def witness(p, x):
        kernel = p["kernel"].permute(axes + 1, axes, *range(axes))
        convolve = {1: tf.conv1d, 2: tf.conv2d}[axes]
        settings = {"stride": stride, "padding": theirs, "dilation": dilation}
        return last(convolve(first(x), kernel, p["bias"], groups=3, **settings))

    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    layer = nn.DepthwiseConv(window, multiplier, **settings)
    if general:
        layer = nn.Conv(3 * multiplier, window, groups=3, **settings)
    compare(layer, numbers(2, *space, 3), witness)


def test_scale():
    compare(nn.Scale(), numbers(4, 3, 5), lambda p, x: x * p["scale"])
    compare(nn.Scale(shift=True), numbers(4, 5), lambda p, x: x * p["scale"] + p["shift"])
    assert nn.Scale(0.25, shift=True).init(KEY, (2,))[0]["scale"].tolist() == [0.25, 0.25]


@pytest.mark.parametrize("shape", [(3, 6, 4), (2, 3, 5, 4), (2, 2, 3, 2, 4)])
def test_global_pools(shape):
    axes = tuple(range(1, len(shape) - 1))
    compare(nn.GlobalAvgPool(), numbers(*shape), lambda p, x: x.mean(axes))
    compare(nn.GlobalMaxPool(), numbers(*shape), lambda p, x: x.amax(axes))


def test_global_pools_leave_padding_out():
    x = numbers(3, 5, 4)
    x[0, 2:] = x[1, 0] = x[2] = -1.0
    kept = [x[0, :2], x[1, 1:]]
    for layer, reduce in ((nn.GlobalAvgPool(-1.0), np.mean), (nn.GlobalMaxPool(-1.0), np.max)):
        expected = [reduce(each, axis=0) for each in kept] + [np.zeros(4)]
        np.testing.assert_allclose(layer.apply((), (), x)[0], expected, **CLOSE)


def test_select_and_concatenate():
    x = numbers(3, 2, 5)
    layer = nn.Concatenate(nn.Select((3, 0)), nn.Dense(2), nn.Select((-1,)))

    def witness(p, x):
        return torch.cat([x[..., [3, 0]], x @ p[1]["kernel"] + p[1]["bias"], x[..., -1:]], -1)

    compare(layer, x, witness)
    np.testing.assert_array_equal(nn.Select(1).apply((), (), jnp.asarray(x))[0], x[..., 1])


def numeric(layer, expand):
    """The reference of a numeric embedding: feature by feature."""

    def witness(p, x):
        blocks = []
        for feature in range(x.shape[1]):
            z = expand(p, x[:, feature], feature)
            if layer.size is not None:
                own = slice(None) if layer.shared else slice(feature * layer.size, (feature + 1) * layer.size)
                z = z @ p["kernel"][:, own] + p["bias"][own]
            z = torch.relu(z) if layer.activation else z
            blocks.append(torch.cat([x[:, feature, None], z], 1) if layer.direct else z)
        return torch.cat(blocks, 1)

    return witness


def waves(layer):
    def expand(p, x, feature):
        v = 2 * math.pi * x[:, None] * p["frequency"][feature]
        if layer.phase:
            count = layer.frequencies
            return torch.cos(v + p["phase"][feature * count : (feature + 1) * count])
        return torch.cat([torch.sin(v), torch.cos(v)], 1)

    return expand


@pytest.mark.parametrize(
    "layer",
    [
        nn.PeriodicEmbedding(3),
        nn.PeriodicEmbedding(3, size=4, activation=nn.ReLU()),
        nn.PeriodicEmbedding(3, size=4, activation=nn.ReLU(), shared=True),
        nn.PeriodicEmbedding(5, size=3, phase=True, direct=True),
    ],
    ids=["P", "PLR", "PLR(lite)", "PBLD"],
)
def test_periodic_embedding(layer):
    compare(layer, numbers(4, 3), numeric(layer, waves(layer)))


def test_periodic_embedding_starts_as_stated():
    params, _ = nn.PeriodicEmbedding(200, 0.3, phase=True).init(KEY, (50,))
    # 10,000 draws: standard errors of 0.3 / sqrt(2e4) and pi / sqrt(3e4); four of them.
    assert abs(float(params["frequency"].std()) - 0.3) < 4 * 0.3 / math.sqrt(2e4)
    assert abs(float(params["phase"].mean())) < 4 * math.pi / math.sqrt(3e4)
    assert np.pi - 0.01 < float(jnp.abs(params["phase"]).max()) <= np.pi + 1e-6


EDGES = ((-1.0, 0.0, 0.5, 2.0), (0.0, 1.0), (-0.5, 0.1, 0.3))


def shares(p, x, feature):
    """Equation 1 of Gorishniy et al. 2022, case by case; zeros for bins that a feature does not have."""
    edges, columns = EDGES[feature], []
    for t in range(1, len(edges)):
        z = (x - edges[t - 1]) / (edges[t] - edges[t - 1])
        z = torch.where((x < edges[t - 1]) & (t > 1), 0.0, z)
        columns.append(torch.where((x >= edges[t]) & (t < len(edges) - 1), 1.0, z))
    return torch.stack(columns + [0 * x] * (3 - len(columns)), 1)


@pytest.mark.parametrize("settings", [{}, {"size": 2, "activation": nn.ReLU()}, {"size": 2, "shared": True}])
def test_piecewise_linear_embedding(settings):
    layer = nn.PiecewiseLinearEmbedding(*map(nn.Bins, EDGES), **settings)
    compare(layer, numbers(8, 3) * 2, numeric(layer, shares))


def test_one_set_of_bins_serves_all_features():
    x = jnp.asarray(numbers(5, 3))
    alone, each = (nn.PiecewiseLinearEmbedding(*[nn.Bins(EDGES[0])] * count) for count in (1, 3))
    np.testing.assert_array_equal(alone.apply({}, (), x)[0], each.apply({}, (), x)[0])


@pytest.mark.parametrize(("features", "base"), [(6, 10_000.0), (5, 50.0)])
def test_position_encoding(features, base):
    t, i = np.arange(7)[:, None], np.arange(features)[None]
    turns = t / base ** ((i - i % 2) / features)
    expected = np.where(i % 2, np.cos(turns), np.sin(turns))
    compare(nn.PositionEncoding(base), numbers(2, 7, features), lambda p, x: x + torch.tensor(expected).float())


def test_position_embedding():
    layer = nn.PositionEmbedding()
    compare(layer, numbers(2, 5, 3), lambda p, x: x + p["table"])
    params, x = {"table": numbers(5, 3)}, numbers(2, 4, 3, seed=1)
    np.testing.assert_allclose(layer.apply(params, (), x)[0], x + params["table"][:4])
    with pytest.raises(InputError, match="was made for 5 steps, but the input has 6"):
        layer.apply(params, (), jnp.ones((2, 6, 3)))


@pytest.mark.parametrize("layer", [nn.PositionEmbedding(padding=2.0), nn.PositionEncoding(padding=2.0)])
def test_positions_leave_padding_alone(layer):
    x = numbers(2, 5, 3)
    x[0, 3:] = 2.0
    params, _ = layer.init(KEY, (5, 3))
    y = np.asarray(layer.apply(params, (), jnp.asarray(x))[0])
    np.testing.assert_array_equal(y[0, 3:], 2.0)
    assert (y[1] != x[1]).any(-1).all()
