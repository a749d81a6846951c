"""Layers that call themselves paddable: features behind the others, with parameters of zero, change nothing for these."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kilter import nn
from kilter.core.padding import paddable
from kilter.nn.compose import Names

KEY = jax.random.key(3)
SMALL, WIDE = 5, 8


def made(kind):
    """A member and the same member for wide inputs."""
    if kind is nn.Dense:
        return kind(3), kind(7)
    if kind is nn.DropConnect:
        return kind(nn.Dense(3), 0.4), kind(nn.Dense(7), 0.4)
    if kind is nn.Chain:
        return tuple(nn.Chain(nn.Dense(n), nn.BatchNorm(), nn.Sigmoid(), nn.Dropout(0.3), nn.Dense(2)) for n in (3, 9))
    if kind is nn.Residual:
        return tuple(nn.Residual(nn.Chain(nn.Dense(n), nn.Tanh(), nn.Dropout(0.3))) for n in (SMALL, WIDE))
    return kind(), kind()


ALL = dict.fromkeys((*nn.layers.ALL, *nn.activations.ALL, *nn.norms.ALL, *nn.dropouts.ALL))
PADDABLE = [kind for kind in ALL if kind.paddable]
CASES = {kind.__name__: made(kind) for kind in PADDABLE} | {
    "batch norm, cumulative": (nn.BatchNorm(cumulative=True),) * 2,
    "dropout, not inverted": (nn.Dropout(0.4, inverted=False),) * 2,
    "scale and shift": (nn.Scale(0.5, shift=True),) * 2,
    "dense without bias": (nn.Dense(3, bias=False), nn.Dense(7, bias=False)),
    "nested": tuple(
        nn.Chain(nn.Chain(nn.Dense(n), nn.GELU()), nn.Residual(nn.DropConnect(nn.Dense(n))), nn.PReLU(), nn.Dense(2))
        for n in (4, 6)
    ),
}
every = pytest.mark.parametrize("name", CASES)


@pytest.fixture(autouse=True)
def _names_without_sizes(monkeypatch):
    """Layers in a chain draw by names that tell their sizes; here the small and the wide one shall draw alike."""
    named = Names.__call__
    monkeypatch.setattr(
        Names, "__call__", lambda names, layer, shape: named(names, nn.Dropout(), (type(layer).__name__,))
    )


def padded(tree, like):
    """Zeros at the ends of axes, up to the shapes of ``like``."""
    return jax.tree.map(lambda a, b: jnp.zeros(b.shape).at[tuple(map(slice, a.shape))].set(a), tree, like)


def corner(tree, like):
    return jax.tree.map(lambda a, b: a[tuple(map(slice, np.shape(b)))], tree, like)


def close(found, expected, rtol=1e-5):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-5), found, expected)


def facts(net, params, state, x, outputs):
    """Outputs, state and gradients with and without a key; the loss reads the first ``outputs`` alone."""

    def objective(params, x, key):
        y, after = net.apply(params, state, x, key=key)
        return jnp.sum(jnp.sin(y[..., :outputs])), (y[..., :outputs], after)

    gradient = jax.grad(objective, (0, 1), has_aux=True)
    return gradient(params, x, None), gradient(params, x, KEY)


@every
@pytest.mark.parametrize("positions", [(), (3,)], ids=["rows", "sequences"])
def test_padding_changes_nothing(name, positions):
    small, wide = CASES[name]

    @jax.jit
    def both(x):
        params, state = small.init(KEY, (*positions, SMALL))
        like = jax.eval_shape(lambda: wide.init(KEY, (*positions, WIDE)))
        wide_params, wide_state = padded(params, like[0]), padded(state, like[1])
        outputs = nn.layer.output_shape(small, params, state, x.shape[1:])[-1]
        alone = facts(small, params, state, x, outputs)
        # Not zeros: behind a sigmoid, say, padded features are none.
        wide_x = jnp.full((*x.shape[:-1], WIDE), 0.5).at[..., :SMALL].set(x)
        return alone, corner(facts(wide, wide_params, wide_state, wide_x, outputs), alone)

    x = np.random.default_rng(0).normal(size=(6, *positions, SMALL)).astype(np.float32)
    alone, together = both(x)
    close(together, alone)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(alone))


def test_some_layers_are_not_paddable():
    """Those whose numbers depend on how many features there are, or that draw otherwise than by masks."""
    for layer in (nn.LayerNorm(), nn.RMSNorm(), nn.Softmax(), nn.GLU(), nn.RReLU(), nn.GaussianDropout(), nn.Maxout(2)):
        assert not layer.paddable
        assert not paddable(nn.Chain(nn.Dense(3), layer))
    assert not paddable(nn.Chain(nn.Dense(3, initializer=nn.initializers.Orthogonal()), nn.ReLU()))
    assert paddable(nn.Chain(nn.Dense(3), nn.Residual(nn.Chain(nn.BatchNorm(), nn.ReLU())), nn.Dropout()))


def test_only_element_wise_activations_without_draws_are_paddable():
    without_draws = [kind for kind in nn.activations.ALL if not kind.draws]
    assert [kind for kind in without_draws if kind.elementwise] == [
        kind for kind in nn.activations.ALL if kind.paddable
    ]


def test_own_activations_are_paddable_where_they_are_functions_of_a_number():
    class Cube(nn.Activation):
        def __call__(self, x):
            return x**3

    class Total(nn.Activation):
        elementwise = False

        def __call__(self, x):
            return x.sum(-1, keepdims=True) + x

    class Noisy(Cube):
        def apply(self, params, state, x, *, key=None):
            return x if key is None else x + jax.random.normal(key, x.shape), state

    assert Cube.paddable
    assert not Total.paddable
    assert not Noisy.paddable


@pytest.mark.parametrize("name", ["Dense", "Chain", "Residual", "nested", "PReLU"])
def test_the_start_is_a_corner_too(name):
    """A kernel in units of what its initializer promises; all else as it is."""
    small, wide = CASES[name]
    ours = small.init(KEY, (SMALL,))
    theirs = corner(wide.init(KEY, (WIDE,)), ours)

    def in_units(one, other):
        ratio = np.std(one) / np.std(other) if np.ndim(one) > 1 else 1.0
        np.testing.assert_allclose(one, other * ratio, rtol=1e-4, atol=1e-6)

    jax.tree.map(in_units, ours, theirs)
