"""Every norm through one table: PyTorch's values and gradients, moments of outputs; folding; exact statistics."""

import copy
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as tf
from torch.nn.utils import parametrizations

from kilter import nn
from kilter.core.errors import InputError
from kilter.nn.norm import normalized

torch.set_num_threads(1)
# Sums of up to some hundred float32 numbers in another order.
CLOSE = {"rtol": 1e-4, "atol": 2e-5}
KEY = jax.random.key(0)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def first(x):
    return torch.movedim(x, -1, 1)


def last(x):
    return torch.movedim(x, 1, -1)


def initial(layer, shape):
    """Parameters and state, in one compile rather than one an operation."""
    return jax.tree.map(np.asarray, jax.jit(lambda key: layer.init(key, shape))(KEY))


def drawn(layer, shape):
    """Parameters other than the starting ones, so that scales and shifts show."""
    params, state = initial(layer, shape)
    return jax.tree.map(lambda p: p + np.float32(0.3) * numbers(*p.shape, seed=p.size), params), state


def run(layer, params, state, x, key=None):
    """Outputs, in one compile."""
    return np.asarray(jax.jit(lambda params, state, x: layer.apply(params, state, x, key=key)[0])(params, state, x))


def batch_norm(p, x):
    return last(tf.batch_norm(first(x), torch.zeros(6), torch.ones(6), p["scale"], p["shift"], False, 0.1, 1e-5))


def batch_norm_training(p, x):
    return last(tf.batch_norm(first(x), None, None, p["scale"], p["shift"], True, 0.1, 1e-5))


def layer_norm(p, x):
    return tf.layer_norm(x, p["scale"].shape, p["scale"], p["shift"], 1e-5)


def image_norm(p, x):
    shape = x.shape[1:]
    return tf.layer_norm(x, shape, p["scale"].view(shape), p["shift"].view(shape), 1e-5)


def plain_layer_norm(p, x):
    return tf.layer_norm(x, x.shape[-1:], eps=1e-3)


def rms_norm(p, x):
    shape = x.shape[-1:] if p["scale"].numel() == x.shape[-1] else x.shape[1:]
    return tf.rms_norm(x, shape, p["scale"].view(shape), 1e-5)


def group_norm(groups):
    return lambda p, x: last(tf.group_norm(first(x), groups, p["scale"], p["shift"], 1e-5))


def instance_norm(p, x):
    return last(tf.instance_norm(first(x), weight=p["scale"], bias=p["shift"], eps=1e-5))


def response(size):
    return lambda p, x: last(tf.local_response_norm(first(x), size, 0.3, 0.6, 1.5))


def weight_norm(p, x):
    v, g = p["kernel"].T, p["length"]
    return tf.linear(x, torch._weight_norm(v, g[:, None], 0), p["bias"])


# Layer, shape of the batch, witness, key.
TABLE = {
    "batch": (nn.BatchNorm(), (8, 3, 6), batch_norm, None),
    "batch, training": (nn.BatchNorm(), (8, 3, 4, 6), batch_norm_training, KEY),
    "batch, cumulative": (nn.BatchNorm(cumulative=True), (8, 6), batch_norm_training, KEY),
    "renorm": (nn.BatchRenorm(), (8, 3, 6), batch_norm, None),
    "renorm, closed": (nn.BatchRenorm(r_max=1.0, d_max=0.0), (8, 3, 6), batch_norm_training, KEY),
    "layer": (nn.LayerNorm(), (5, 7), layer_norm, None),
    "layer, positions": (nn.LayerNorm(), (5, 3, 7), layer_norm, None),
    "layer, images": (nn.LayerNorm((-3, -2, -1)), (4, 3, 2, 5), image_norm, None),
    "layer, plain": (nn.LayerNorm(epsilon=1e-3, scale=False, shift=False), (5, 7), plain_layer_norm, None),
    "rms": (nn.RMSNorm(), (5, 3, 7), rms_norm, None),
    "rms, two axes": (nn.RMSNorm((-2, -1)), (5, 3, 7), rms_norm, None),
    "group": (nn.GroupNorm(3), (4, 5, 2, 6), group_norm(3), None),
    "group, without positions": (nn.GroupNorm(2), (4, 6), group_norm(2), None),
    "group of all": (nn.GroupNorm(1), (4, 5, 6), group_norm(1), None),
    "instance": (nn.InstanceNorm(), (4, 5, 3, 6), instance_norm, None),
    "response": (nn.LocalResponseNorm(5, alpha=0.3, beta=0.6, k=1.5), (3, 4, 4, 8), response(5), None),
    "response, even": (nn.LocalResponseNorm(4, alpha=0.3, beta=0.6, k=1.5), (3, 4, 8), response(4), None),
    "response, wide": (nn.LocalResponseNorm(9, alpha=0.3, beta=0.6, k=1.5), (3, 4, 3), response(9), None),
    "weight": (nn.WeightNorm(nn.Dense(4)), (5, 7), weight_norm, None),
    "spectral": (nn.SpectralNorm(nn.Dense(4)), (5, 7), None, None),
    "spectral, training": (nn.SpectralNorm(nn.Dense(4), iterations=3), (5, 7), None, KEY),
}


def every(names):
    return pytest.mark.parametrize("name", list(names))


def test_every_norm_is_in_the_table():
    assert {type(row[0]) for row in TABLE.values()} == set(nn.norms.ALL)


def with_gradients(layer, params, state, x, w, key):
    """Outputs, state after, and the gradients of sum(y * w)."""

    @jax.jit
    def both(params, state, x):
        y, back, after = jax.vjp(lambda p, x: layer.apply(p, state, x, key=key), params, x, has_aux=True)
        return y, after, back(w)

    return both(params, state, x)


@every(name for name, row in TABLE.items() if row[2])
def test_values_and_gradients_against_torch(name):
    layer, shape, witness, key = TABLE[name]
    x = numbers(*shape, seed=2) * 2 + 1
    params, state = drawn(layer, shape[1:])
    theirs = jax.tree.map(lambda p: torch.tensor(np.array(p), requires_grad=True), params)
    their_x = torch.tensor(x, requires_grad=True)
    expected = witness(theirs, their_x)
    w = numbers(*expected.shape, seed=1)
    (expected * torch.tensor(w)).sum().backward()
    y, _, (by_params, by_x) = with_gradients(layer, params, state, x, w, key)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE)
    np.testing.assert_allclose(by_x, their_x.grad.numpy(), **CLOSE)
    for part in params:
        np.testing.assert_allclose(by_params[part], theirs[part].grad.numpy(), **CLOSE)


# Axes over which the outputs of a fresh norm have mean 0 and mean square 1.
MOMENTS = {
    "batch, training": (0, 1, 2),
    "batch, cumulative": (0,),
    "renorm, closed": (0, 1),
    "layer": (1,),
    "layer, positions": (2,),
    "layer, images": (1, 2, 3),
    "rms": (2,),
    "rms, two axes": (1, 2),
    "group of all": (1, 2),
    "instance": (1, 2),
}


@every(MOMENTS)
def test_moments_of_outputs(name):
    layer, shape, _, key = TABLE[name]
    params, state = initial(layer, shape[1:])
    y = np.asarray(run(layer, params, state, numbers(*shape) * 3 + 2, key), float)
    # Epsilon is 1e-5 beside a variance of order one, and 0.1 at the least over five numbers.
    np.testing.assert_allclose((y**2).mean(MOMENTS[name]), 1, atol=2e-4)
    if "rms" not in name:
        np.testing.assert_allclose(y.mean(MOMENTS[name]), 0, atol=1e-5)


@every(name for name in TABLE if not name.startswith(("batch", "renorm", "spectral")))
def test_what_depends_on_no_batch_is_the_same_with_a_key(name):
    layer, shape, _, _ = TABLE[name]
    params, state = drawn(layer, shape[1:])
    x = numbers(*shape)
    whole = run(layer, params, state, x, KEY)
    np.testing.assert_array_equal(whole, run(layer, params, state, x))
    np.testing.assert_allclose(whole[:1], run(layer, params, state, x[:1]), rtol=1e-5, atol=1e-6)


def test_group_norm_has_the_others_as_its_settings():
    x = numbers(3, 4, 5, 6)
    plain = {"scale": False, "shift": False}

    def plainly(kind, *given):
        return run(kind(*given, **plain), {}, (), x)

    np.testing.assert_allclose(plainly(nn.GroupNorm, 6), plainly(nn.InstanceNorm), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(plainly(nn.GroupNorm, 1), plainly(nn.LayerNorm, (-3, -2, -1)), rtol=1e-4, atol=1e-5)


def test_cumulative_statistics_are_the_mean_of_all_batches():
    layer = nn.BatchNorm(cumulative=True)
    theirs = torch.nn.BatchNorm1d(6, momentum=None)
    params, state = initial(layer, (6,))
    for seed in range(4):
        x = numbers(8, 6, seed=seed) * (seed + 1)
        state = layer.apply(params, state, x, key=KEY)[1]
        theirs(torch.tensor(x))
    np.testing.assert_allclose(state["mean"], theirs.running_mean.numpy(), **CLOSE)
    np.testing.assert_allclose(state["var"], theirs.running_var.numpy(), **CLOSE)
    assert state["count"] == 4


def renorm_by_hand(x, scale, shift, state, r_max, d_max, epsilon):
    """Ioffe 2017, algorithm 1, in torch, with its stop-gradients."""
    mean, var = x.mean(0), x.var(0, correction=0)
    sd, known = (var + epsilon).sqrt(), (state["var"] + epsilon).sqrt()
    r = (sd / known).clamp(1 / r_max, r_max).detach()
    d = ((mean - state["mean"]) / known).clamp(-d_max, d_max).detach()
    return ((x - mean) / sd * r + d) * scale + shift


@pytest.mark.parametrize(("r_max", "d_max"), [(1.5, 0.3), (100.0, 100.0)])
def test_batch_renorm_against_the_algorithm(r_max, d_max):
    layer = nn.BatchRenorm(0.8, 1e-3, r_max=r_max, d_max=d_max)
    x = numbers(9, 6) * 2 + 1
    params, _ = drawn(layer, (6,))
    state = {"mean": numbers(6, seed=3), "var": np.exp(numbers(6, seed=4))}
    tensors = {name: torch.tensor(np.array(p), requires_grad=True) for name, p in params.items()}
    their_x = torch.tensor(x, requires_grad=True)
    theirs = {name: torch.tensor(value) for name, value in state.items()}
    expected = renorm_by_hand(their_x, tensors["scale"], tensors["shift"], theirs, r_max, d_max, 1e-3)
    w = numbers(9, 6, seed=1)
    (expected * torch.tensor(w)).sum().backward()
    y, after, (by_params, by_x) = with_gradients(layer, params, state, x, w, KEY)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE)
    np.testing.assert_allclose(by_x, their_x.grad.numpy(), **CLOSE)
    np.testing.assert_allclose(by_params["scale"], tensors["scale"].grad.numpy(), **CLOSE)
    plain = nn.BatchNorm(0.8, 1e-3).apply(params, state, x, key=KEY)[1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), after, plain)
    if r_max == 100.0:  # where no bound holds, training does what inference will
        np.testing.assert_allclose(y, run(layer, params, state, x), **CLOSE)


def torch_module(layer, params, channels):
    """The same dense or convolution layer in torch."""
    kernel = torch.tensor(np.array(params["kernel"]))
    if isinstance(layer, nn.Dense):
        module = torch.nn.Linear(channels, layer.units)
        kernel = kernel.T
    else:
        module = torch.nn.Conv2d(channels, layer.units, 3, padding=1)
        kernel = kernel.permute(3, 2, 0, 1)
    module.weight.data = kernel.contiguous()
    module.bias.data = torch.tensor(np.array(params["bias"]))
    return module


WRAPPED = [(nn.Dense(4), (5, 7)), (nn.Conv(4, 3), (2, 6, 6, 3))]


def torch_run(module, x, layer):
    return module(x) if isinstance(layer, nn.Dense) else last(module(first(x)))


@pytest.mark.parametrize(("inner", "shape"), WRAPPED)
def test_weight_norm_against_torch(inner, shape):
    layer, x, w = nn.WeightNorm(inner), numbers(*shape), None
    params, state = initial(layer, shape[1:])
    module = parametrizations.weight_norm(torch_module(inner, params, shape[-1]))
    module.parametrizations.weight.original0.data *= 1.7
    params = params | {"length": params["length"] * 1.7}
    expected = torch_run(module, torch.tensor(x), inner)
    w = numbers(*expected.shape, seed=1)
    (expected * torch.tensor(w)).sum().backward()
    y, _, (grads, _) = with_gradients(layer, params, state, x, w, None)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE)
    length, direction = module.parametrizations.weight.original0, module.parametrizations.weight.original1
    np.testing.assert_allclose(grads["length"], length.grad.numpy().ravel(), **CLOSE)
    order = (1, 0) if isinstance(inner, nn.Dense) else (2, 3, 1, 0)
    np.testing.assert_allclose(grads["kernel"], direction.grad.permute(order).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("inner", "shape"), WRAPPED)
def test_weight_norm_begins_as_its_layer(inner, shape):
    layer, x = nn.WeightNorm(inner), numbers(*shape)
    params, state = initial(layer, shape[1:])
    plain = {name: params[name] for name in ("kernel", "bias")}
    np.testing.assert_allclose(run(layer, params, state, x), run(inner, plain, (), x), **CLOSE)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("inner", "shape"), WRAPPED)
def test_spectral_norm_against_torch(inner, shape, training):
    layer, x = nn.SpectralNorm(inner, iterations=2), numbers(*shape)
    params, state = initial(layer, shape[1:])
    module = parametrizations.spectral_norm(torch_module(inner, params, shape[-1]), n_power_iterations=2)
    vectors = module.parametrizations.weight[0]
    right = np.array(state["right"])
    if isinstance(inner, nn.Conv):  # torch orders (in, height, width), Kilter (height, width, in)
        right = right.reshape(3, 3, -1).transpose(2, 0, 1).ravel()
    vectors._u.copy_(torch.tensor(np.array(state["left"])))
    vectors._v.copy_(torch.tensor(right))
    module.train(training)
    expected = torch_run(module, torch.tensor(x), inner)
    w = numbers(*expected.shape, seed=1)
    (expected * torch.tensor(w)).sum().backward()
    y, after, (grads, _) = with_gradients(layer, params, state, x, w, KEY if training else None)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE)
    np.testing.assert_allclose(after["left"], vectors._u.numpy(), **CLOSE)
    order = (1, 0) if isinstance(inner, nn.Dense) else (2, 3, 1, 0)
    theirs = module.parametrizations.weight.original.grad.permute(order).numpy()
    np.testing.assert_allclose(grads["kernel"], theirs, rtol=1e-4, atol=1e-4)


def test_spectral_norm_converges_to_the_largest_singular_value():
    layer = nn.SpectralNorm(nn.Dense(20, bias=False), iterations=5)
    params, state = initial(layer, (30,))
    step = jax.jit(lambda state: layer.apply(params, state, numbers(1, 30), key=KEY)[1])
    for _ in range(40):
        state = step(state)
    kernel = np.asarray(run(layer, params, state, jnp.eye(30)))
    assert np.linalg.norm(kernel, 2) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("wrapper", [nn.WeightNorm, nn.SpectralNorm])
def test_a_kernel_of_zeros_stays_finite(wrapper):
    layer = wrapper(nn.Dense(3, initializer=nn.initializers.Zeros()))
    params, state = initial(layer, (4,))
    y, after, grads = with_gradients(layer, params, state, numbers(2, 4), np.ones((2, 3), np.float32), KEY)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((y, after, grads)))


def test_wrappers_are_matched_to_what_follows():
    net = nn.Chain(nn.WeightNorm(nn.Dense(8)), nn.ReLU(), nn.SpectralNorm(nn.Dense(2)))
    followed = net.followed_by(None)
    assert followed.layers[0].layer == nn.Dense(8).followed_by(nn.ReLU())
    params, state = initial(net, (4,))
    assert run(net, params, state, numbers(3, 4), KEY).shape == (3, 2)


NETS = {
    "dense": (nn.Chain(nn.Dense(6), nn.BatchNorm(), nn.ReLU(), nn.Dense(3), nn.BatchNorm()), (4,), 3),
    "conv": (
        nn.Chain(
            nn.Conv(4, bias=False),
            nn.BatchNorm(),
            nn.ReLU(),
            nn.Residual(nn.Chain(nn.Conv(4), nn.BatchRenorm(), nn.ReLU()), nn.Chain(nn.Conv(4, 1), nn.BatchNorm())),
            nn.Chain(nn.BatchNorm(scale=False), nn.Conv(2, groups=2), nn.BatchNorm(shift=False)),
            nn.Flatten(),
            nn.Dense(3, bias=False),
            nn.BatchNorm(scale=False, shift=False),
            nn.BatchNorm(),
        ),
        (6, 6, 2),
        4,
    ),
}


@functools.cache
def trained(name):
    """A network whose norms have seen something."""
    net, shape, _ = NETS[name]
    params, state = drawn(net, shape)
    step = jax.jit(lambda state, x: net.apply(params, state, x, key=KEY)[1])
    for seed in range(5):
        state = step(state, numbers(16, *shape, seed=seed) * 2 + 1)
    return net, params, state, numbers(50, *shape, seed=9)


def count(net, kind):
    """How many layers of a kind a network holds."""
    return repr(net).count(f"nn.{kind}")


@every(NETS)
def test_folding_changes_no_prediction(name):
    net, params, state, x = trained(name)
    before = copy.deepcopy(jax.tree.map(np.asarray, (params, state)))
    folded, own, rest = nn.fold(net, params, state)
    expected = run(net, params, state, x)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(run(folded, own, rest, x) / scale, expected / scale, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, (params, state), before)
    left = count(folded, "Batch")
    assert left == (0 if name == "dense" else 1)  # that in front of its convolution stays
    abstract = nn.layer.shapes(folded, x.shape[1:])
    assert jax.tree.map(jnp.shape, own) == jax.tree.map(jnp.shape, abstract[0])
    assert jax.tree.structure(rest) == jax.tree.structure(abstract[1])


def test_folding_leaves_what_does_not_follow_directly():
    net = nn.Chain(nn.Dense(4), nn.ReLU(), nn.BatchNorm(), nn.WeightNorm(nn.Dense(4)), nn.BatchNorm())
    params, state = drawn(net, (3,))
    assert nn.fold(net, params, state)[0] == net
    assert nn.fold(nn.Chain(), (), ())[0] == nn.Chain()


@pytest.mark.parametrize("batch", [16, 1000])
@every(NETS)
def test_exact_statistics_are_those_of_what_reaches_each_norm(name, batch):
    net, params, state, x = trained(name)
    after = nn.exact_statistics(net, params, state, x, batch)
    # The first norm, from the definition; those behind it, from the outputs of the network cut off in front of them.
    for place, layer in enumerate(net.layers):
        if isinstance(layer, nn.BatchNorm):
            front = nn.Chain(*net.layers[:place])
            reached = np.asarray(run(front, params[:place], after[:place], x), float).reshape(
                -1, len(after[place]["mean"])
            )
            np.testing.assert_allclose(after[place]["mean"], reached.mean(0), **CLOSE)
            np.testing.assert_allclose(after[place]["var"], reached.var(0, ddof=1), **CLOSE)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    if name == "conv":  # inside the residual
        x1 = run(nn.Chain(*net.layers[:3]), params[:3], after[:3], x)
        for part, inner in net.layers[3].parts():
            reached = run(inner.layers[0], params[3][part][0], (), x1).reshape(-1, 4)
            np.testing.assert_allclose(after[3][part][1]["mean"], reached.mean(0), **CLOSE)
            np.testing.assert_allclose(after[3][part][1]["var"], reached.var(0, ddof=1), **CLOSE)


@pytest.mark.parametrize(("rows", "batch"), [(1, 8), (5, 0)])
def test_exact_statistics_refuse_what_has_no_variance(rows, batch):
    net, params, state, x = trained("dense")
    with pytest.raises(InputError, match="two rows or more"):
        nn.exact_statistics(net, params, state, x[:rows], batch)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.GroupNorm(4), (5, 6), "groups=4 must divide the 6 channels"),
        (nn.InstanceNorm(), (6,), r"\(..., positions, channels\)"),
        (nn.LayerNorm((-2, -1)), (6,), "axes must be distinct and from -1 to -1"),
        (nn.RMSNorm((-1, -1)), (5, 6), "axes must be distinct"),
        (nn.LayerNorm(), (), "got ()"),
        (nn.LocalResponseNorm(), (), "got ()"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(layer, shape, message):
    with pytest.raises(InputError, match=message):
        layer.init(KEY, shape)


@every(name for name, row in TABLE.items() if jax.tree.leaves(row[0]))
def test_numbers_may_be_traced(name):
    layer, shape, _, key = TABLE[name]
    params, state = drawn(layer, shape[1:])
    x = numbers(*shape)
    stacked = jax.tree.map(lambda leaf: jnp.stack([jnp.float32(leaf)] * 2), layer)
    found = jax.jit(jax.vmap(lambda one: one.apply(params, state, x, key=key)[0]))(stacked)
    np.testing.assert_allclose(found[1], run(layer, params, state, x, key), rtol=1e-4, atol=1e-5)


@every(TABLE)
def test_text_and_json_round_trips(name):
    layer = TABLE[name][0]
    assert eval(repr(layer), {"nn": nn}) == layer
    assert nn.Layer.from_json(layer.to_json()) == layer


@pytest.mark.parametrize("kind", nn.norms.ALL)
def test_the_catalog_says_what_it_is(kind):
    assert all(vars(kind)[text] for text in ("formula", "source", "choose"))


def test_second_derivatives_are_those_of_the_formula():
    draw = np.random.default_rng(0)
    point = draw.normal(size=(8, 4, 3)), draw.normal(size=3), draw.normal(size=3)
    point, along = (jax.tree.map(lambda leaf, k=k: jnp.float32(k * leaf), point) for k in (1.0, 0.3))

    def plain(x, gain, offset):
        z = x - x.mean((0, 1))
        return z / jnp.sqrt((z * z).mean((0, 1)) + 1e-5) * gain + offset

    def curved(form):
        return lambda x, gain, offset: jnp.sin(form(x, gain, offset) * x).sum()

    for place in range(3):
        found, expected = (
            jax.jvp(jax.grad(curved(form), place), point, along)[1]
            for form in (lambda *given: normalized(*given, 1e-5)[0], plain)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
