"""Layers against PyTorch in float32: outputs, gradients of inputs and of parameters. Activations: tests/nn."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.extend.core import jaxprs_in_params
from torch.nn import functional as tf

from kilter import nn
from kilter.core.errors import InputError
from kilter.nn import by_products, convolve
from kilter.nn.product import product
from kilter.nn.sweep import Sweep

torch.set_num_threads(1)
# Sums of up to some hundred float32 products in another order: relative errors of a few 1e-6, absolute ones near zero.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
KEY = jax.random.key(0)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def distinct(*shape, seed=0):
    """Numbers without ties, for maxima."""
    order = np.random.default_rng(seed).permutation(int(np.prod(shape)))
    return (order.reshape(shape) / order.size - 0.5).astype(np.float32)


def tensor(array):
    return torch.tensor(np.array(array), requires_grad=True)


def first(x):
    """Channels last to channels first."""
    return torch.movedim(x, -1, 1)


def last(x):
    return torch.movedim(x, 1, -1)


def compare(layer, x, witness, params=None, state=None, key=None):
    """Outputs and the gradients of sum(y * w), for a fixed random w, equal those of ``witness(params, x)`` in torch."""
    params = drawn(layer, x.shape[1:]) if params is None else params
    state = nn.layer.shapes(layer, x.shape[1:])[1] if state is None else state
    theirs = jax.tree.map(tensor, params)
    their_x = tensor(x)
    expected = witness(theirs, their_x)
    w = numbers(*expected.shape, seed=1)
    (expected * torch.tensor(w)).sum().backward()

    @jax.jit  # one compile rather than one an operation
    def gradients(params, state, x):
        def objective(params, x):
            y, _ = layer.apply(params, state, x, key=key)
            return (y * w).sum(), y

        return jax.value_and_grad(objective, (0, 1), has_aux=True)(params, x)

    (_, y), grads = gradients(params, state, x)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE)
    np.testing.assert_allclose(grads[1], their_x.grad.numpy(), **CLOSE)
    for ours, their in zip(jax.tree.leaves(grads[0]), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(ours, their.grad.numpy(), **CLOSE)


def drawn(layer, shape):
    """Random parameters, biases and shifts among them, of the size that keeps signals near one."""
    abstract = nn.layer.shapes(layer, shape)[0]
    return jax.tree.map(
        lambda p: numbers(*p.shape, seed=7) / np.float32(np.sqrt(max(np.prod(p.shape[:-1]), 1))), abstract
    )


def dense(p, x):
    return tf.linear(x, p["kernel"].T, p.get("bias"))


@pytest.mark.parametrize("shape", [(5, 7), (1, 7), (3, 4, 7)])
@pytest.mark.parametrize("bias", [True, False])
def test_dense(shape, bias):
    layer = nn.Dense(6, bias=bias)
    compare(layer, numbers(*shape), dense)


def conv(layer, stride, padding, axes):
    apply = {1: tf.conv1d, 2: tf.conv2d}[axes]

    def witness(p, x):
        kernel = p["kernel"].permute(axes + 1, axes, *range(axes))
        settings = {"stride": stride, "padding": padding, "dilation": layer.dilation, "groups": layer.groups}
        return last(apply(first(x), kernel, p.get("bias"), **settings))

    return witness


# Sizes are odd and even, windows too; "same" with stride 1 and odd windows is torch's (n - 1) / 2 at both ends.
CONVOLUTIONS = [
    ((6, 5), 3, 1, "valid", 1),
    ((7, 6), 3, 1, "same", 1),
    ((6, 7), 1, 1, "same", 2),
    ((7, 8), (3, 5), 1, "same", 1),
    ((7, 8), (3, 5), 2, "valid", 2),
    ((8, 7), 3, 2, 1, 1),
    ((8, 8), 3, 2, 1, 2),
    ((7, 7), 2, (1, 3), 1, 1),
    ((7, 6), 1, 2, "valid", 1),
    ((6, 9), (3, 2), (3, 2), (2, 1), 1),
    ((5, 5), 3, 1, 3, 1),
    ((9,), 3, 1, "same", 1),
    ((9,), 5, 2, "valid", 2),
    ((8,), 3, 3, 2, 1),
    ((8,), 1, 2, "valid", 1),
]


@pytest.mark.parametrize(("space", "window", "stride", "padding", "groups"), CONVOLUTIONS)
def test_conv(space, window, stride, padding, groups):
    layer = nn.Conv(6, window, stride=stride, padding=padding, groups=groups, bias=groups == 1)
    compare(layer, numbers(3, *space, 4), conv(layer, stride, padding, len(space)))


# Dilations that divide the stride, that it divides, that share a divisor with it or none; spans up to the whole input.
DILATED = [
    ((7, 8), 3, 1, "valid", 2, 1),
    ((7, 6), 3, 1, "same", 3, 1),
    ((9, 8), (2, 3), 2, 1, (3, 2), 1),
    ((11, 10), 3, (2, 4), 3, (4, 2), 1),
    ((12, 9), (3, 2), (6, 3), (2, 1), (4, 2), 1),
    ((8, 9), 2, 3, "valid", 4, 2),
    ((7, 7), 3, 1, "same", (1, 2), 4),
    ((5, 6), 3, 2, 5, 2, 1),
    ((12,), 2, 1, "valid", 8, 1),
    ((11,), 3, 2, 4, 3, 2),
    ((9,), 5, 1, "same", 4, 1),
]


@pytest.mark.parametrize(("space", "window", "stride", "padding", "dilation", "groups"), DILATED)
def test_dilated_conv(space, window, stride, padding, dilation, groups):
    layer = nn.Conv(8, window, stride=stride, padding=padding, dilation=dilation, groups=groups)
    compare(layer, numbers(3, *space, 4), conv(layer, stride, padding, len(space)))


def test_dilated_conv_is_that_of_a_kernel_with_zeros_between():
    layer, x, kernel = nn.Conv(5, 3, stride=2, dilation=(2, 3)), numbers(2, 9, 10, 2), numbers(3, 3, 2, 5)
    filled = np.zeros((5, 7, 2, 5), np.float32)
    filled[::2, ::3] = kernel
    found, _ = layer.apply({"kernel": kernel}, (), x)
    expected, _ = nn.Conv(5, (5, 7), stride=2).apply({"kernel": filled}, (), x)
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_dilation_changes_neither_parameters_nor_how_they_are_drawn():
    drawn = [nn.Conv(4, 3, dilation=d).init(KEY, (9, 9, 2))[0] for d in (1, 3)]
    jax.tree.map(np.testing.assert_array_equal, *drawn)


@pytest.mark.parametrize(
    ("space", "window", "stride", "dilation"),
    [
        ((7, 8), 3, 2, 1),
        ((8, 5), 2, 1, 1),
        ((9, 9), (2, 5), 3, 1),
        ((5,), 4, 2, 1),
        ((7, 8), 2, 2, 3),
        ((6,), 4, 1, 5),
    ],
)
def test_same_padding_puts_the_odd_one_after_as_in_keras(space, window, stride, dilation):
    layer = nn.Conv(2, window, stride=stride, dilation=dilation)
    spans, strides = dilation * (np.broadcast_to(window, len(space)) - 1) + 1, np.broadcast_to(stride, len(space))
    totals = [max((-(-n // s) - 1) * s + w - n, 0) for n, w, s in zip(space, spans, strides, strict=True)]
    ends = [pair for total in reversed(totals) for pair in (total // 2, total - total // 2)]

    def witness(p, x):
        return conv(layer, tuple(strides.tolist()), 0, len(space))(p, last(tf.pad(first(x), ends)))

    compare(layer, numbers(2, *space, 3), witness)
    _, _, reached = nn.layer.shapes(layer, (*space, 3))
    assert reached == (*(-(-n // s) for n, s in zip(space, strides, strict=True)), 2)


POOLS = [
    ((8, 6), 2, None, "valid"),
    ((7, 9), 2, None, "valid"),
    ((7, 8), 3, 2, "valid"),
    ((7, 8), 3, 2, 1),
    ((6, 6), 2, 3, "valid"),
    ((8, 7), (3, 2), (2, 1), (1, 0)),
    ((9,), 3, None, "valid"),
    ((8,), 3, 1, 1),
    ((7,), 4, 2, 2),
    ((5, 5), 3, 1, "same"),
]


@pytest.mark.parametrize(("space", "window", "stride", "padding"), POOLS)
@pytest.mark.parametrize("kind", [nn.MaxPool, nn.AvgPool])
def test_pools(kind, space, window, stride, padding):
    axes = len(space)
    theirs = {"valid": 0, "same": 1}.get(padding, padding) if isinstance(padding, str) else padding

    def witness(p, x):
        x, steps = first(x), window if stride is None else stride
        if kind is nn.MaxPool:
            return last({1: tf.max_pool1d, 2: tf.max_pool2d}[axes](x, window, steps, theirs))
        average = {1: tf.avg_pool1d, 2: tf.avg_pool2d}[axes]
        return last(average(x, window, steps, theirs, count_include_pad=False))

    compare(kind(window, stride, padding=padding), distinct(2, *space, 3), witness)


@pytest.mark.parametrize("kind", [nn.MaxPool, nn.AvgPool])
@pytest.mark.parametrize(("window", "padding"), [(2, 2), (3, 4), ((3, 2), (1, 2))])
def test_pools_refuse_windows_that_would_hold_no_input(kind, window, padding):
    with pytest.raises(InputError, match="padding must be below the window"):
        kind(window, 1, padding=padding).init(KEY, (6, 6, 1))


@pytest.mark.parametrize("shape", [(9, 4), (3, 5, 4), (3, 4, 5, 4)])
@pytest.mark.parametrize("momentum", [0.9, 0.25])
def test_batch_norm(shape, momentum):
    layer = nn.BatchNorm(momentum, 1e-3)
    x = numbers(*shape) * 2 + 1
    params = drawn(layer, shape[1:])
    state = {"mean": numbers(4, seed=3), "var": np.exp(numbers(4, seed=4))}

    def witness(training, mean, var):
        def run(p, x):
            y = tf.batch_norm(first(x), mean, var, p["scale"], p["shift"], training, 1 - momentum, 1e-3)
            return last(y)

        return run

    moving = {name: torch.tensor(np.array(value)) for name, value in state.items()}
    compare(layer, x, witness(False, moving["mean"], moving["var"]), params, state)
    compare(layer, x, witness(True, moving["mean"], moving["var"]), params, state, key=KEY)
    _, after = layer.apply(params, state, x, key=KEY)
    for name, value in moving.items():
        np.testing.assert_allclose(after[name], value.numpy(), **CLOSE)


def test_batch_norm_without_scale_and_shift():
    layer = nn.BatchNorm(scale=False, shift=False)
    x = numbers(8, 3)
    assert layer.init(KEY, (3,))[0] == {}
    compare(layer, x, lambda p, x: tf.batch_norm(x, None, None, training=True), key=KEY)


@pytest.mark.parametrize(
    ("layer", "witness"),
    [(nn.Flatten(), lambda p, x: x.reshape(len(x), -1)), (nn.Dropout(0.7), lambda p, x: x * 1)],
)
def test_layers_without_parameters_at_inference(layer, witness):
    compare(layer, numbers(3, 4, 5, 2), witness)


def test_dropout_while_training_keeps_the_mean_and_drops_the_rate():
    x = jnp.full((200, 500), 2.0)
    y = np.asarray(nn.Dropout(0.3).apply((), (), x, key=KEY)[0])
    np.testing.assert_allclose(y[y != 0], 2 / 0.7, rtol=1e-6)
    # 1e5 draws: the standard error of the share is sqrt(0.21 / 1e5) = 0.00145; five of them.
    assert abs((y == 0).mean() - 0.3) < 0.0073


def test_chain_of_a_convolutional_net():
    net = nn.Chain(
        nn.Conv(4), nn.ReLU(), nn.MaxPool(), nn.Conv(3, stride=2, padding=1), nn.Tanh(), nn.Flatten(), nn.Dense(2)
    )

    def witness(p, x):
        x = torch.relu(conv(net.layers[0], 1, 1, 2)(p[0], x))
        x = last(tf.max_pool2d(first(x), 2))
        x = torch.tanh(conv(net.layers[3], 2, 1, 2)(p[3], x))
        return dense(p[6], x.reshape(len(x), -1))

    compare(net, numbers(3, 8, 6, 2), witness)


@pytest.mark.parametrize("shortcut", [None, nn.Dense(5, bias=False)])
def test_residual(shortcut):
    width = 5 if shortcut is None else 3
    layer = nn.Residual(nn.Chain(nn.Dense(8), nn.Tanh(), nn.Dense(5)), shortcut)

    def witness(p, x):
        direct = x if shortcut is None else dense(p["shortcut"], x)
        return direct + dense(p["body"][2], torch.tanh(dense(p["body"][0], x)))

    compare(layer, numbers(4, width), witness)


SMALL = nn.Chain(
    nn.Conv(3, 3, stride=2), nn.BatchNorm(), nn.ReLU(), nn.Residual(nn.Conv(3)), nn.AvgPool(), nn.Flatten(), nn.Dense(2)
)


@pytest.fixture(scope="module")
def small():
    params = drawn(SMALL, (8, 8, 2))
    state = jax.tree.map(lambda s: np.ones(s.shape, np.float32), nn.layer.shapes(SMALL, (8, 8, 2))[1])
    x = numbers(4, 4, 8, 8, 2)

    def objective(params, x):
        y, after = SMALL.apply(params, state, x, key=KEY)
        return (y**2).sum(), (y, after)

    gradient = jax.value_and_grad(objective, has_aux=True)
    return params, x, gradient, gradient(params, x[0])


def assert_trees_close(a, b, **close):
    jax.tree.map(lambda left, right: np.testing.assert_allclose(left, right, **close), a, b)


def test_gradients_under_jit_equal_the_eager_ones(small):
    params, x, gradient, eager = small
    assert_trees_close(jax.jit(gradient)(params, x[0]), eager, **CLOSE)


def test_gradients_inside_scan_equal_the_eager_ones(small):
    params, x, gradient, _ = small
    _, scanned = jax.lax.scan(lambda carry, batch: (carry, gradient(params, batch)), 0, x)
    for index in (0, 3):
        assert_trees_close(jax.tree.map(lambda leaf, i=index: leaf[i], scanned), gradient(params, x[index]), **CLOSE)


def random_convolutions(count):
    """Shapes, windows, strides, paddings and dilations on all sides of each other, every second window dense.

    Padding is below the span of the window, as the layer promises.
    """
    draw = np.random.default_rng(5)
    for turn in range(count):
        window = tuple(int(v) for v in draw.integers(1, 5, 2))
        stride = tuple(int(v) for v in draw.integers(1, 5, 2))
        dilation = tuple(int(v) for v in draw.integers(1, 7, 2)) if turn % 2 else (1, 1)
        spans = [d * (w - 1) + 1 for w, d in zip(window, dilation, strict=True)]
        padding = tuple((int(draw.integers(0, w)), int(draw.integers(0, w))) for w in spans)
        least = [max(1, w - sum(p)) for w, p in zip(spans, padding, strict=True)]
        space = tuple(int(low + draw.integers(0, 6)) for low in least)
        yield int(draw.integers(1, 7)), space, window, Sweep(stride, padding, dilation)


def assert_gradients_like_autodiff(x, kernel, sweep):
    @jax.jit
    def both(x, kernel):
        y, ours = jax.vjp(lambda x, k: convolve.convolve(x, k, sweep), x, kernel)
        plain, theirs = jax.vjp(lambda x, k: convolve.plain(x, k, sweep), x, kernel)
        dy = jnp.sin(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)
        return (y, *ours(dy)), (plain, *theirs(dy))

    for mine, other in zip(*both(x, kernel), strict=True):
        np.testing.assert_allclose(mine, other, **CLOSE)


@pytest.mark.parametrize("limit", [1, 2 << 20], ids=["pieces of one example", "one piece"])
def test_convolve_gradients_equal_autodiff(limit, monkeypatch):
    monkeypatch.setattr(by_products, "_PIECE_BYTES", limit)
    for batch, space, window, sweep in random_convolutions(12):
        assert_gradients_like_autodiff(numbers(batch, *space, 2), numbers(*window, 2, 3), sweep)


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_hold_no_convolution_that_is_slow_in_a_loop(groups):
    """A gradient by a convolution over the batch, or of signals with zeros between, is slow; negative padding is wrong.

    Fewer channels would take products in place of convolutions.
    """
    for batch, space, window, sweep in random_convolutions(16):
        x, kernel = jnp.zeros((batch, *space, 24)), jnp.zeros((*window, 24 // groups, 20))
        gradient = jax.grad(lambda x, k, s=sweep: convolve.grouped(x, k, s, groups).sum(), (0, 1))
        met = list(convolutions(jax.make_jaxpr(gradient)(x, kernel).jaxpr))
        assert met
        for each in met:
            assert each["lhs_dilation"] == (1, 1)
            assert each["batch_group_count"] == each["feature_group_count"] == 1
            assert min(map(min, each["padding"])) >= 0
            layout = each["dimension_numbers"]
            assert (layout.lhs_spec, layout.rhs_spec, layout.out_spec) == ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))


def convolutions(jaxpr):
    """Settings of all convolutions, those in loops included."""
    for step in jaxpr.eqns:
        if step.primitive.name == "conv_general_dilated":
            yield step.params
        for inner in jaxprs_in_params(step.params):
            yield from convolutions(inner)


def test_gradients_of_a_dilated_conv_differentiate_forward():
    x, kernel = numbers(2, 7, 6, 3), numbers(2, 3, 3, 4)
    sweep, along = Sweep((1, 2), ((1, 0), (2, 1)), (3, 2)), (numbers(2, 7, 6, 3, seed=1), numbers(2, 3, 3, 4, seed=2))

    def curvature(form):
        slope = jax.grad(lambda x, k: jnp.sum(jnp.sin(form(x, k, sweep))), (0, 1))
        return jax.jit(lambda: jax.jvp(slope, (x, kernel), along)[1])()

    assert_trees_close(curvature(convolve.convolve), curvature(convolve.plain), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 6, 7, 8])
def test_convolve_gradients_in_pieces_that_divide_the_batch(batch, monkeypatch):
    x, kernel = numbers(batch, 6, 5, 2), numbers(3, 3, 2, 4)
    each = 4 * 8 * 5 * 3 * 2  # float32, padded height, width after, window, channels
    monkeypatch.setattr(by_products, "_PIECE_BYTES", 4 * each)
    assert by_products._divisor(batch, 4) == {1: 1, 6: 3, 7: 1, 8: 4}[batch]
    assert_gradients_like_autodiff(x, kernel, Sweep(padding=((1, 1), (1, 1))))


@pytest.mark.parametrize(("window", "stride", "padding"), list(itertools.product([1, 2], [1, 3], [2, 4])))
def test_conv_with_padding_of_a_window_or_more(window, stride, padding):
    layer = nn.Conv(3, window, stride=stride, padding=padding)
    compare(layer, numbers(2, 3, 4, 2), conv(layer, stride, padding, 2))


@pytest.mark.parametrize("dilation", [1, 3])
def test_conv_of_a_stack_of_members_equals_one_by_one(dilation):
    layer = nn.Conv(3, 3, stride=2, dilation=dilation)
    x = numbers(4, 6, 6, 2)
    stacked = numbers(3, 3, 3, 2, 3)

    def gradient(kernel):
        return jax.grad(lambda k: (layer.apply({"kernel": k, "bias": jnp.zeros(3)}, (), x)[0] ** 2).sum())(kernel)

    batched = jax.jit(jax.vmap(gradient))(stacked)
    alone = jax.jit(gradient)
    for kernel, found in zip(stacked, batched, strict=True):
        np.testing.assert_allclose(found, alone(kernel), rtol=1e-4, atol=1e-4)


def test_the_product_differentiates_forward_and_backward_twice():
    x, kernel = jnp.asarray(np.random.default_rng(0).normal(size=(5, 4)), jnp.float32), jnp.ones((4, 3)) / 3

    def curved(multiply):
        return lambda x, kernel: jnp.sum(jnp.tanh(multiply(x, kernel)) ** 2)

    for derive in (jax.grad, jax.jacfwd, jax.hessian):
        for argument in (0, 1, (0, 1)):
            ours, plain = (derive(curved(f), argument)(x, kernel) for f in (product, jnp.dot))
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, plain)
