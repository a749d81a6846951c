"""Optimizers that take more than one gradient of a batch: SAM against PyTorch, and how wrappers pass the objective on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError

torch.set_num_threads(1)
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(24, 5)).astype(np.float32)
Y = DRAW.integers(0, 3, 24)
START = {
    "kernel": DRAW.normal(size=(5, 3)).astype(np.float32),
    "bias": DRAW.normal(size=3).astype(np.float32),
}


def logits(params):
    return X @ params["kernel"] + params["bias"]


def cross_entropy(outputs):
    return -jax.nn.log_softmax(outputs)[jnp.arange(len(Y)), Y].mean()


PROBLEM = optim.Objective(lambda params: (logits(params), {"seen": params["bias"]}), cross_entropy)


@jax.jit
def updated(optimizer, params, state, step):
    return optimizer.minimize(PROBLEM, params, state, step)


def run(optimizer, count=20, start=START):
    """Parameters after some updates, the state, and what was said of the first batch."""
    params, state = jax.tree.map(jnp.asarray, start), optimizer.init(start)
    first = None
    for step in range(count):
        params, state, aux = updated(optimizer, params, state, step)
        first = first or aux
    return params, state, first


def in_torch(optimizer, rho, adaptive=False, clip=None, count=20):
    """SAM written plainly around an optimizer of PyTorch; the second gradient may be clipped."""
    params = {name: torch.nn.Parameter(torch.tensor(p)) for name, p in START.items()}
    witness = optimizer(list(params.values()))

    def backward():
        witness.zero_grad()
        outputs = torch.tensor(X) @ params["kernel"] + params["bias"]
        torch.nn.functional.cross_entropy(outputs, torch.tensor(Y)).backward()

    for _ in range(count):
        backward()
        with torch.no_grad():
            scales = {k: p.abs() + 0.01 if adaptive else torch.ones_like(p) for k, p in params.items()}
            norm = torch.sqrt(sum(((scales[k] * p.grad) ** 2).sum() for k, p in params.items()))
            kept = {k: p.clone() for k, p in params.items()}
            for k, p in params.items():
                p += rho * scales[k] ** 2 * p.grad / norm
        backward()
        with torch.no_grad():
            for k, p in params.items():
                p.copy_(kept[k])
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(params.values(), clip)
        witness.step()
    return {name: p.detach().numpy() for name, p in params.items()}


def close(found, expected, rtol=1e-4, atol=1e-5):
    for name in START:
        np.testing.assert_allclose(found[name], expected[name], rtol=rtol, atol=atol, err_msg=name)


def adam(params):
    return torch.optim.Adam(params, 0.05)


def momentum(params):
    return torch.optim.SGD(params, 0.1, momentum=0.9)


OURS = {adam: optim.Adam(0.05), momentum: optim.SGD(0.1, momentum=0.9)}


@pytest.mark.parametrize("inner", OURS, ids=lambda make: make.__name__)
@pytest.mark.parametrize(("rho", "adaptive"), [(0.05, False), (0.5, False), (0.5, True)])
def test_sam_as_written_in_torch(inner, rho, adaptive):
    found = run(optim.SAM(OURS[inner], rho, adaptive=adaptive))[0]
    close(found, in_torch(inner, rho, adaptive))
    # And it is not the inner optimizer by itself.
    assert np.abs(found["kernel"] - run(OURS[inner])[0]["kernel"]).max() > 1e-3


@pytest.mark.parametrize("nest", [
    lambda sam, clip: clip(sam(optim.SGD(0.1, momentum=0.9))),
    lambda sam, clip: sam(clip(optim.SGD(0.1, momentum=0.9))),
], ids=["clip(sam)", "sam(clip)"])  # fmt: skip
def test_sam_and_clipping_nest_either_way(nest):
    """The second gradient is clipped in both; the first one gives a direction alone."""
    optimizer = nest(lambda inner: optim.SAM(inner, 0.2), lambda inner: optim.ClipByGlobalNorm(inner, 0.1))
    close(run(optimizer)[0], in_torch(momentum, 0.2, clip=0.1))


def test_without_a_neighborhood_sam_is_its_inner_optimizer():
    close(run(optim.SAM(optim.Adam(0.05), 0.0))[0], run(optim.Adam(0.05))[0], rtol=0, atol=0)


@pytest.mark.parametrize(
    "optimizer",
    [optim.SAM(optim.SGD(0.1), 0.5), optim.LBFGS(), optim.GaussNewton(), optim.Average(optim.LBFGS())],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_loss_and_state_of_the_net_are_those_before_the_update(optimizer):
    loss, state = run(optimizer, 1)[2]
    np.testing.assert_allclose(loss, PROBLEM(START)[0], rtol=1e-6)
    np.testing.assert_array_equal(state["seen"], START["bias"])


def test_a_gradient_given_by_hand_equals_that_of_the_objective():
    for optimizer in (optim.Adam(0.05), optim.Accumulate(optim.ClipByNorm(optim.SGD(0.1)), 2)):
        params, state = jax.tree.map(jnp.asarray, START), optimizer.init(START)
        for step in range(4):
            grads = jax.grad(lambda p: PROBLEM(p)[0])(params)
            params, state = optimizer.update(grads, state, params, step)
        close(params, run(optimizer, 4)[0], rtol=1e-5, atol=1e-7)


def test_averages_of_steps_that_need_the_objective():
    path = [run(optim.LBFGS(iterations=1), count)[0] for count in (1, 2, 3)]
    params, state, _ = run(optim.Average(optim.LBFGS(iterations=1), 1.0), 3)
    close(params, path[-1], rtol=1e-6, atol=1e-7)
    close(state["average"], {name: np.mean([p[name] for p in path], axis=0) for name in START})


@pytest.mark.parametrize("wrap", [optim.ClipByValue, optim.SAM, optim.Accumulate], ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize("inner", [optim.LBFGS(), optim.Average(optim.GaussNewton())], ids=["lbfgs", "average"])
def test_gradients_of_a_search_cannot_be_changed_by_a_wrapper(wrap, inner):
    with pytest.raises(InputError, match="use it without this wrapper"):
        wrap(inner)


@pytest.mark.parametrize("optimizer", [optim.LBFGS(), optim.GaussNewton()], ids=lambda each: type(each).__name__)
def test_a_search_refuses_a_bare_gradient(optimizer):
    with pytest.raises(InputError, match="call minimize"):
        optimizer.update(START, optimizer.init(START), START, 0)


def test_optax_cannot_hold_what_takes_several_gradients():
    for optimizer in (optim.SAM(optim.SGD(0.1)), optim.ClipByValue(optim.SAM(optim.SGD(0.1))), optim.LBFGS()):
        with pytest.raises(InputError, match="more than one gradient"):
            optim.to_optax(optimizer)


def test_a_penalty_is_followed_but_not_shown():
    """Ridge regression in closed form, by every way of using the objective."""
    y = (X @ np.arange(5) + 1).astype(np.float32)
    expected = np.linalg.solve(X.T @ X / 24 + 0.1 * np.eye(5), X.T @ y / 24)
    ridge = optim.Objective(
        lambda p: (jnp.asarray(X) @ p, ()),
        lambda outputs: 0.5 * ((outputs - y) ** 2).mean(),
        lambda p: 0.05 * (p**2).sum(),
    )
    for optimizer, count in ((optim.LBFGS(), 3), (optim.GaussNewton(), 12), (optim.SGD(0.5, momentum=0.5), 200)):
        minimize = jax.jit(lambda p, s, optimizer=optimizer: optimizer.minimize(ridge, p, s, 0))
        params, state = jnp.zeros(5), optimizer.init(jnp.zeros(5))
        for _ in range(count):
            params, state, (loss, _) = minimize(params, state)
        np.testing.assert_allclose(params, expected, rtol=1e-4, atol=1e-5)
        assert float(loss) == pytest.approx(0.5 * ((X @ expected - y) ** 2).mean(), rel=1e-3)


def test_sam_trains_a_fleet_as_alone(iris):
    """With dropout, whose draws both passes share."""
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dropout(0.1), nn.Dense(3))
    recipes = [
        kl.Recipe(
            net, losses.SoftmaxCrossEntropy(), optimizer=optim.SAM(optim.Adam(0.03), rho), epochs=3, batch_size=16
        )
        for rho in (0.0, 0.2)
    ]
    runs = kl.train_fleet(recipes, iris, progress=False)
    assert np.abs(runs[1].history["loss"] - runs[0].history["loss"]).max() > 1e-3
    alone = kl.train(recipes[1], iris, progress=False)
    np.testing.assert_allclose(runs[1].history["loss"], alone.history["loss"], rtol=1e-4)
