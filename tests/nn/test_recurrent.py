"""Recurrent layers: PyTorch, float64 references written plainly, and what padding, dropout and norms promise."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kilter import nn
from kilter.core.errors import InputError
from kilter.nn.layer import shapes

torch.set_num_threads(1)
# Float32 sums in another order, carried over up to nine steps.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
KEY, OTHER = jax.random.key(0), jax.random.key(1)
CELLS = {
    "rnn": nn.SimpleRNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "gru, original": lambda units, **more: nn.GRU(units, reset_after=False, **more),
    "mgu": nn.MGU,
    "mgu, after": lambda units, **more: nn.MGU(units, reset_after=True, **more),
}
WITNESSES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
# Where our blocks of columns stand among PyTorch's rows.
ORDER = {"rnn": [0], "lstm": [0, 1, 3, 2], "gru": [0, 1, 2]}


def every(names):
    return pytest.mark.parametrize("name", list(names))


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def drawn(layer, shape):
    """Random parameters, biases and scales among them, that keep sums near one."""
    abstract = shapes(layer, shape)[0]
    return jax.tree.map(lambda p: numbers(*p.shape, seed=sum(p.shape)) / np.float32(math.sqrt(p.shape[0])), abstract)


@jax.jit
def applied(layer, params, x, key=None):
    return layer.apply(params, (), x, key=key)[0]


# PyTorch.


def rows(array, order):
    """Our columns as PyTorch's rows."""
    blocks = np.split(np.asarray(array), len(order), axis=-1)
    return torch.tensor(np.concatenate([blocks[order.index(place)] for place in range(len(order))], axis=-1).T.copy())


def columns(tensor, order):
    """PyTorch's rows as our columns."""
    blocks = np.split(tensor.numpy().T, len(order), axis=-1)
    return np.concatenate([blocks[place] for place in order], axis=-1)


def load(theirs, params, order, suffix=""):
    ours = {"weight_ih_l0": "kernel", "weight_hh_l0": "recurrent_kernel", "bias_ih_l0": "bias"}
    with torch.no_grad():
        for name, own in ours.items():
            getattr(theirs, name + suffix).copy_(rows(params[own], order))
        bias = getattr(theirs, "bias_hh_l0" + suffix)
        bias.zero_()
        if "recurrent_bias" in params:
            bias[-len(params["recurrent_bias"]) :] = torch.tensor(params["recurrent_bias"])


def gradients(theirs, units, order, suffix=""):
    found = {
        "kernel": columns(getattr(theirs, "weight_ih_l0" + suffix).grad, order),
        "recurrent_kernel": columns(getattr(theirs, "weight_hh_l0" + suffix).grad, order),
        "bias": columns(getattr(theirs, "bias_ih_l0" + suffix).grad, order),
    }
    if isinstance(theirs, torch.nn.GRU):
        found["recurrent_bias"] = getattr(theirs, "bias_hh_l0" + suffix).grad.numpy()[-units:]
    return found


@jax.jit
def differentiated(layer, params, x, w):
    def objective(params, x):
        y = layer.apply(params, (), x)[0]
        return (y * w).sum(), y

    return jax.value_and_grad(objective, (0, 1), has_aux=True)(params, x)


def compare(name, layer, x, outputs):
    """Outputs and the gradients of sum(y * w) equal PyTorch's; ``outputs`` picks ours out of theirs."""
    both = isinstance(layer, nn.Bidirectional)
    units, order = (layer.layer if both else layer).units, ORDER[name]
    params = drawn(layer, x.shape[1:])
    theirs = WITNESSES[name](x.shape[-1], units, batch_first=True, bidirectional=both)
    sides = {"": params["forward"], "_reverse": params["backward"]} if both else {"": params}
    for suffix, own in sides.items():
        load(theirs, own, order, suffix)
    their_x = torch.tensor(x, requires_grad=True)
    expected = outputs(theirs(their_x)[0])
    w = numbers(*expected.shape, seed=5)
    (expected * torch.tensor(w)).sum().backward()
    (_, y), (grads, by_x) = differentiated(layer, params, x, w)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE)
    np.testing.assert_allclose(by_x, their_x.grad.numpy(), **CLOSE)
    for suffix, own in zip(sides, ([grads["forward"], grads["backward"]] if both else [grads]), strict=True):
        for part, gradient in gradients(theirs, units, order, suffix).items():
            np.testing.assert_allclose(own[part], gradient, err_msg=part, **CLOSE)


@every(WITNESSES)
@pytest.mark.parametrize(("shape", "units"), [((3, 9, 4), 5), ((2, 1, 3), 1)])
def test_the_last_output_is_that_of_pytorch(name, shape, units):
    compare(name, CELLS[name](units), numbers(*shape), lambda y: y[:, -1])


@every(WITNESSES)
def test_every_output_is_that_of_pytorch(name):
    compare(name, CELLS[name](5, sequences=True), numbers(3, 6, 4), lambda y: y)


@every(WITNESSES)
def test_both_directions_are_those_of_pytorch(name):
    x = numbers(3, 6, 4)
    compare(name, nn.Bidirectional(CELLS[name](5, sequences=True)), x, lambda y: y)
    compare(name, nn.Bidirectional(CELLS[name](5)), x, lambda y: torch.cat([y[:, -1, :5], y[:, 0, 5:]], -1))


# References in float64.


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def normalized(p, z):
    """Layer norm over the last axis, with its scale and shift."""
    z = z - z.mean(-1, keepdims=True)
    return z / np.sqrt((z**2).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["shift"]


def same(p, z):
    return z


def cut(array, count):
    return np.split(array, count, axis=-1)


def rnn(p, x, h, c, norm, own):
    return np.tanh(norm(own("sums", 0), x @ p["kernel"] + h @ p["recurrent_kernel"]) + p["bias"]), c


def lstm(p, x, h, c, norm, own):
    z = norm(own("inputs", 0), x @ p["kernel"]) + norm(own("recurrent", 0), h @ p["recurrent_kernel"]) + p["bias"]
    i, f, o, g = cut(z, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(norm(own("carry", 0), c)), c


def resetting(gates, after):
    def step(p, x, h, c, norm, own):
        n = gates * h.shape[-1]
        (W, Wn), (U, Un), (b, bn) = (np.split(p[k], [n], -1) for k in ("kernel", "recurrent_kernel", "bias"))
        z = sigmoid(norm(own("inputs", 0), x @ W) + norm(own("recurrent", 0), h @ U) + b)
        reset, write = (z, z) if gates == 1 else (cut(z, 2)[0], 1 - cut(z, 2)[1])
        if after:
            recalled = reset * (norm(own("recurrent", 1), h @ Un) + p["recurrent_bias"])
        else:
            recalled = norm(own("recurrent", 1), (reset * h) @ Un)
        return (1 - write) * h + write * np.tanh(norm(own("inputs", 1), x @ Wn) + bn + recalled), c

    return step


STEPS = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": resetting(2, True),
    "gru, original": resetting(2, False),
    "mgu": resetting(1, False),
    "mgu, after": resetting(1, True),
}


def reference(name, params, x, units, norm=same):
    """Outputs at every time in float64, time after time."""
    params = jax.tree.map(lambda p: np.asarray(p, np.float64), params)
    h = c = np.zeros((len(x), units))
    outputs = []
    for t in range(x.shape[1]):
        own = (lambda kind, place: params["norms"][kind][place]) if "norms" in params else (lambda kind, place: None)
        h, c = STEPS[name](params, x[:, t].astype(np.float64), h, c, norm, own)
        outputs.append(h)
    return np.stack(outputs, 1)


@every(CELLS)
@pytest.mark.parametrize("norm", [None, nn.LayerNorm()])
def test_every_cell_is_its_formula(name, norm):
    layer, x = CELLS[name](4, sequences=True, norm=norm), numbers(3, 7, 5)
    params = drawn(layer, x.shape[1:])
    expected = reference(name, params, x, 4, same if norm is None else normalized)
    np.testing.assert_allclose(applied(layer, params, x), expected, **CLOSE)


@every(CELLS)
def test_gradients_are_differences_of_the_reference(name):
    layer, x, w = CELLS[name](3, sequences=True, norm=nn.LayerNorm()), numbers(2, 4, 3), numbers(2, 4, 3, seed=3)
    params = drawn(layer, x.shape[1:])
    _, (grads, _) = differentiated(layer, params, x, w)
    rng, wide = np.random.default_rng(0), lambda tree: jax.tree.map(lambda p: np.asarray(p, np.float64), tree)
    way = jax.tree.map(lambda p: rng.normal(size=p.shape), params)

    def objective(scale):
        moved = jax.tree.map(lambda p, d: p + scale * d, wide(params), way)
        return (reference(name, moved, x, 3, normalized) * w).sum()

    along = sum(jax.tree.leaves(jax.tree.map(lambda g, d: float((wide(g) * d).sum()), grads, way)))
    # Central differences in float64 are exact to 1e-8; the rest is our float32.
    np.testing.assert_allclose(along, (objective(1e-5) - objective(-1e-5)) / 2e-5, rtol=1e-3, atol=1e-4)


def rms(p, z):
    return z / np.sqrt((z**2).mean(-1, keepdims=True) + 1e-5) * p["scale"]


def by_gate(p, z):
    """A group a gate, as some LSTMs with layer norm have it; the carry, as wide as one gate, is cut in four too."""
    groups = z.reshape(*z.shape[:-1], 4, -1)
    flat = {"scale": np.ones(groups.shape[-1]), "shift": np.zeros(groups.shape[-1])}
    return normalized(flat, groups).reshape(z.shape) * p["scale"] + p["shift"]


@pytest.mark.parametrize(("norm", "witness"), [(nn.RMSNorm(), rms), (nn.GroupNorm(4), by_gate)])
def test_other_norms_take_the_same_sums(norm, witness):
    layer, x = nn.LSTM(8, norm=norm), numbers(3, 4, 5)
    params = drawn(layer, x.shape[1:])
    expected = reference("lstm", params, x, 8, witness)[:, -1]
    np.testing.assert_allclose(applied(layer, params, x), expected, **CLOSE)


def test_norms_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="groups=5 must divide"):
        shapes(nn.GRU(6, norm=nn.GroupNorm(5)), (4, 3))


# Directions and padding.


@every(CELLS)
def test_reverse_is_forward_on_the_mirrored_sequence(name):
    x = numbers(3, 6, 4)
    for sequences in (False, True):
        layer = CELLS[name](5, sequences=sequences)
        params = drawn(layer, x.shape[1:])
        mirrored = applied(layer, params, x[:, ::-1])
        expected = mirrored[:, ::-1] if sequences else mirrored
        np.testing.assert_allclose(applied(layer.replace(reverse=True), params, x), expected, **CLOSE)


LENGTHS = (6, 1, 4)


def padded(value):
    """Sequences of unequal length, with ``value`` behind them."""
    x = numbers(len(LENGTHS), max(LENGTHS), 4)
    for row, length in zip(x, LENGTHS, strict=True):
        row[length:] = value
    x[0, 2, :3] = value  # a time is padding only where all of its features are
    return x


NETS = {name: make(5, norm=nn.LayerNorm()) if name == "lstm" else make(5) for name, make in CELLS.items()}
NETS["reverse"] = nn.GRU(5, reverse=True)
NETS["both"] = nn.Bidirectional(nn.LSTM(5))


def alone(name, params, x):
    """Every output for sequences without padding, by the reference where it has the cell."""
    if name in STEPS:
        return reference(name, params, x, 5, normalized if "norms" in params else same)
    return applied(_with(NETS[name], sequences=True), params, x)


def last(name, outputs):
    """The last output of each direction."""
    places = {"reverse": [0], "both": [-1, 0]}.get(name, [-1])
    return np.concatenate([part[:, place] for part, place in zip(cut(outputs, len(places)), places, strict=True)], -1)


@every(NETS)
@pytest.mark.parametrize("value", [0.0, -7.0])
def test_padding_is_as_if_every_sequence_ran_by_itself(name, value):
    layer, x = _with(NETS[name], padding=value), padded(value)
    params = drawn(layer, x.shape[1:])
    y, outputs = applied(layer, params, x), applied(_with(layer, sequences=True), params, x)
    for row, length in enumerate(LENGTHS):
        expected = alone(name, params, x[row : row + 1, :length])
        np.testing.assert_allclose(y[row : row + 1], last(name, expected), **CLOSE)
        np.testing.assert_allclose(outputs[row, :length], expected[0], **CLOSE)
        assert (outputs[row, length:] == value).all()


def _with(layer, **changes):
    if isinstance(layer, nn.Bidirectional):
        return layer.replace(layer=layer.layer.replace(**changes))
    return layer.replace(**changes)


def test_a_stack_skips_what_its_first_layer_skipped():
    x = padded(0.0)
    net = nn.Chain(nn.Bidirectional(nn.GRU(4, sequences=True, padding=0.0)), nn.LSTM(3, padding=0.0))
    params = drawn(net, x.shape[1:])
    apply = jax.jit(lambda x: net.apply(params, ((), ()), x)[0])
    y = apply(x)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(y[row], apply(x[row : row + 1, :length])[0], **CLOSE)


@every(CELLS)
@pytest.mark.parametrize("value", [0.0, 1e30])
def test_gradients_are_finite_at_padded_times_and_zero_there(name, value):
    layer, x = CELLS[name](5, padding=value, norm=nn.LayerNorm(), sequences=True), padded(value)
    x[1] = value  # nothing but padding
    params = drawn(layer, x.shape[1:])
    _, grads = differentiated(layer, params, x, numbers(3, 6, 5, seed=1))
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))
    assert not np.asarray(grads[1])[1].any()
    assert not np.asarray(grads[1])[2, 4:].any()


# Dropout.

RATES = {"dropout": 0.4, "recurrent_dropout": 0.4, "weight_dropout": 0.4}


def reader(**settings):
    """A linear layer, whose outputs show what it was given: h_t = x_t + h_{t-1} where both kernels are the identity."""
    return nn.SimpleRNN(6, sequences=True, activation=nn.Identity(), **settings)


def linear(layer, x, key=OTHER):
    params = {"kernel": jnp.eye(6), "recurrent_kernel": jnp.eye(6), "bias": jnp.zeros(6)}
    return np.asarray(applied(layer, params, x, key))


def input_mask(variational):
    y = linear(reader(dropout=0.4, variational=variational), jnp.ones((50, 8, 6)))
    return np.diff(y, axis=1, prepend=0) > 0.5  # the sum over time grows where an input was kept


def recurrent_mask(variational):
    """One impulse at the start: it lives on as long as it is kept on its way from time to time."""
    x = jnp.zeros((400, 4, 6)).at[:, 0].set(1.0)
    return linear(reader(recurrent_dropout=0.4, variational=variational), x) > 0


def test_variational_masks_are_constant_over_time():
    mask = input_mask(True)
    assert (mask == mask[:, :1]).all()
    assert abs(mask[:, 0].mean() - 0.6) < 4 * math.sqrt(0.24 / mask[:, 0].size)
    alive = recurrent_mask(True)
    np.testing.assert_array_equal(alive[:, 1], alive[:, 3])  # what survives once survives every time
    assert abs(alive[:, 3].mean() - 0.6) < 4 * math.sqrt(0.24 / alive[:, 3].size)


def test_other_masks_are_fresh_at_every_time():
    mask = input_mask(False)
    both = mask[:, 1:] & mask[:, :-1]
    # Pairs of neighbors overlap, which at most doubles the variance of their mean.
    assert abs(both.mean() - 0.36) < 4 * math.sqrt(2 * 0.36 * 0.64 / both.size)
    alive = recurrent_mask(False)
    for t in (1, 2, 3):
        share = 0.6**t
        assert abs(alive[:, t].mean() - share) < 4 * math.sqrt(share * (1 - share) / alive[:, t].size)


def test_dropped_weights_are_the_same_for_all_rows_and_times():
    x = jnp.zeros((5, 4, 6)).at[:, 0].set(1.0)
    y = linear(reader(weight_dropout=0.4), x)
    assert (y == y[:1]).all()
    np.testing.assert_array_equal(y[:, 1] > 0, y[:, 3] > 0)
    assert {0.0, 1.0} == set(np.unique(y[:, 1] > 0).astype(float))


@every(RATES)
@pytest.mark.parametrize("variational", [False, True])
def test_dropout_keeps_the_mean(name, variational):
    # Two times, over which even one mask for both leaves the mean of a linear layer as it is.
    layer, x = reader(variational=variational), numbers(1, 2, 6) + 2
    params = {"kernel": jnp.eye(6), "recurrent_kernel": numbers(6, 6, seed=2), "bias": jnp.zeros(6)}
    dropping, keys = layer.replace(**{name: 0.4}), jax.random.split(OTHER, 3000)
    # One key after another: XLA merges the masks of many with two steps of a product so far that it compiles for a minute.
    y = jax.jit(lambda keys: jax.lax.map(lambda key: dropping.apply(params, (), x, key=key)[0], keys))(keys)
    y = np.asarray(y, np.float64)[:, 0]
    error = y.std(0) / math.sqrt(len(keys)) + 1e-5
    assert (np.abs(y.mean(0) - applied(layer, params, x)[0]) < 4.5 * error).all()
    assert y[:, 1].std() > 0


@every(["lstm", "gru, original"])
def test_nothing_is_dropped_at_inference_or_at_rate_zero(name):
    layer, x = CELLS[name](5), numbers(2, 4, 3)
    params = drawn(layer, x.shape[1:])
    expected = applied(layer, params, x)
    np.testing.assert_allclose(applied(layer.replace(**RATES), params, x), expected, **CLOSE)
    np.testing.assert_allclose(applied(layer.replace(**dict.fromkeys(RATES, 0.0)), params, x, KEY), expected, **CLOSE)
    np.testing.assert_array_equal(applied(layer, params, x, KEY), expected)
    dropped = applied(layer.replace(**RATES), params, x, KEY)
    assert not np.allclose(dropped, expected, atol=1e-3)
    assert not np.allclose(dropped, applied(layer.replace(**RATES), params, x, OTHER), atol=1e-3)


def test_rates_left_open_draw_nothing_and_numbers_need_no_new_compile():
    x, params = jnp.ones((2, 4, 3)), drawn(nn.LSTM(5), (4, 3))
    drawing = [
        "xor" in str(jax.make_jaxpr(lambda layer: layer.apply(params, (), x, key=KEY)[0])(nn.LSTM(5, **rates)))
        for rates in ({}, {"dropout": 0.0}, {"recurrent_dropout": 0.0}, {"weight_dropout": 0.0})
    ]
    assert drawing == [False, True, True, True]
    assert jax.tree.structure(nn.LSTM(5, dropout=0.1)) == jax.tree.structure(nn.LSTM(5, dropout=0.3, forget_bias=2))


# Weights, fleets, errors, text.


@every(["rnn", "lstm", "gru", "mgu"])
def test_every_block_starts_as_a_rotation_and_forget_gates_open(name):
    layer = CELLS[name](16)
    params, state = jax.jit(lambda key: layer.init(key, (5, 7)))(KEY)
    count = sum(layer.blocks)
    assert state == ()
    blocks = np.split(np.asarray(params["recurrent_kernel"]), count, axis=-1)
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(16), atol=1e-5)
    assert count == 1 or not np.allclose(blocks[0], blocks[-1])
    limit = math.sqrt(6 / (7 + 16))
    assert 0.9 * limit < np.abs(params["kernel"]).max() <= limit
    expected = np.repeat([0.0, 1.0, 0.0, 0.0], 16) if name == "lstm" else np.zeros(16 * count)
    np.testing.assert_array_equal(params["bias"], expected)
    bare = shapes(layer.replace(bias=False), (5, 7))[0]
    assert set(bare) == {"kernel", "recurrent_kernel"}
    assert applied(layer.replace(bias=False), drawn(layer.replace(bias=False), (5, 7)), numbers(1, 5, 7)).shape == (
        1,
        16,
    )


def test_members_of_a_fleet_equal_a_loop():
    x = jnp.asarray(padded(0.0))
    settings = [
        {"padding": value, "dropout": rate, "recurrent_dropout": 0.1, "norm": nn.LayerNorm(epsilon=small)}
        for value, rate, small in ((0.0, 0.0, 1e-5), (-1.0, 0.5, 1e-2))
    ]
    quick = nn.initializers.Identity()  # compiles in no time, unlike a rotation
    layers = [
        nn.Bidirectional(nn.LSTM(4, recurrent_initializer=quick, forget_bias=i, **s)) for i, s in enumerate(settings)
    ]
    keys = jax.random.split(KEY, 2)

    @jax.jit
    def trained(layer, key):
        params, state = layer.init(key, x.shape[1:])
        return jax.value_and_grad(lambda p: jnp.square(layer.apply(p, state, x, key=key)[0]).sum())(params)

    stacked = jax.tree.map(lambda *leaves: jnp.stack([jnp.float32(leaf) for leaf in leaves]), *layers)
    fleet = jax.jit(jax.vmap(trained))(stacked, keys)
    for index, layer in enumerate(layers):
        alone = trained(layer, keys[index])
        jax.tree.map(lambda many, one, i=index: np.testing.assert_allclose(many[i], one, **CLOSE), fleet, alone)


def test_jit_equals_eager():
    layer, x = nn.LSTM(3, recurrent_dropout=0.3), numbers(2, 3, 4)
    params = drawn(layer, x.shape[1:])
    np.testing.assert_allclose(applied(layer, params, x, KEY), layer.apply(params, (), x, key=KEY)[0], **CLOSE)


@pytest.mark.parametrize("shape", [(4,), (28, 28, 1), ()])
def test_examples_that_are_no_sequences_are_refused(shape):
    for layer in (nn.GRU(4), nn.Bidirectional(nn.GRU(4))):
        with pytest.raises(InputError, match=r"expects an input of shape \(time, features\), got"):
            layer.init(KEY, shape)


@pytest.mark.parametrize("activation", [nn.PReLU(), nn.Softmax()])
@pytest.mark.parametrize("field", ["activation", "gate"])
def test_activations_that_learn_or_look_around_are_refused(field, activation):
    with pytest.raises(InputError, match=f"{field} must work on single numbers"):
        nn.LSTM(4, **{field: activation}).init(KEY, (3, 2))


def test_other_activations_take_their_place():
    layer, x = nn.LSTM(4, activation=nn.Softsign(), gate=nn.HardSigmoid()), numbers(3, 1, 5)
    params = drawn(layer, x.shape[1:])
    i, _, o, g = np.split(x[:, 0] @ params["kernel"] + params["bias"], 4, axis=-1)

    def soft(z):
        return z / (1 + np.abs(z))

    def hard(z):
        return np.clip(z / 6 + 0.5, 0, 1)

    np.testing.assert_allclose(applied(layer, params, x), hard(o) * soft(hard(i) * soft(g)), **CLOSE)


def test_the_family_is_what_the_catalog_lists():
    assert {type(layer) for layer in NETS.values()} == set(nn.recurrents.ALL)
    assert all(vars(kind)[text] for kind in nn.recurrents.ALL for text in ("formula", "source", "choose"))


@every(NETS)
def test_text_and_json_round_trips(name):
    changes = {"padding": 0.5, "dropout": 0.25, "variational": True, "norm": nn.LayerNorm()}
    for layer in (NETS[name], _with(NETS[name], **changes)):
        assert eval(repr(layer), {"nn": nn}) == layer
        assert nn.Layer.from_json(layer.to_json()) == layer


@pytest.mark.parametrize("rate", ["dropout", "recurrent_dropout", "weight_dropout"])
def test_rates_outside_are_refused(rate):
    with pytest.raises(InputError, match=f"{rate} must be"):
        nn.GRU(4, **{rate: 1.0})


def test_a_chain_of_them_is_drawn_as_a_fleet():
    """Errors name layers by their text, so text must not compare numbers that are traced."""
    net = nn.Chain(nn.GRU(4, sequences=True, recurrent_initializer=nn.initializers.Orthogonal(2.0)), nn.LSTM(3))
    stacked = jax.tree.map(lambda leaf: jnp.full(2, leaf, jnp.float32), net)
    params, _ = jax.eval_shape(jax.vmap(lambda net: net.init(KEY, (5, 2))), stacked)
    assert params[1]["kernel"].shape == (2, 4, 12)
