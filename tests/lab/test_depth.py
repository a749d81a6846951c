"""Signals and gradients live for the depth scale of theory, and nets train no deeper than some of them; shortcuts help."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, stats

import kilter as kl
from kilter import nn
from kilter.core.errors import InputError
from kilter.lab.depth import depth_scale
from kilter.lab.repeated import Repeated

SMALL = {"depths": (2, 16), "sigmas": (0.6, 1.2), "rows": 192, "kinds": ("residual",)}


@pytest.fixture(scope="module")
def made():
    return kl.lab.depth(**SMALL)


def accuracy(made, network, depth, sigma=None):
    frame = made.frame[(made.frame.network == network) & (made.frame.depth == depth)]
    return (frame.iloc[-1] if sigma is None else frame[frame.sigma == sigma].iloc[0]).accuracy


def test_deep_nets_need_weights_near_the_border_of_order_and_chaos(made):
    assert accuracy(made, "tanh", 2, 0.6) > 0.8
    assert accuracy(made, "tanh", 16, 0.6) < 0.4
    assert accuracy(made, "tanh", 16, 1.2) > 0.8


def test_shortcuts_train_deep(made):
    assert accuracy(made, "residual", 16) > 0.9


def test_small_weights_have_the_scale_of_a_linear_net():
    """Up to sigma_w = 1 signals vanish, where tanh is the identity: chi = sigma_w^2."""
    assert depth_scale(0.8) == pytest.approx(-1 / np.log(0.8**2), rel=1e-6)


def test_large_weights_have_the_scale_of_the_fixed_point():
    """The fixed point by root finding and the expectations by adaptive quadrature."""

    def mean(f, q):
        return integrate.quad(lambda z: stats.norm.pdf(z) * f(np.sqrt(q) * z), -10, 10, limit=200)[0]

    square = optimize.brentq(lambda q: 1.5**2 * mean(lambda u: np.tanh(u) ** 2, q) - q, 0.1, 2)
    chi = 1.5**2 * mean(lambda u: np.cosh(u) ** -4, square)
    assert depth_scale(1.5) == pytest.approx(1 / np.log(chi), rel=1e-4)


def test_repeated_runs_so_many_blocks_one_after_the_other():
    layer = Repeated(nn.Chain(nn.Dense(4), nn.BatchNorm(), nn.Tanh()), 5, 3)
    params, state = jax.jit(lambda key: layer.init(key, (4,)))(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (6, 4))

    @jax.jit
    def plain(x):
        for place in range(3):
            own, rest = jax.tree.map(lambda leaf, place=place: leaf[place], (params, state))
            x = layer.block.apply(own, rest, x)[0]
        return x

    scanned = jax.jit(lambda params: layer.apply(params, state, x)[0])
    assert scanned(params) == pytest.approx(np.asarray(plain(x)), abs=1e-6)
    gradients = jax.jit(jax.grad(lambda params: jnp.square(scanned(params)).sum()))(params)
    assert all((np.asarray(leaf)[3:] == 0).all() for leaf in jax.tree.leaves(gradients))
    assert all((np.asarray(leaf)[:3] != 0).any() for leaf in jax.tree.leaves(gradients))


def test_the_same_seed_gives_the_same_rows(made):
    assert kl.lab.depth(**SMALL).frame.equals(made.frame)


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 3


@pytest.mark.parametrize(
    "given",
    [
        {"kinds": ("gelu",)},
        {"depths": (1,)},
        {"depths": ()},
        {"sigmas": ()},
        {"sigmas": (0.0,)},
        {"units": 0},
        {"epochs": 0},
    ],
)
def test_settings_out_of_range_are_refused(given):
    with pytest.raises(InputError, match=next(iter(given))):
        kl.lab.depth(**given)
