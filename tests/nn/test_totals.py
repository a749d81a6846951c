"""Sums over positions and features, and what is spread over them: each the transpose of the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kilter.nn.totals import row_spread, row_total, spread, total

# Positions that split into runs, that do not (17, 1), and none at all; channels of one, few and many.
SHAPES = ((4, 32, 6, 3), (5, 17, 2, 16), (3, 1, 1, 1), (2, 40, 7), (6, 5), (1, 3))
SIZES = (1, 3, 16, 31, 64, 100, 513, 1000)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("carried", [False, True])
def test_positions_add_up_and_spread(shape, carried):
    x, vector = drawn(*shape), drawn(shape[-1])
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(total(x), x.sum(axes, dtype=np.float64), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(spread(vector, shape, carried=carried), np.broadcast_to(vector, shape))
    back = jax.grad(lambda vector: (spread(vector, shape, carried=carried) * x).sum())(vector)
    np.testing.assert_allclose(back, x.sum(axes, dtype=np.float64), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(jax.grad(lambda x: total(x) @ vector)(x), np.broadcast_to(vector, shape))


@pytest.mark.parametrize("size", SIZES)
def test_features_add_up_and_spread(size):
    x, numbers = drawn(3, 2, size), drawn(3, 2)
    np.testing.assert_allclose(row_total(x), x.sum(-1, dtype=np.float64), rtol=1e-5, atol=1e-5)
    wide = np.broadcast_to(numbers[..., None], x.shape)
    np.testing.assert_array_equal(row_spread(numbers, size), wide)
    back = jax.grad(lambda numbers: (row_spread(numbers, size) * x).sum())(numbers)
    np.testing.assert_allclose(back, x.sum(-1, dtype=np.float64), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(jax.grad(lambda x: (row_total(x) * numbers).sum())(x), wide)


def by_positions(x: jax.Array) -> jax.Array:
    return jnp.square(x * spread(jnp.tanh(total(x)), x.shape)).sum()


def by_features(x: jax.Array) -> jax.Array:
    return jnp.square(x * row_spread(jnp.tanh(row_total(x)), x.shape[-1])).sum()


def by_positions_plainly(x: jax.Array) -> jax.Array:
    return jnp.square(x * jnp.tanh(x.sum(tuple(range(x.ndim - 1))))).sum()


def by_features_plainly(x: jax.Array) -> jax.Array:
    return jnp.square(x * jnp.tanh(x.sum(-1, keepdims=True))).sum()


PAIRS = ((by_positions, by_positions_plainly), (by_features, by_features_plainly))


@pytest.mark.parametrize(("ours", "plain"), PAIRS)
def test_derivatives_of_any_order_and_direction_are_those_of_plain_sums(ours, plain):
    x, v = 0.1 * drawn(2, 4, 3, 32), drawn(2, 4, 3, 32)
    for derived in (
        lambda f: jax.jvp(f, (x,), (v,)),
        lambda f: jax.grad(f)(x),
        lambda f: jax.jvp(jax.grad(f), (x,), (v,)),
        lambda f: jax.grad(lambda x: jnp.vdot(jax.grad(f)(x), v))(x),
        lambda f: jax.jit(jax.vmap(jax.grad(f), in_axes=3, out_axes=1))(drawn(2, 4, 32, 5)),
        lambda f: jax.hessian(f)(x[:1, :2, :1, :16]),
    ):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4), derived(ours), derived(plain))


def test_halves_stay_halves():
    x = jnp.asarray(drawn(4, 16, 3), jnp.bfloat16)
    assert total(x).dtype == row_total(x).dtype == spread(x[0, 0], x.shape).dtype == jnp.bfloat16
