"""Attention and the transformer block against PyTorch: outputs, gradients, what is masked, what is dropped."""

import jax
import numpy as np
import pytest
import torch

from kilter import nn

torch.set_num_threads(1)
# Sums of some dozens of float32 products in another order, through a softmax.
CLOSE = {"rtol": 2e-4, "atol": 2e-5}
KEY = jax.random.key(0)
TIME, FEATURES = 6, 8
LENGTHS = (6, 4, 1)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def drawn(layer):
    """Parameters other than the starting ones, so that biases and shifts show."""
    params, state = jax.jit(lambda key: layer.init(key, (TIME, FEATURES)))(KEY)
    return jax.tree.map(lambda p: np.asarray(p) + np.float32(0.3) * numbers(*p.shape, seed=p.size), params), state


def sequences(padding=None):
    x = numbers(3, TIME, FEATURES)
    if padding is not None:
        for row, length in enumerate(LENGTHS):
            x[row, length:] = padding
    return x


def masks(causal, padding):
    """What torch takes: which pairs and which keys are hidden."""
    hidden = torch.triu(torch.ones(TIME, TIME, dtype=bool), 1) if causal else None
    ends = torch.arange(TIME) >= torch.tensor(LENGTHS)[:, None] if padding is not None else None
    return hidden, ends


def load(module, params):
    """A torch MultiheadAttention with our parameters."""
    module.in_proj_weight.data = torch.tensor(params["inputs"]["kernel"].T)
    module.out_proj.weight.data = torch.tensor(params["output"]["kernel"].T)
    if "bias" in params["inputs"]:
        module.in_proj_bias.data = torch.tensor(params["inputs"]["bias"])
        module.out_proj.bias.data = torch.tensor(params["output"]["bias"])


def linear(module, params):
    module.weight.data, module.bias.data = torch.tensor(params["kernel"].T), torch.tensor(params["bias"])


def norm(module, params):
    module.weight.data, module.bias.data = torch.tensor(params["scale"]), torch.tensor(params["shift"])


def gradients(layer, params, state, x, w):
    """Outputs, and the gradients of sum(y * w)."""

    @jax.jit
    def both(params, x):
        y, back = jax.vjp(lambda p, x: layer.apply(p, state, x)[0], params, x)
        return y, back(w)

    return both(params, x)


SETTINGS = [(1, False, None), (2, True, None), (4, False, 0.5), (2, True, 0.0)]


@pytest.mark.parametrize(("heads", "causal", "padding"), SETTINGS)
@pytest.mark.parametrize("bias", [True, False])
def test_attention_against_torch(heads, causal, padding, bias):
    layer = nn.MultiHeadAttention(heads, causal=causal, padding=padding, bias=bias)
    params, state = drawn(layer)
    x, (hidden, ends) = sequences(padding), masks(causal, padding)
    module = torch.nn.MultiheadAttention(FEATURES, heads, bias=bias, batch_first=True)
    load(module, params)
    their_x = torch.tensor(x, requires_grad=True)
    expected, _ = module(their_x, their_x, their_x, ends, attn_mask=hidden)
    # torch also lets padding attend; here such steps give zero.
    expected = expected if ends is None else torch.where(ends[..., None], 0.0, expected)
    w = numbers(*x.shape, seed=1)
    (expected * torch.tensor(w)).sum().backward()
    y, (by_params, by_x) = gradients(layer, params, state, x, w)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE)
    np.testing.assert_allclose(by_x, their_x.grad.numpy(), **CLOSE)
    np.testing.assert_allclose(by_params["inputs"]["kernel"], module.in_proj_weight.grad.numpy().T, **CLOSE)
    np.testing.assert_allclose(by_params["output"]["kernel"], module.out_proj.weight.grad.numpy().T, **CLOSE)
    if bias:
        np.testing.assert_allclose(by_params["inputs"]["bias"], module.in_proj_bias.grad.numpy(), **CLOSE)
        np.testing.assert_allclose(by_params["output"]["bias"], module.out_proj.bias.grad.numpy(), **CLOSE)


def test_a_width_of_its_own_against_the_formula():
    layer = nn.MultiHeadAttention(3, 12)
    params, _ = drawn(layer)
    x = sequences().astype(np.float64)
    q, k, v = np.split(x @ params["inputs"]["kernel"] + params["inputs"]["bias"], 3, -1)
    heads = []
    for head in range(3):
        own = slice(4 * head, 4 * head + 4)
        scores = np.exp(q[..., own] @ k[..., own].swapaxes(1, 2) / 2)
        heads.append(scores / scores.sum(-1, keepdims=True) @ v[..., own])
    expected = np.concatenate(heads, -1) @ params["output"]["kernel"] + params["output"]["bias"]
    np.testing.assert_allclose(jax.jit(layer.apply)(params, (), sequences())[0], expected, **CLOSE)


def test_huge_scores_and_sequences_of_padding_stay_finite():
    layer = nn.MultiHeadAttention(2, causal=True, padding=0.0)
    params, state = drawn(layer)
    x = 1e4 * numbers(3, TIME, FEATURES)
    x[1] = 0.0
    y, grads = gradients(layer, params, state, x, np.ones_like(x))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((y, grads)))
    assert not np.asarray(y)[1].any()


def test_dropped_weights_leave_the_others_larger():
    layer = nn.MultiHeadAttention(2, rate=0.25)
    count = 64
    # Queries of zero weigh all steps alike, values are 1, and the last product passes the first unit of each head on.
    kernel, bias = np.zeros((FEATURES, 3 * FEATURES), np.float32), np.zeros(3 * FEATURES, np.float32)
    bias[2 * FEATURES :] = 1.0
    params = {"inputs": {"kernel": kernel, "bias": bias}, "output": {"kernel": np.eye(FEATURES), "bias": 0.0}}
    x = numbers(10, count, FEATURES)
    y = np.asarray(layer.apply(params, (), x, key=KEY)[0])
    np.testing.assert_allclose(layer.apply(params, (), x)[0], 1.0, rtol=1e-5)
    kept = y * count * 0.75
    np.testing.assert_allclose(kept, np.round(kept), atol=1e-3)
    # One draw a head and pair: 10 * 64 * 2 rows of 64; four standard errors of their mean.
    assert abs(kept[..., ::4].mean() / count - 0.75) < 4 * np.sqrt(0.25 * 0.75 / (10 * count * 2 * count))
    assert np.ptp(kept[..., 0] - kept[..., 4]) > 1


@pytest.mark.parametrize(("causal", "padding"), [(False, None), (True, None), (False, 0.0), (True, -2.0)])
def test_block_against_torch(causal, padding):
    layer = nn.TransformerBlock(2, 12, causal=causal, padding=padding)
    params, state = drawn(layer)
    x, (hidden, ends) = sequences(padding), masks(causal, padding)
    module = torch.nn.TransformerEncoderLayer(FEATURES, 2, 12, dropout=0.0, batch_first=True, norm_first=True)
    load(module.self_attn, params["attention"])
    norm(module.norm1, params["norm"])
    norm(module.norm2, params["dense"][0])
    linear(module.linear1, params["dense"][1])
    linear(module.linear2, params["dense"][3])
    their_x = torch.tensor(x, requires_grad=True)
    expected = module(their_x, hidden, ends)
    expected = expected if ends is None else torch.where(ends[..., None], their_x, expected)
    w = numbers(*x.shape, seed=1)
    (expected * torch.tensor(w)).sum().backward()
    y, (by_params, by_x) = gradients(layer, params, state, x, w)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE)
    np.testing.assert_allclose(by_x, their_x.grad.numpy(), **CLOSE)
    for ours, their in (
        (by_params["norm"]["scale"], module.norm1.weight),
        (by_params["attention"]["inputs"]["kernel"].T, module.self_attn.in_proj_weight),
        (by_params["attention"]["output"]["bias"], module.self_attn.out_proj.bias),
        (by_params["dense"][0]["shift"], module.norm2.bias),
        (by_params["dense"][1]["kernel"].T, module.linear1.weight),
        (by_params["dense"][3]["bias"], module.linear2.bias),
    ):
        np.testing.assert_allclose(ours, their.grad.numpy(), **CLOSE)


def test_block_equals_its_parts():
    block = nn.TransformerBlock(2, 12, activation=nn.GELU(), norm=nn.RMSNorm())
    params, state = drawn(block)
    attend = nn.Residual(nn.Chain(nn.RMSNorm(), nn.MultiHeadAttention(2)))
    dense = nn.Residual(nn.Chain(nn.RMSNorm(), nn.Dense(12), nn.GELU(), nn.Dense(FEATURES)))
    own = ({"body": (params["norm"], params["attention"])}, {"body": params["dense"]})
    states = ({"body": ((), ())}, {"body": ((), (), (), ())})
    found = jax.jit(nn.Chain(attend, dense).apply)(own, states, sequences())[0]
    np.testing.assert_allclose(jax.jit(block.apply)(params, state, sequences())[0], found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", [nn.MultiHeadAttention(2, causal=True), nn.TransformerBlock(2, causal=True)])
def test_causal_layers_do_not_look_ahead(layer):
    params, state = drawn(layer)
    run = jax.jit(lambda x: layer.apply(params, state, x)[0])
    x, other = sequences(), sequences()
    other[:, 3:] += 1.0
    np.testing.assert_allclose(run(x)[:, :3], run(other)[:, :3], rtol=1e-5, atol=1e-6)
    assert np.abs(run(x)[:, 3:] - run(other)[:, 3:]).min(-1).max() > 0


def test_what_stands_in_the_padding_is_of_no_matter_to_a_stack():
    net = nn.Chain(nn.PositionEncoding(padding=0.0), *[nn.TransformerBlock(2, padding=0.0)] * 2, nn.GlobalAvgPool(0.0))
    params, state = jax.jit(lambda key: net.init(key, (TIME, FEATURES)))(KEY)
    run = jax.jit(lambda x: net.apply(params, state, x)[0])
    x = sequences(0.0)
    longer = np.concatenate([x, np.zeros_like(x)], 1)
    np.testing.assert_allclose(run(x), run(longer), rtol=1e-4, atol=1e-5)


def test_heads_differ_at_the_start_and_keep_unit_variance():
    layer = nn.MultiHeadAttention(4)
    params, _ = layer.init(KEY, (TIME, 64))
    thirds = np.split(np.asarray(params["inputs"]["kernel"]), 3, 1)
    assert all(abs(third.std() * 8 - 1) < 0.05 for third in thirds)
    assert not np.allclose(thirds[0], thirds[1])
