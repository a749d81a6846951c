"""All schedules through one table of properties, and against PyTorch and Optax."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from kilter import optim
from kilter.core import trees
from kilter.core.errors import InputError

# One of each over 100 updates, with its rate at the start and after the end.
CASES = {
    optim.Constant: (optim.Constant(0.3), 0.3, 0.3),
    optim.Step: (optim.Step(0.3, 20, factor=0.5), 0.3, 0.3 * 0.5**5),
    optim.MultiStep: (optim.MultiStep(0.3, (0.29, 0.58), steps=100), 0.3, 0.003),
    optim.Exponential: (optim.Exponential(0.3, 50), 0.3, 0.003),
    optim.Geometric: (optim.Geometric(0.3, 0.1, steps=100), 0.3, 0.03),
    optim.InverseTime: (optim.InverseTime(0.3, 25), 0.3, 0.06),
    optim.Polynomial: (optim.Polynomial(0.3, 0.1, power=2.0, steps=100), 0.3, 0.03),
    optim.Cosine: (optim.Cosine(0.3, 0.1, steps=100), 0.3, 0.03),
    optim.CosineRestarts: (optim.CosineRestarts(0.3, 0.1, growth=1.0, first=0.3, steps=100), 0.3, None),
    optim.FlatCosine: (optim.FlatCosine(0.3, 0.1, flat=0.6, steps=100), 0.3, 0.03),
    optim.OneCycle: (optim.OneCycle(0.3, start=0.1, end=0.01, steps=100), 0.03, 0.003),
    optim.Coslog4: (optim.Coslog4(0.3, steps=100), 0.0, 0.0),
    optim.Warmup: (optim.Warmup(optim.Polynomial(0.3, 0.5, steps=100), 0.2, start=0.1, steps=100), 0.03, 0.15),
    optim.Join: (
        optim.Join(optim.Warmup(0.3, 1.0), optim.Constant(0.3), optim.Cosine(0.3), boundaries=(0.1, 0.5)).over(100),
        0.0,
        0.0,
    ),
}
JUMPS = {optim.Step, optim.MultiStep, optim.CosineRestarts}
KINDS = pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
STEPS = np.arange(131)


@jax.jit
def rates(schedule, steps):
    return jax.vmap(schedule.__call__)(steps) + 0.0 * steps


def test_every_schedule_is_here():
    assert set(CASES) == set(optim.SCHEDULES)


@KINDS
def test_the_catalog_knows_it(kind):
    assert all(len(text) > 1 for text in (kind.formula, kind.source, kind.choose))


@KINDS
def test_starts_and_ends_as_claimed(kind):
    schedule, start, end = CASES[kind]
    assert float(schedule(0)) == pytest.approx(start, abs=1e-7)
    if end is not None:
        assert float(schedule(100)) == pytest.approx(end, rel=1e-5, abs=1e-7)
    if hasattr(schedule, "steps"):
        assert float(schedule(130)) == pytest.approx(float(schedule(100)), rel=1e-6)


@KINDS
def test_traced_steps_give_the_same_rates(kind):
    schedule = CASES[kind][0]
    one_by_one = [float(schedule(int(step))) for step in STEPS]
    np.testing.assert_allclose(rates(schedule, STEPS), one_by_one, rtol=1e-5, atol=1e-7)
    assert min(one_by_one) >= 0.0
    assert max(one_by_one) <= 0.3 * (1 + 1e-6)


@KINDS
def test_continuous_where_it_claims_to_be(kind):
    schedule = CASES[kind][0]
    # A hundredth of an update apart no smooth one moves by more; the steepest is the first wave of Coslog4.
    fine = rates(schedule, np.arange(0, 10500, dtype=np.float32) / 100)
    jumped = np.abs(np.diff(fine)).max() > 2e-3
    assert jumped == (kind in JUMPS)


@KINDS
def test_other_numbers_need_no_compile_and_stack(kind):
    schedule = CASES[kind][0]
    other = jax.tree.map(lambda leaf: leaf * 0.5 if leaf == 0.3 else leaf, schedule)
    expected = [rates(schedule, STEPS), rates(other, STEPS)]
    known = rates._cache_size()
    rates(schedule, STEPS), rates(other, STEPS)
    assert rates._cache_size() == known
    stacked = jax.jit(jax.vmap(rates, in_axes=(0, None)))(trees.stack([schedule, other]), STEPS)
    np.testing.assert_allclose(stacked, np.stack(expected), rtol=1e-5, atol=1e-7)


@KINDS
def test_json_and_print_round_trip(kind):
    schedule = CASES[kind][0]
    assert kind.from_json(schedule.to_json()) == schedule
    assert eval(repr(schedule), {"optim": optim}) == schedule


OPEN = [
    optim.MultiStep(0.1),
    optim.Polynomial(0.1),
    optim.Geometric(0.1),
    optim.Cosine(0.1),
    optim.CosineRestarts(0.1),
    optim.FlatCosine(0.1),
    optim.OneCycle(0.1),
    optim.Coslog4(0.1),
    optim.Warmup(0.1),
    optim.Join(optim.Constant(0.1), optim.Constant(0.2), boundaries=0.5),
]


@pytest.mark.parametrize("schedule", OPEN, ids=lambda schedule: type(schedule).__name__)
def test_left_open_it_spans_the_run(schedule):
    with pytest.raises(InputError, match="no length outside of one"):
        schedule(0)
    for steps in (70, 0):
        spanned = optim.spanning(optim.ClipByNorm(optim.Adam(schedule)), steps).inner.lr
        assert spanned == schedule.replace(steps=max(steps, 1))
    assert schedule.replace(steps=5).over(70) == schedule.replace(steps=5)
    # A run of another length has the same shape.
    short, long = schedule.over(100), schedule.over(1000)
    for step in range(0, 101, 5):
        assert float(short(step)) == pytest.approx(float(long(10 * step)), rel=1e-4, abs=1e-7)


def test_nested_schedules_span_their_piece():
    join = optim.Join(optim.Warmup(0.1, 1.0), optim.Cosine(0.1), boundaries=(0.25,))
    assert [piece.steps for piece in join.over(100).schedules] == [25, 75]
    warm = optim.Warmup(optim.Cosine(0.1), 1.0, steps=10).over(100)
    assert (warm.steps, warm.inner.steps) == (10, 100)


def test_join_refuses_boundaries_that_do_not_fit():
    for boundaries in ((0.2, 0.4), (1.5,)):
        with pytest.raises(InputError, match="boundaries must"):
            optim.Join(optim.Constant(0.1), optim.Constant(0.2), boundaries=boundaries)
    with pytest.raises(InputError, match="boundaries must rise"):
        optim.Join(*[optim.Constant(0.1)] * 3, boundaries=(0.6, 0.4))


def test_coslog4_peaks_and_rests():
    schedule = optim.Coslog4(0.1, steps=1500)
    for wave in range(5):
        assert float(schedule((2**wave - 1) * 100)) == pytest.approx(0.0, abs=1e-6)
    for wave in range(4):
        assert float(schedule((2 ** (wave + 0.5) - 1) * 100)) == pytest.approx(0.1, rel=1e-5)


@pytest.mark.parametrize("growth", [1.0, 1.5, 2.0, 3.0])
def test_restarts_fall_on_their_updates(growth):
    """Also over a million updates, where float32 hardly tells one from the next."""
    first = 0.01
    for steps in (1000, 10**6):
        schedule = jax.jit(optim.CosineRestarts(1.0, 0.0, first=first, growth=growth, steps=steps).__call__)
        begin = 0.0
        for cycle in range(4):
            assert float(schedule(jnp.float32(begin))) == pytest.approx(1.0, abs=1e-4)
            middle = begin + first * steps * growth**cycle / 2
            assert float(schedule(jnp.float32(middle))) == pytest.approx(0.5, abs=1e-2)
            begin += first * steps * growth**cycle


def test_restarts_may_fall_in_height():
    schedule = optim.CosineRestarts(1.0, first=0.1, growth=2.0, factor=0.5, steps=100)
    assert [float(schedule(step)) for step in (0, 10, 30)] == pytest.approx([1.0, 0.5, 0.25])


def torch_rates(make, count, lr=0.3):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr)
    found = []
    with warnings.catch_warnings():
        # SequentialLR of PyTorch calls its own schedules in a way that it warns of.
        warnings.simplefilter("ignore")
        schedule = make(optimizer)
        for _ in range(count):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
    return found


T = torch.optim.lr_scheduler
IN_TORCH = [
    (optim.Step(0.3, 7, factor=0.5), lambda o: T.StepLR(o, 7, 0.5)),
    (optim.MultiStep(0.3, (0.29, 0.57), steps=100), lambda o: T.MultiStepLR(o, [29, 57])),
    (optim.Exponential(0.3, 1, factor=0.9), lambda o: T.ExponentialLR(o, 0.9)),
    (optim.InverseTime(0.3, 10, power=0.5), lambda o: T.LambdaLR(o, lambda t: (1 + t / 10) ** -0.5)),
    (optim.Polynomial(0.3, power=2.0, steps=40), lambda o: T.PolynomialLR(o, 40, 2.0)),
    (optim.Polynomial(0.3, 0.1, steps=40), lambda o: T.LinearLR(o, 1.0, 0.1, 40)),
    (
        optim.CosineRestarts(0.3, 0.1, first=0.1, growth=2.0, steps=100),
        lambda o: T.CosineAnnealingWarmRestarts(o, 10, 2, 0.03),
    ),
    (
        optim.CosineRestarts(0.3, first=0.25, growth=1.0, steps=100),
        lambda o: T.CosineAnnealingWarmRestarts(o, 25, 1),
    ),
    # Its peak is at update 0.3 * 100 - 1, its end at 99.
    (
        optim.OneCycle(0.3, rise=29 / 99, steps=99),
        lambda o: T.OneCycleLR(o, 0.3, total_steps=100, cycle_momentum=False),
    ),
    (
        optim.Warmup(optim.Cosine(0.3, steps=100), 0.2, start=0.1, steps=100),
        lambda o: T.ChainedScheduler([T.LinearLR(o, 0.1, 1.0, 20), T.CosineAnnealingLR(o, 100)]),
    ),
    (
        optim.Join(optim.Warmup(0.3, 1.0, start=0.1), optim.Cosine(0.3), boundaries=0.2).over(100),
        lambda o: T.SequentialLR(o, [T.LinearLR(o, 0.1, 1.0, 20), T.CosineAnnealingLR(o, 80)], [20]),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), IN_TORCH, ids=lambda case: repr(case) if hasattr(case, "home") else "")
def test_as_in_torch(ours, theirs):
    # PyTorch multiplies its rates up step by step; ours round once, in float32.
    expected = torch_rates(theirs, 100)
    np.testing.assert_allclose(rates(ours, np.arange(100)), expected, rtol=2e-5, atol=1e-7)


IN_OPTAX = [
    (optim.Polynomial(0.3, 0.1, power=3.0, steps=90), optax.polynomial_schedule(0.3, 0.03, 3.0, 90)),
    (optim.Exponential(0.3, 30, factor=0.5), optax.exponential_decay(0.3, 30, 0.5)),
    (optim.Geometric(1e-3, 100.0, steps=90), optax.exponential_decay(1e-3, 90, 100.0, end_value=0.1)),
    (optim.Step(0.3, 30, factor=0.5), optax.exponential_decay(0.3, 30, 0.5, staircase=True)),
    (optim.MultiStep(0.3, (0.3, 0.6), steps=100), optax.piecewise_constant_schedule(0.3, {30: 0.1, 60: 0.1})),
    (optim.OneCycle(0.3, steps=100), optax.cosine_onecycle_schedule(100, 0.3)),
    (
        optim.Join(optim.Warmup(0.3, 1.0), optim.Cosine(0.3), boundaries=0.2).over(100),
        optax.warmup_cosine_decay_schedule(0.0, 0.3, 20, 100),
    ),
    (
        optim.Join(optim.Constant(0.3), optim.Exponential(0.3, 10), boundaries=0.5).over(100),
        optax.join_schedules([optax.constant_schedule(0.3), optax.exponential_decay(0.3, 10, 0.1)], [50]),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), IN_OPTAX, ids=lambda case: repr(case) if hasattr(case, "home") else "")
def test_as_in_optax(ours, theirs):
    expected = [float(theirs(step)) for step in range(100)]
    np.testing.assert_allclose(rates(ours, np.arange(100)), expected, rtol=1e-4, atol=1e-6)


def test_shares_count_from_the_nearest_update():
    for boundary in (29, 57, 58, 99):
        schedule = optim.MultiStep(1.0, (boundary / 100,), steps=100)
        assert float(schedule(boundary - 1)) == 1.0
        assert float(schedule(boundary)) == pytest.approx(0.1)
    assert math.isclose(float(optim.MultiStep(1.0, 0.5, steps=10)(5)), 0.1, rel_tol=1e-6)
