"""Signals and gradients live for the depth scale of theory, and nets train no deeper than some of them; shortcuts help."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, stats

from kilter import nn
from kilter.lab.mean_field import depth_scale
from kilter.lab.repeated import Repeated

SETTINGS = {"depths": (2, 16), "sigmas": (0.6, 1.2), "kinds": ("tanh", "residual"), "rows": 192}


def accuracy(made, network, sigma, depth):
    frame = made.frame[made.frame.network == network]
    return frame[(frame.sigma == sigma) & (frame.depth == depth)].accuracy.item()


def test_deep_nets_need_weights_near_the_border_of_order_and_chaos(made):
    assert accuracy(made, "tanh", 0.6, 2) > 0.8
    assert accuracy(made, "tanh", 0.6, 16) < 0.4
    assert accuracy(made, "tanh", 1.2, 16) > 0.8


def test_shortcuts_train_deep_whatever_the_weights(made):
    assert accuracy(made, "residual", 0.6, 16) > 0.9
    assert accuracy(made, "residual", 1.2, 16) > 0.9


def test_theory_foretells_which_nets_train(made):
    predicted = made.frame.depth <= made.frame.predicted_depth
    assert ((made.frame.accuracy > 0.5) == predicted).all()
    assert predicted.nunique() == 2


def test_small_weights_have_the_scale_of_a_linear_net():
    """Up to sigma_w = 1 signals vanish, where tanh is the identity: chi = sigma_w^2."""
    assert depth_scale("tanh", 0.8) == pytest.approx(-1 / np.log(0.8**2), rel=1e-5)


def mean(f, q):
    """Over a normal number of variance q, by adaptive quadrature from kink to kink."""
    density = stats.norm(scale=np.sqrt(q)).pdf
    halves = ((-10 * np.sqrt(q), 0), (0, 10 * np.sqrt(q)))
    return sum(integrate.quad(lambda u: density(u) * f(u), *half, limit=200)[0] for half in halves)


SELU = 1.0507009873554805, 1.6732632423543772
WITNESSES = {
    "tanh": (1.5, np.tanh, lambda u: np.cosh(u) ** -2),
    "selu": (
        1.2,
        lambda u: SELU[0] * (u if u > 0 else SELU[1] * np.expm1(u)),
        lambda u: SELU[0] * (1 if u > 0 else SELU[1] * np.exp(u)),
    ),
}


@pytest.mark.parametrize("kind", WITNESSES)
def test_large_weights_have_the_scale_of_the_fixed_point(kind):
    """The fixed point by root finding."""
    sigma, f, slope = WITNESSES[kind]
    square = optimize.brentq(lambda q: sigma**2 * mean(lambda u: f(u) ** 2, q) - q, 0.1, 30)
    chi = sigma**2 * mean(lambda u: slope(u) ** 2, square)
    assert depth_scale(kind, sigma) == pytest.approx(1 / np.log(chi), rel=1e-3)


def test_gradients_grow_behind_batch_norm_as_the_theory_says():
    """Mean squares in a wide net with large batches, between two layers far from both ends; Yang et al. 2019."""
    width, rows, layers = 500, 400, 14
    net = nn.Chain(*[nn.Chain(nn.Dense(width), nn.BatchNorm(), nn.ReLU()) for _ in range(layers)])
    params, state = net.init(jax.random.key(0), (width,))
    x, back = (jax.random.normal(jax.random.key(seed), (rows, width)) for seed in (1, 2))

    @jax.jit
    def through(added):
        y = x
        for block, own, rest, zero in zip(net.layers, params, state, added, strict=True):
            y = block.apply(own, rest, y, key=jax.random.key(0))[0] + zero
        return jnp.vdot(y, back)

    squares = jnp.square(jax.grad(through)(jnp.zeros((layers, rows, width)))).mean((1, 2))
    assert float(squares[2] / squares[10]) ** (1 / 8) == pytest.approx(
        np.exp(1 / depth_scale("batch_norm", 1.0)), rel=0.05
    )


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


def test_the_same_seed_gives_the_same_rows(made, again):
    assert again.frame.equals(made.frame)


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 2 + 1
