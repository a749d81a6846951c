"""Optimizers, constraints and penalties that call themselves paddable: zeros at the ends of axes change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kilter import losses, optim
from kilter.core.padding import paddable

DRAW = np.random.default_rng(0)
SMALL = {"kernel": (4, 3), "bias": (3,), "window": (2, 2, 3), "gain": ()}
WIDE = {"kernel": (6, 5), "bias": (5,), "window": (2, 4, 7), "gain": ()}
START = {name: np.asarray(2 * DRAW.normal(size=shape), np.float32) for name, shape in SMALL.items()}
GRADS = {name: DRAW.normal(size=(5, *shape)).astype(np.float32) for name, shape in SMALL.items()}

MADE = {
    optim.SGD: optim.SGD(0.1, momentum=0.9, nesterov=True),
    optim.RMSProp: optim.RMSProp(0.01, momentum=0.9, centered=True),
    optim.Adam: optim.Adam(0.1, weight_decay=0.1, amsgrad=True),
    optim.LAMB: optim.LAMB(0.1, weight_decay=0.1),
    optim.ScheduleFreeAdam: optim.ScheduleFreeAdam(0.1, weight_decay=0.1),
    optim.AdaptiveClip: optim.AdaptiveClip(optim.Adam(0.1), 0.3),
    optim.Accumulate: optim.Accumulate(optim.Adam(0.1), 2),
    optim.PerPart: optim.PerPart(optim.Adam(0.1), {"bias": 0.1}),
    optim.SAM: optim.SAM(optim.Adam(0.1), 0.5, adaptive=True),
}
INNER = {"inner": optim.SGD(0.1)}
KINDS = [*optim.ALL, *optim.WRAPPERS]
CASES = [
    MADE.get(kind) or (kind(**INNER) if kind in optim.WRAPPERS else kind(lr=0.1)) for kind in KINDS if kind.paddable
]
NOT = {
    # They compare losses, whose last digits change with the order of a sum, so that a search may end elsewhere; and the
    # matrix of the second grows with the square of all parameters, padded ones too.
    optim.LBFGS: "excused",
    optim.GaussNewton: "excused",
    optim.Adafactor: optim.Adafactor(0.1),
}
each = pytest.mark.parametrize("case", CASES, ids=repr)


def padded(tree, like):
    """Zeros at the ends of axes, up to the shapes of ``like``."""
    return jax.tree.map(lambda a, b: jnp.zeros(b.shape).at[tuple(map(slice, a.shape))].set(a), tree, like)


def corner(tree, like):
    return jax.tree.map(lambda a, b: a[tuple(map(slice, np.shape(b)))], tree, like)


def wide(tree):
    return padded(tree, {name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in WIDE.items()})


def updated(optimizer, params, state, grads):
    """Parameters, state and averages after the updates, each in a bowl tilted by its gradient."""

    def body(carry, now):
        step, tilt = now

        def loss(p):
            return sum(jnp.vdot(p[name], tilt[name] + 0.1 * p[name]) for name in p)

        return optimizer.minimize(optim.Objective(lambda p: (p, ()), loss), *carry, step)[:2], None

    (params, state), _ = jax.lax.scan(body, (params, state), (jnp.arange(5), grads))
    return params, state, optimizer.averaged(state, params)


@jax.jit
def measure(optimizer, start, grads):
    """The same alone, padded from the start, and with a padded state; and what has become of padded parameters."""
    state = optimizer.init(start)
    more = jax.vmap(wide)(grads)
    alone = updated(optimizer, start, state, grads)
    fresh = optimizer.init(wide(start))
    found = [updated(optimizer, wide(start), s, more) for s in (fresh, padded(state, fresh))]
    beyond = [jax.tree.map(lambda a, b: jnp.abs(a - b).max(), f[0], wide(corner(f[0], start))) for f in found]
    return alone, [corner(f, alone) for f in found], beyond


def equal(found, expected):
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    return all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in pairs)


@each
def test_padded_parameters_change_nothing_and_stay_zero(case):
    assert paddable(case)
    alone, together, beyond = measure(case, START, GRADS)
    assert not any(np.isnan(leaf).any() for leaf in jax.tree.leaves(alone))
    assert all(equal(found, alone) for found in together)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(beyond))
    assert not equal(alone[0], START)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.paddable], ids=lambda kind: kind.__name__)
def test_the_others_are_not_paddable(kind):
    if NOT[kind] != "excused":
        alone, together, _ = measure(NOT[kind], START, GRADS)
        assert not all(equal(found, alone) for found in together)


def test_a_wrapper_is_paddable_if_its_inner_one_is():
    for kind in optim.WRAPPERS:
        assert paddable(kind(optim.Adam(optim.Cosine(0.1))))
        assert not paddable(kind(optim.Adafactor()))
    assert not paddable(optim.FromOptax("adabelief", 0.1))


@pytest.mark.parametrize("kind", optim.CONSTRAINTS)
@pytest.mark.parametrize("on", ["kernels", "all"])
def test_constraints_leave_zeros_alone(kind, on):
    assert kind.paddable
    alone, together = kind(on=on)(START), kind(on=on)(wide(START))
    assert equal(corner(together, alone), alone)
    assert equal(together, wide(alone))
    assert not equal(alone, START)


@pytest.mark.parametrize("kind", losses.PENALTIES)
@pytest.mark.parametrize("on", ["kernels", "all"])
def test_penalties_see_no_zeros(kind, on):
    assert kind.paddable
    alone, together = (jax.value_and_grad(kind(on=on))(params) for params in (START, wide(START)))
    np.testing.assert_allclose(together[0], alone[0], rtol=1e-5)
    assert equal(corner(together[1], alone[1]), alone[1])
    assert equal(together[1], wide(alone[1]))
    assert float(alone[0]) > 0
