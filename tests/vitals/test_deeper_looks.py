"""Activity, sharpness, noise scale and drift of norms against closed forms, exact Hessians and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kilter import losses, nn
from kilter.core.errors import InputError
from kilter.vitals import activity, drifts, largest_eigenvalue, noise, sharpness

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(64, 3)).astype(np.float32)
NET = nn.Chain(nn.Dense(4), nn.Tanh(), nn.Dense(2))
LOSS = losses.SoftmaxCrossEntropy()
Y = (X[:, 0] > 0).astype(np.int32)


def initial(net, shape, seed=0):
    return jax.jit(lambda key: net.init(key, shape))(jax.random.key(seed))


# Activity


def test_one_row_of_many_keeps_a_unit_alive():
    net = nn.Chain(nn.Dense(3), nn.ReLU(), nn.Dense(2), nn.Tanh())
    params, state = initial(net, (3,))
    params[0]["kernel"] = jnp.eye(3)
    params[0]["bias"] = jnp.array([0.0, -50.0, -50.0])
    params[2]["bias"] = jnp.array([0.0, 9.0])
    x = np.array(DRAW.normal(size=(1001, 3)), np.float32)
    x[1000] = [0.0, 60.0, 0.0]
    found = activity(net, params, state, x, block=100)
    assert found.keys() == {"layers[1]", "layers[3]"}
    rectified = found["layers[1]"]
    assert rectified.active_rows.tolist() == [(x[:, 0] > 0).sum(), 1, 0]
    assert rectified.dead.tolist() == [False, False, True]
    assert rectified.saturated.tolist() == [0.0, 0.0, 0.0]
    inputs = np.maximum(x + np.array(params[0]["bias"]), 0) @ params[2]["kernel"] + params[2]["bias"]
    np.testing.assert_allclose(found["layers[3]"].saturated, (1 - np.tanh(inputs) ** 2 < 0.05).mean(0), atol=1e-3)
    assert found["layers[3]"].active_rows.tolist() == [1001, 1001]


def test_channels_are_units_and_blocks_do_not_matter():
    net = nn.Chain(nn.Conv(5), nn.BatchNorm(), nn.ReLU())
    params, state = initial(net, (4, 4, 1))
    x = DRAW.normal(size=(30, 4, 4, 1)).astype(np.float32)
    params[1]["shift"] = jnp.array([0.0, -1.0, -2.0, -9.0, 1.0])
    found, whole = activity(net, params, state, x, block=7), activity(net, params, state, x)
    y = np.asarray(net.apply(params, state, x)[0])
    assert found["layers[2]"].active_rows.tolist() == (y > 0).any((1, 2)).sum(0).tolist()
    jax.tree.map(np.testing.assert_array_equal, found, whole)


def test_no_rows_are_refused():
    with pytest.raises(InputError, match="a row or more"):
        activity(NET, *initial(NET, (3,)), X[:0])


# Sharpness

EIGENVALUES = {"positive": [5.0, 1.0, 0.5], "negative is larger": [-8.0, 3.0, 1.0], "all negative": [-4.0, -2.0, -1.0]}


@pytest.mark.parametrize("name", EIGENVALUES)
def test_the_largest_eigenvalue_of_a_quadratic(name):
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    matrix = jnp.asarray(basis @ np.diag(EIGENVALUES[name]) @ basis.T, jnp.float32)

    def product(v):
        whole = matrix @ jnp.append(v["a"], v["b"])
        return {"a": whole[:2], "b": whole[2]}

    found = jax.jit(lambda: largest_eigenvalue(product, {"a": jnp.zeros(2), "b": jnp.zeros(())}, 40))()
    assert found == pytest.approx(max(EIGENVALUES[name]), rel=1e-3)


def exact(net, params, state, x, y, penalty=None):
    """The largest eigenvalue by way of the whole Hessian."""
    flat, unravel = jax.flatten_util.ravel_pytree(params)

    def value(flat):
        params = unravel(flat)
        extra = 0.0 if penalty is None else penalty(params)
        return LOSS(net.apply(params, state, x)[0], y).mean() + extra

    return float(np.linalg.eigvalsh(np.asarray(jax.jit(jax.hessian(value))(flat), np.float64))[-1])


@pytest.mark.parametrize("penalty", [None, losses.L2(0.5)])
def test_sharpness_is_the_exact_hessians(penalty):
    params, state = initial(NET, (3,))
    found = jax.jit(sharpness)(NET, LOSS, params, state, X, Y, penalty=penalty)
    assert found == pytest.approx(exact(NET, params, state, X, Y, penalty), rel=1e-2)


def test_sharpness_of_a_convolutional_network():
    net = nn.Chain(nn.Conv(2), nn.Tanh(), nn.Flatten(), nn.Dense(2))
    params, state = initial(net, (3, 3, 1))
    x = DRAW.normal(size=(20, 3, 3, 1)).astype(np.float32)
    found = jax.jit(sharpness)(net, LOSS, params, state, x, Y[:20])
    gradient = jax.jit(jax.grad(lambda flat: LOSS(net.apply(unravel(flat), state, x)[0], Y[:20]).mean()))
    flat, unravel = jax.flatten_util.ravel_pytree(params)
    # Convolutions have a gradient rule of their own, so the witness is central differences: 1e-2 for their error.
    columns = [
        (gradient(flat + 1e-2 * e) - gradient(flat - 1e-2 * e)) / 2e-2 for e in np.eye(len(flat), dtype=np.float32)
    ]
    assert found == pytest.approx(np.linalg.eigvalsh(np.stack(columns).astype(np.float64))[-1], rel=2e-2)


def test_gradient_descent_diverges_beyond_two_over_sharpness():
    """On a quadratic: linear regression; with 1.9 and 2.1 over the sharpness."""
    net, loss, y = nn.Chain(nn.Dense(1)), losses.SquaredError(), X[:, :1]
    params, state = initial(net, (3,))
    gradient = jax.grad(lambda p: loss(net.apply(p, state, X)[0], y).mean())
    bound = 2.0 / jax.jit(sharpness)(net, loss, params, state, X, y)
    for share, grows in ((0.95, False), (1.05, True)):
        after = jax.jit(lambda p, lr: jax.lax.fori_loop(
            0, 200, lambda _, p: jax.tree.map(lambda p, g: p - lr * g, p, gradient(p)), p
        ))(params, share * bound)  # fmt: skip
        assert (np.abs(after[0]["kernel"]).max() > 10.0) == grows


# Noise scale


def per_example(params, state, weights=None):
    def one(x, y):
        return jax.grad(lambda p: LOSS(NET.apply(p, state, x[None])[0], y[None])[0])(params)

    grads = jax.jit(jax.vmap(one))(X, Y)
    return np.concatenate([np.asarray(g, np.float64).reshape(len(X), -1) for g in jax.tree.leaves(grads)], 1)


@pytest.mark.parametrize("chunk", [1, 4])
def test_noise_is_the_sample_covariance(chunk):
    """For chunks of b, b times the trace of the unbiased covariance of their gradients."""
    params, state = initial(NET, (3,))
    found = jax.jit(noise, static_argnames="chunk")(NET, LOSS, params, state, X, Y, chunk=chunk)
    own = per_example(params, state).reshape(64 // chunk, chunk, -1).mean(1)
    spread = chunk * np.trace(np.cov(own.T))
    strength = (own.mean(0) ** 2).sum() - spread / 64
    np.testing.assert_allclose(found, (spread / strength, spread, strength), rtol=1e-3)


def test_noise_is_unbiased_where_the_truth_is_known():
    """Loss (w - t)^2 / 2 with t ~ N(0, 4) in 5 dimensions: gradients are w - t, so Sigma is 4 I and |G|^2 is |w|^2."""
    net, loss = nn.Chain(nn.Dense(5)), losses.SquaredError()
    params = ({"kernel": jnp.zeros((1, 5)), "bias": jnp.full(5, 1.0)},)
    rng = np.random.default_rng(3)
    many = jax.jit(jax.vmap(lambda y: noise(net, loss, params, ((),), jnp.zeros((16, 1)), y)))(
        rng.normal(0, 2, (400, 16, 5)).astype(np.float32)
    )
    factor = (
        jax.grad(lambda v: loss(v[None], jnp.zeros((1, 5)))[0])(jnp.ones(5))[0]
    ).item()  # of the loss's convention
    error = 5.0 / np.sqrt(400)
    assert many.spread.mean() == pytest.approx(20.0 * factor**2, rel=error * 0.2)
    assert many.strength.mean() == pytest.approx(5.0 * factor**2, rel=error * 0.2)


def test_too_few_rows_for_two_chunks_are_refused():
    with pytest.raises(InputError, match="do not fill two chunks of 40"):
        noise(NET, LOSS, *initial(NET, (3,)), X, Y, chunk=40)


# Norms


def test_the_drift_of_a_norm_is_the_distance_from_the_moments_of_all_rows():
    net = nn.Chain(nn.Dense(4), nn.BatchNorm(), nn.Tanh(), nn.Residual(nn.Chain(nn.Dense(4), nn.BatchNorm())))
    params, state = initial(net, (3,))
    exact = nn.exact_statistics(net, params, state, X)
    assert all(max(abs(value) for value in each) < 1e-5 for each in drifts(net, params, exact, X).values())
    sd = np.sqrt(np.asarray(exact[1]["var"]) + 1e-5)
    moved = (exact[0], {"mean": exact[1]["mean"] + 3 * sd, "var": 4 * exact[1]["var"]}, *exact[2:])
    found = drifts(net, params, moved, X)
    assert found.keys() == {"layers[1]", "layers[3].body.layers[1]"}
    assert found["layers[1]"] == pytest.approx((3.0, np.log(2.0)), rel=1e-3)
    assert max(map(abs, found["layers[3].body.layers[1]"])) < 1e-5


def test_a_network_without_batch_norms_has_no_drift():
    assert drifts(NET, *initial(NET, (3,)), X) == {}
