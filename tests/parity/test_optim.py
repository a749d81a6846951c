"""Optimizers against PyTorch and Optax over many updates, against float64, and stacked; schedules in closed form."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from kilter import optim
from kilter.core import trees

torch.set_num_threads(1)
# Twenty updates in float32, each rounding to 6e-8 of the parameters.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
DRAW = np.random.default_rng(0)
START = {"kernel": DRAW.normal(size=(4, 3)).astype(np.float32), "bias": DRAW.normal(size=3).astype(np.float32)}
# Gradients differ in size over time and have zeros among them.
GRADS = [
    {
        name: (DRAW.normal(size=p.shape) * (1 + step % 5) * (DRAW.random(p.shape) > 0.1)).astype(np.float32)
        for name, p in START.items()
    }
    for step in range(20)
]


@jax.jit
def updated(optimizer, params, state, grads, step):
    return optimizer.update(grads, state, params, step)


def ours(optimizer, grads=GRADS, start=START):
    params, state = start, optimizer.init(start)
    for step, g in enumerate(grads):
        params, state = updated(optimizer, params, state, g, step)
    return params


def torch_sgd(lr, momentum=0.0, nesterov=False):
    return lambda p: torch.optim.SGD(p, lr, momentum=momentum, nesterov=nesterov)


def torch_adam(lr, b1=0.9, b2=0.999, epsilon=1e-8, weight_decay=0.0):
    def make(params):
        kernels = [p for p in params if p.ndim > 1]
        others = [p for p in params if p.ndim <= 1]
        groups = [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr, betas=(b1, b2), eps=epsilon)

    return make


def optax_sgd(lr, momentum=0.0, nesterov=False):
    return optax.sgd(lr, momentum=momentum or None, nesterov=nesterov)


def optax_adam(lr, b1=0.9, b2=0.999, epsilon=1e-8, weight_decay=0.0):
    def mask(params):
        return jax.tree.map(lambda p: p.ndim > 1, params)

    return optax.adamw(lr, b1, b2, eps=epsilon, weight_decay=weight_decay, mask=mask)


WITNESSES = {optim.SGD: (torch_sgd, optax_sgd), optim.Adam: (torch_adam, optax_adam)}
SETTINGS = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.03, "momentum": 0.9}),
    (optim.SGD, {"lr": 0.03, "momentum": 0.1}),
    (optim.SGD, {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    (optim.Adam, {"lr": 1e-3}),
    (optim.Adam, {"lr": 0.1, "b1": 0.5, "b2": 0.9}),
    (optim.Adam, {"lr": 0.01, "epsilon": 1e-3}),
    (optim.Adam, {"lr": 0.01, "b1": 0.0, "b2": 0.99}),
    (optim.Adam, {"lr": 0.05, "weight_decay": 0.1}),
]


def make(kind, given):
    return kind(given["lr"], **{name: value for name, value in given.items() if name != "lr"})


def test_every_optimizer_has_witnesses():
    assert set(WITNESSES) == {kind for kind, _ in SETTINGS} <= set(optim.ALL)


@pytest.mark.parametrize(("kind", "given"), SETTINGS)
def test_twenty_updates_as_in_torch(kind, given):
    params = {name: torch.nn.Parameter(torch.tensor(p)) for name, p in START.items()}
    witness = WITNESSES[kind][0](**given)(list(params.values()))
    for grads in GRADS:
        for name, p in params.items():
            p.grad = torch.tensor(grads[name])
        witness.step()
    for name, found in ours(make(kind, given)).items():
        np.testing.assert_allclose(found, params[name].detach().numpy(), **CLOSE)


@pytest.mark.parametrize(("kind", "given"), SETTINGS)
def test_twenty_updates_as_in_optax(kind, given):
    witness = WITNESSES[kind][1](**given)

    @jax.jit
    def advance(params, state, grads):
        changes, state = witness.update(grads, state, params)
        return optax.apply_updates(params, changes), state

    params, state = START, witness.init(START)
    for grads in GRADS:
        params, state = advance(params, state, grads)
    for name, found in ours(make(kind, given)).items():
        # Optax computes 1 - b^t from a rounded float32 b, which is off by some 1e-5 in the first steps.
        np.testing.assert_allclose(found, params[name], rtol=1e-4, atol=1e-4 * given["lr"] * len(GRADS))


@pytest.mark.parametrize(("b1", "b2"), [(0.9, 0.999), (0.99, 0.9999), (0.5, 0.9)])
def test_adam_in_float32_stays_with_float64(b1, b2):
    draw = np.random.default_rng(1)
    grads = draw.normal(size=(200, 64)).astype(np.float32) + np.float32(0.5)
    p, m, v = np.zeros(64), np.zeros(64), np.zeros(64)
    for t, g in enumerate(grads.astype(float), 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        p = p - 1e-3 * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + 1e-8)
    found = ours(optim.Adam(1e-3, b1=b1, b2=b2), list(grads), jnp.zeros(64))
    # Relative to the distance travelled; with decays in float32 it would be off by 4e-4 and more.
    assert np.abs(found - p).max() / np.abs(p).max() < 1e-5


STACKS = [
    [optim.SGD(0.1, momentum=0.9), optim.SGD(0.01), optim.SGD(1.0, momentum=0.1)],
    [optim.Adam(1e-3), optim.Adam(0.1, b2=0.9), optim.Adam(0.01, b1=0.1, weight_decay=0.1)],
    [optim.Adam(optim.Cosine(0.1, steps=10)), optim.Adam(optim.Cosine(1e-3, 0.5, steps=30))],
]


@pytest.mark.parametrize("members", STACKS, ids=["sgd", "adam", "cosine"])
def test_stacked_optimizers_equal_one_by_one(members):
    stacked = trees.stack(members)

    @jax.jit
    def run(optimizer):
        def body(carry, each):
            step, grads = each
            return optimizer.update(grads, carry[1], carry[0], step), None

        grads = jax.tree.map(lambda *g: jnp.stack(g), *GRADS)
        start = jax.tree.map(jnp.asarray, START)
        (params, _), _ = jax.lax.scan(body, (start, optimizer.init(start)), (jnp.arange(20), grads))
        return params

    together = jax.jit(jax.vmap(run))(stacked)
    for index, member in enumerate(members):
        alone = ours(member)
        for name, expected in alone.items():
            np.testing.assert_allclose(together[name][index], expected, **CLOSE)


@pytest.mark.parametrize(("kind", "given"), SETTINGS)
def test_zero_gradients_leave_parameters_where_they_are(kind, given):
    zeros = jax.tree.map(np.zeros_like, START)
    optimizer = make(kind, given | ({"weight_decay": 0.0} if "weight_decay" in given else {}))
    for name, found in ours(optimizer, [zeros] * 3).items():
        np.testing.assert_array_equal(found, START[name])


def test_weight_decay_shrinks_kernels_alone():
    zeros = jax.tree.map(np.zeros_like, START)
    found = ours(optim.Adam(0.1, weight_decay=0.5), [zeros] * 3)
    np.testing.assert_allclose(found["kernel"], START["kernel"] * 0.95**3, rtol=1e-6)
    np.testing.assert_array_equal(found["bias"], START["bias"])


@pytest.mark.parametrize(
    "optimizer",
    [optim.SGD(0.1), optim.SGD(0.05, momentum=0.8), optim.SGD(0.05, momentum=0.8, nesterov=True), optim.Adam(0.3)],
)
def test_converges_on_a_parabola(optimizer):
    goal, scale = jnp.array([1.0, -2.0, 3.0]), jnp.array([1.0, 2.0, 5.0])

    @jax.jit
    def run(optimizer):
        def body(step, carry):
            params, state = carry
            return optimizer.update(scale * (params - goal), state, params, step)

        return jax.lax.fori_loop(0, 400, body, (jnp.zeros(3), optimizer.init(jnp.zeros(3))))[0]

    np.testing.assert_allclose(run(optimizer), goal, atol=1e-3)


def test_cosine_in_closed_form():
    schedule = optim.Cosine(0.2, 0.1, steps=40)
    for step in (0, 1, 13, 20, 39, 40, 100):
        share = min(step / 40, 1)
        expected = 0.2 * (0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2)
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5)


def test_cosine_as_in_torch():
    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.zeros(1)
    optimizer = torch.optim.SGD([parameter], 0.3)
    witness = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25, eta_min=0.03)
    schedule = optim.Cosine(0.3, 0.1, steps=25)
    for step in range(26):
        assert float(schedule(step)) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-5)
        optimizer.step()
        witness.step()


@pytest.mark.parametrize("kind", WITNESSES)
def test_a_constant_schedule_is_the_number_itself(kind):
    scheduled, plain = ours(kind(optim.Constant(0.05))), ours(kind(0.05))
    for name in START:
        np.testing.assert_array_equal(scheduled[name], plain[name])


def test_updates_follow_the_schedule():
    ones = jnp.ones(1)
    found = ours(optim.SGD(optim.Cosine(0.1, steps=10)), [ones] * 10, jnp.zeros(1))
    assert float(found[0]) == pytest.approx(-sum(float(optim.Cosine(0.1, steps=10)(t)) for t in range(10)), rel=1e-5)


def test_spanning_stretches_schedules_left_open():
    assert optim.spanning(optim.Adam(optim.Cosine(0.1)), 70) == optim.Adam(optim.Cosine(0.1, steps=70))
    assert optim.spanning(optim.Adam(optim.Cosine(0.1)), 0).lr.steps == 1
    fixed = optim.SGD(optim.Cosine(0.1, steps=5), momentum=0.5)
    assert optim.spanning(fixed, 70) == fixed
    assert optim.spanning(optim.SGD(0.1), 70) == optim.SGD(0.1)
