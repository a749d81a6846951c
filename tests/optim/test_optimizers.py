"""All optimizers and wrappers through one table of properties, and against PyTorch and Optax over twenty updates."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from jax.flatten_util import ravel_pytree

import kilter as kl
from kilter import losses, nn, optim
from kilter.core import trees
from kilter.core.errors import InputError

torch.set_num_threads(1)
DRAW = np.random.default_rng(0)
SHAPES = {"kernel": (4, 3), "bias": (3,), "gain": ()}
START = {name: np.asarray(DRAW.normal(size=shape), np.float32) for name, shape in SHAPES.items()}
# Gradients differ in size over time and have zeros among them; the leading axis is the update.
GRADS = {
    name: np.stack([DRAW.normal(size=shape) * (1 + t % 5) * (DRAW.random(shape) > 0.1) for t in range(20)]).astype(
        np.float32
    )
    for name, shape in SHAPES.items()
}


def tilted(optimizer, grad, start):
    """A loss whose gradient is the given one: everywhere, or at the start of a bowl for what searches for a minimum."""
    slope, origin = ravel_pytree(grad)[0], ravel_pytree(start)[0]
    curvature = 1.0 if optimizer.needs == "objective" else 0.0

    def loss(flat):
        return slope @ flat + (0.5 * curvature * ((flat - origin) ** 2).sum() if curvature else 0.0)

    return optim.Objective(lambda p: (ravel_pytree(p)[0], ()), loss)


def _run(optimizer, grads, start):
    """Parameters, state and averaged parameters after one update for each entry of the gradients."""

    def body(carry, each):
        step, grad = each
        return optimizer.minimize(tilted(optimizer, grad, start), *carry, step)[:2], None

    start = jax.tree.map(jnp.asarray, start)
    steps = jnp.arange(len(jax.tree.leaves(grads)[0]))
    (params, state), _ = jax.lax.scan(body, (start, optimizer.init(start)), (steps, grads))
    return params, state, optimizer.averaged(state, params)


run = jax.jit(_run)
run_all = jax.jit(jax.vmap(_run, in_axes=(0, None, None)))

# One member of each kind, with nothing that decays weights, and a second one that differs in numbers alone.
PAIRS = {
    optim.SGD: (optim.SGD(0.1, momentum=0.9), optim.SGD(0.01, momentum=0.3)),
    optim.AdaGrad: (optim.AdaGrad(0.1), optim.AdaGrad(0.5, initial=0.1, epsilon=1e-3)),
    optim.RMSProp: (optim.RMSProp(0.01, momentum=0.9, centered=True), optim.RMSProp(0.1, decay=0.9, centered=True)),
    optim.Adadelta: (optim.Adadelta(1.0), optim.Adadelta(0.5, decay=0.99, epsilon=1e-3)),
    optim.Adam: (optim.Adam(0.01, amsgrad=True), optim.Adam(0.1, b1=0.5, b2=0.9, amsgrad=True)),
    optim.AdamW: (optim.AdamW(0.01, weight_decay=0.0), optim.AdamW(0.1, b1=0.5, weight_decay=0.1)),
    optim.Adamax: (optim.Adamax(0.01), optim.Adamax(0.1, b1=0.5, b2=0.9)),
    optim.Nadam: (optim.Nadam(0.01), optim.Nadam(0.1, b1=0.5, b2=0.9)),
    optim.RAdam: (optim.RAdam(0.01), optim.RAdam(0.1, b1=0.5, b2=0.9)),
    optim.Yogi: (optim.Yogi(0.01), optim.Yogi(0.1, b1=0.5, b2=0.9)),
    optim.Lion: (optim.Lion(0.01), optim.Lion(0.1, b1=0.5, b2=0.9)),
    optim.LAMB: (optim.LAMB(0.01), optim.LAMB(0.1, b1=0.5, weight_decay=0.1)),
    optim.Adafactor: (optim.Adafactor(0.01), optim.Adafactor(0.1, power=0.5, clip=2.0)),
    optim.ScheduleFreeAdam: (optim.ScheduleFreeAdam(0.01), optim.ScheduleFreeAdam(0.1, b1=0.0, weight_decay=0.1)),
    optim.LBFGS: (optim.LBFGS(memory=3), optim.LBFGS(0.5, memory=3, curvature=0.5)),
    optim.GaussNewton: (optim.GaussNewton(), optim.GaussNewton(0.1)),
    optim.ClipByValue: (optim.ClipByValue(optim.SGD(0.1), 0.5), optim.ClipByValue(optim.SGD(0.2), 3.0)),
    optim.ClipByNorm: (optim.ClipByNorm(optim.SGD(0.1), 0.5), optim.ClipByNorm(optim.SGD(0.2), 3.0)),
    optim.ClipByGlobalNorm: (optim.ClipByGlobalNorm(optim.SGD(0.1)), optim.ClipByGlobalNorm(optim.SGD(0.2), 3.0)),
    optim.AdaptiveClip: (optim.AdaptiveClip(optim.SGD(0.1)), optim.AdaptiveClip(optim.SGD(0.2), 1.0)),
    optim.Average: (optim.Average(optim.SGD(0.1)), optim.Average(optim.SGD(0.2), 0.5, start=3, every=2)),
    optim.Accumulate: (optim.Accumulate(optim.Adam(0.1)), optim.Accumulate(optim.Adam(0.2, b1=0.5))),
    optim.PerPart: (optim.PerPart(optim.Adam(0.1), {"bias": 0.1}), optim.PerPart(optim.Adam(0.2), {"bias": 0.0})),
    optim.SAM: (optim.SAM(optim.Adam(0.1)), optim.SAM(optim.Adam(0.2), 0.5)),
    optim.ReduceOnPlateau: (optim.ReduceOnPlateau(optim.Adam(0.1)), optim.ReduceOnPlateau(optim.Adam(0.2), 0.5, 3)),
    optim.LossScale: (optim.LossScale(optim.Adam(0.1)), optim.LossScale(optim.Adam(0.2), 4.0)),
}
MEMBERS = pytest.mark.parametrize("kind", PAIRS, ids=lambda kind: kind.__name__)


def close(found, expected, rtol=1e-5, atol=1e-6):
    for name in SHAPES:
        np.testing.assert_allclose(found[name], expected[name], rtol=rtol, atol=atol, err_msg=name)


def test_every_member_is_here():
    assert set(PAIRS) == {*optim.ALL, *optim.WRAPPERS}
    assert set(optim.ALL) <= set(optim.ALL)


@MEMBERS
def test_the_catalog_knows_it(kind):
    assert all(len(text) > 3 for text in (kind.formula, kind.source, kind.choose))
    assert any(character.isdigit() for character in kind.source)


@MEMBERS
def test_stacked_members_equal_one_by_one(kind):
    together = run_all(trees.stack(PAIRS[kind]), GRADS, START)
    for index, member in enumerate(PAIRS[kind]):
        pair = (together, run(member, GRADS, START))
        if member.needs == "objective":
            # At its minimum a search goes on in steps of rounding, so that what it remembers of them is rounding's own.
            pair = tuple((params, averaged) for params, _, averaged in pair)
        for found, expected in zip(*map(jax.tree.leaves, pair), strict=True):
            np.testing.assert_allclose(found[index], expected, rtol=1e-5, atol=1e-6)


@MEMBERS
def test_other_numbers_need_no_compile(kind):
    first, second = PAIRS[kind]
    run(first, GRADS, START)
    known = run._cache_size()
    run(second, GRADS, START)
    assert run._cache_size() == known


@MEMBERS
def test_float32_stays_with_float64(kind):
    """Two hundred updates; decays rounded to float32 would be off by 4e-4 of the distance traveled and more."""
    draw = np.random.default_rng(1)
    grads = {name: (draw.normal(size=(200, *shape)) + 0.5).astype(np.float32) for name, shape in SHAPES.items()}
    found = run(PAIRS[kind][0], grads, START)[0]
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(np.float64), (grads, START))
        expected = jax.tree.map(np.asarray, run(PAIRS[kind][0], *wide)[0])
    for name in SHAPES:
        assert expected[name].dtype == np.float64
        assert np.abs(found[name] - expected[name]).max() < 2e-5 * np.abs(expected[name] - START[name]).max()


@MEMBERS
def test_zero_gradients_leave_parameters_where_they_are(kind):
    params, _, averaged = run(PAIRS[kind][0], jax.tree.map(np.zeros_like, GRADS), START)
    for name in SHAPES:
        np.testing.assert_array_equal(params[name], START[name])
        np.testing.assert_array_equal(averaged[name], START[name])


@pytest.mark.parametrize("kind", [k for k in optim.ALL if "weight_decay" in k._specs], ids=lambda kind: kind.__name__)
def test_weight_decay_shrinks_kernels_alone(kind):
    zeros = jax.tree.map(lambda g: np.zeros_like(g[:3]), GRADS)
    params, _, averaged = run(kind(0.1, weight_decay=0.5), zeros, START)
    # LAMB moves by the share lr of the norm, whatever the weight of the decay; the schedule-free one moves z by it, which
    # x and y follow.
    share = {optim.LAMB: 0.9**3}.get(kind, 0.95**3)
    if kind is optim.ScheduleFreeAdam:
        assert (np.abs(params["kernel"]) < np.abs(START["kernel"])).all()
    else:
        np.testing.assert_allclose(params["kernel"], START["kernel"] * share, rtol=1e-5)
    for name in ("bias", "gain"):
        np.testing.assert_array_equal(params[name], START[name])
        np.testing.assert_array_equal(averaged[name], START[name])


@MEMBERS
def test_state_and_parameters_keep_their_form(kind):
    optimizer = PAIRS[kind][0]
    before = jax.eval_shape(lambda: (START, optimizer.init(START)))
    objective = tilted(optimizer, START, START)
    after = jax.eval_shape(lambda: optimizer.minimize(objective, START, optimizer.init(START), 0)[:2])
    assert jax.tree.structure(before) == jax.tree.structure(after)
    judged = jax.eval_shape(lambda state: optimizer.judged(state, 0.5), after[1])
    assert jax.tree.structure(judged) == jax.tree.structure(after[1])
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves((after[0], judged)), strict=True):
        assert (old.shape, old.dtype) == (new.shape, new.dtype) == (old.shape, jnp.float32)


@MEMBERS
def test_json_and_print_round_trip(kind):
    for value in PAIRS[kind]:
        assert kind.from_json(value.to_json()) == value
        assert eval(repr(value), {"optim": optim}) == value


@pytest.mark.parametrize("kind", [k for k in optim.ALL if "lr" in k._specs], ids=lambda kind: kind.__name__)
def test_a_constant_schedule_is_the_number_itself(kind):
    scheduled, plain = (run(kind(lr), GRADS, START)[0] for lr in (optim.Constant(0.05), 0.05))
    close(scheduled, plain, rtol=1e-6, atol=1e-7)


# ------------------------------------------------------------------------------------------------------ problems

# Learning rates for a parabola in 400 updates and for Rosenbrock's valley in 5000; both fall to zero along a cosine, but
# for the schedule-free one. Plain gradient descent diverges above 0.003 in the valley, RAdam too in its first updates,
# which are momentum alone; LAMB and Adafactor move in shares of the parameters, Lion by the rate itself.
RATES = {
    optim.SGD: (0.1, 0.003),
    optim.AdaGrad: (1.0, 1.0),
    optim.RMSProp: (0.1, 0.01),
    optim.Adadelta: (10.0, 1.0),
    optim.Adam: (0.3, 0.1),
    optim.AdamW: (0.3, 0.1),
    optim.Adamax: (0.3, 0.1),
    optim.Nadam: (0.3, 0.1),
    optim.RAdam: (0.3, 0.003),
    optim.Yogi: (0.3, 0.1),
    optim.Lion: (0.1, 0.01),
    optim.LAMB: (0.03, 0.01),
    optim.Adafactor: (0.1, 0.03),
    optim.ScheduleFreeAdam: (1.0, 0.03),
    # Their steps are Newton's, whatever the problem.
    optim.LBFGS: (1.0, 1.0),
    optim.GaussNewton: (None, None),
}


@partial(jax.jit, static_argnums=(2, 3))
def minimized(optimizer, start, residuals, steps):
    """Where half the sum of the squared residuals is least, says the optimizer."""
    objective = optim.Objective(lambda p: (residuals(p), ()), lambda r: 0.5 * (r**2).sum())

    def body(step, carry):
        return optimizer.minimize(objective, *carry, step)[:2]

    params, state = jax.lax.fori_loop(0, steps, body, (start, optimizer.init(start)))
    return optimizer.averaged(state, params)


def parabola(p):
    return jnp.array([1.0, 2.0, 5.0]) ** 0.5 * (p - jnp.array([1.0, -2.0, 3.0]))


def rosenbrock(p):
    """(1 - x)^2 + 100 (y - x^2)^2 as half the squares of two residuals."""
    return 2**0.5 * jnp.array([1 - p[0], 10 * (p[1] - p[0] ** 2)])


def scheduled(kind, lr, steps):
    if lr is None:
        return kind()
    return kind(lr if kind is optim.ScheduleFreeAdam else optim.Cosine(lr, steps=steps))


@pytest.mark.parametrize("kind", RATES, ids=lambda kind: kind.__name__)
def test_converges_on_a_parabola(kind):
    found = minimized(scheduled(kind, RATES[kind][0], 400), jnp.full(3, 0.1), parabola, 400)
    # LAMB's last steps are shares of parameters of size 3, the others come far closer.
    np.testing.assert_allclose(found, [1.0, -2.0, 3.0], atol=1e-3)


@pytest.mark.parametrize("kind", RATES, ids=lambda kind: kind.__name__)
def test_walks_down_the_valley_of_rosenbrock(kind):
    start = jnp.array([-1.0, 1.0])
    assert float(0.5 * (rosenbrock(start) ** 2).sum()) == pytest.approx(4.0)
    found = minimized(scheduled(kind, RATES[kind][1], 5000), start, rosenbrock, 5000)
    assert float(0.5 * (rosenbrock(found) ** 2).sum()) < 2e-3


def test_every_optimizer_has_its_rates():
    assert set(RATES) == set(optim.ALL)


def test_the_step_of_adagrad_shrinks_to_nothing():
    ones = jnp.ones((100, 1))
    found = run(optim.AdaGrad(1.0), ones, jnp.zeros(1))[0]
    assert float(found[0]) == pytest.approx(-sum(t**-0.5 for t in range(1, 101)), rel=1e-5)


# ------------------------------------------------------------------------------------------------------ witnesses


def decaying(kind, lr, weight_decay, **settings):
    """A PyTorch optimizer whose weight decay is for kernels alone, as ours."""

    def make(params):
        kernels, others = [p for p in params if p.ndim > 1], [p for p in params if p.ndim <= 1]
        groups = [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
        return kind(groups, lr, **settings)

    return make


def plain(kind, lr, **settings):
    return lambda params: kind(params, lr, **settings)


IN_TORCH = [
    (optim.SGD(0.03, momentum=0.9, nesterov=True), plain(torch.optim.SGD, 0.03, momentum=0.9, nesterov=True)),
    (optim.AdaGrad(0.1), plain(torch.optim.Adagrad, 0.1)),
    (optim.AdaGrad(0.1, initial=0.1), plain(torch.optim.Adagrad, 0.1, initial_accumulator_value=0.1)),
    (optim.RMSProp(0.01), plain(torch.optim.RMSprop, 0.01)),
    (optim.RMSProp(0.01, decay=0.9, momentum=0.9), plain(torch.optim.RMSprop, 0.01, alpha=0.9, momentum=0.9)),
    (
        optim.RMSProp(0.01, decay=0.9, centered=True),
        plain(torch.optim.RMSprop, 0.01, alpha=0.9, centered=True),
    ),
    (optim.Adadelta(1.0), plain(torch.optim.Adadelta, 1.0)),
    (optim.Adadelta(0.5, decay=0.95, epsilon=1e-4), plain(torch.optim.Adadelta, 0.5, rho=0.95, eps=1e-4)),
    (optim.Adam(0.01, b2=0.9, amsgrad=True), plain(torch.optim.Adam, 0.01, betas=(0.9, 0.9), amsgrad=True)),
    (optim.AdamW(0.05), decaying(torch.optim.AdamW, 0.05, 0.01)),
    (optim.AdamW(0.05, weight_decay=0.3), decaying(torch.optim.AdamW, 0.05, 0.3)),
    (optim.Adamax(0.02, b2=0.9), plain(torch.optim.Adamax, 0.02, betas=(0.9, 0.9))),
    (optim.RAdam(0.01), plain(torch.optim.RAdam, 0.01)),
    (optim.RAdam(0.01, b1=0.5, b2=0.9), plain(torch.optim.RAdam, 0.01, betas=(0.5, 0.9))),
    (optim.Adafactor(0.05), plain(torch.optim.Adafactor, 0.05)),
    (optim.Adafactor(0.05, clip=1.2, weight_decay=0.2), decaying(torch.optim.Adafactor, 0.05, 0.2, d=1.2)),
]


@pytest.mark.parametrize(("ours", "theirs"), IN_TORCH, ids=lambda case: repr(case) if hasattr(case, "lr") else "")
def test_twenty_updates_as_in_torch(ours, theirs):
    params = {name: torch.nn.Parameter(torch.tensor(p)) for name, p in START.items()}
    witness = theirs(list(params.values()))
    for step in range(20):
        for name, p in params.items():
            p.grad = torch.tensor(GRADS[name][step])
        witness.step()
    expected = {name: p.detach().numpy() for name, p in params.items()}
    close(run(ours, GRADS, START)[0], expected)


def kernels(params):
    return jax.tree.map(lambda p: jnp.ndim(p) > 1, params)


IN_OPTAX = [
    (optim.Adadelta(0.5), optax.adadelta(0.5, rho=0.9, eps=1e-6)),
    (
        optim.RMSProp(0.01, decay=0.9, momentum=0.5, epsilon=0.01, centered=True),
        optax.rmsprop(0.01, decay=0.9, eps=0.01, centered=True, momentum=0.5, eps_in_sqrt=False),
    ),
    (optim.Adamax(0.02), optax.adamax(0.02)),
    (optim.Nadam(0.02), optax.nadam(0.02)),
    (optim.Nadam(0.02, b1=0.5, b2=0.9, weight_decay=0.1), optax.nadamw(0.02, 0.5, 0.9, weight_decay=0.1, mask=kernels)),
    (optim.RAdam(0.01), optax.radam(0.01)),
    (optim.Yogi(0.01), optax.yogi(0.01)),
    (optim.Lion(0.01, weight_decay=0.5), optax.lion(0.01, weight_decay=0.5, mask=kernels)),
    (optim.LAMB(0.01), optax.lamb(0.01)),
    (optim.LAMB(0.05, b1=0.5, weight_decay=0.1), optax.lamb(0.05, b1=0.5, weight_decay=0.1, mask=kernels)),
    (optim.ScheduleFreeAdam(0.01), optax.contrib.schedule_free_adamw(0.01)),
    (
        optim.ScheduleFreeAdam(optim.Warmup(0.1, 1.0, start=1.0, steps=5), b1=0.5),
        optax.contrib.schedule_free_adamw(0.1, b1=0.5),
    ),
    (optim.ClipByValue(optim.SGD(0.1), 0.5), optax.chain(optax.clip(0.5), optax.sgd(0.1))),
    (optim.ClipByGlobalNorm(optim.Adam(0.1), 3.0), optax.chain(optax.clip_by_global_norm(3.0), optax.adam(0.1))),
    (optim.AdaptiveClip(optim.SGD(0.1), 0.1), optax.chain(optax.adaptive_grad_clip(0.1), optax.sgd(0.1))),
    (optim.Accumulate(optim.Adam(0.1), 3), optax.MultiSteps(optax.adam(0.1), 3).gradient_transformation()),
    (
        optim.PerPart(optim.Adam(0.1), ("b*", 0.1), ("kernel", 0.0)),
        optax.multi_transform(
            {"a": optax.adam(0.01), "b": optax.set_to_zero(), "c": optax.adam(0.1)},
            {"bias": "a", "kernel": "b", "gain": "c"},
        ),
    ),
]


def in_optax(witness):
    """Twenty updates by an Optax transformation; its state at the end."""

    def body(carry, grads):
        changes, state = witness.update(grads, carry[1], carry[0])
        return (optax.apply_updates(carry[0], changes), state), None

    start = jax.tree.map(jnp.asarray, START)
    return jax.jit(lambda: jax.lax.scan(body, (start, witness.init(start)), GRADS)[0])()


@pytest.mark.parametrize(("ours", "theirs"), IN_OPTAX, ids=lambda case: repr(case) if hasattr(case, "lr") else "")
def test_twenty_updates_as_in_optax(ours, theirs):
    # Optax computes 1 - b^t from a rounded float32 b, off by some 1e-5 in the first steps, and starts Yogi's mean at 1e-6,
    # nine times that after its correction.
    close(run(ours, GRADS, START)[0], in_optax(theirs)[0], rtol=1e-4, atol=3e-4 * float(np.max(ours.rate(19))))


def test_schedule_free_average_as_in_optax():
    params, state = in_optax(optax.contrib.schedule_free_adamw(0.01))
    expected = optax.contrib.schedule_free_eval_params(state, params)
    close(run(optim.ScheduleFreeAdam(0.01), GRADS, START)[2], expected, rtol=1e-4, atol=1e-5)


def test_our_optimizer_in_optax():
    ours = optim.Adam(optim.Cosine(0.1, steps=20))
    chained = optax.chain(optax.clip(0.5), optim.to_optax(ours))
    close(in_optax(chained)[0], run(optim.ClipByValue(ours, 0.5), GRADS, START)[0])
    with pytest.raises(InputError, match="needs the parameters"):
        optim.to_optax(ours).update(START, optim.to_optax(ours).init(START))


# ------------------------------------------------------------------------------------------------------ wrappers


def test_clip_by_norm_in_closed_form():
    one = jax.tree.map(lambda g: g[:1], GRADS)
    found = run(optim.ClipByNorm(optim.SGD(1.0), 0.5), one, START)[0]
    expected = {}
    for name, start in START.items():
        norm = np.sqrt((one[name] ** 2).sum())
        expected[name] = start - one[name][0] * min(1.0, 0.5 / max(norm, 1e-9))
    close(found, expected)


def path_of(optimizer, count):
    """Parameters after 1, 2, ... updates."""
    return [run(optimizer, jax.tree.map(lambda g, n=n: g[: n + 1], GRADS), START)[0] for n in range(count)]


def test_averages_in_closed_form():
    inner, count = optim.SGD(0.1), 5
    path = path_of(inner, count)
    some = jax.tree.map(lambda g: g[:count], GRADS)
    mean = run(optim.Average(inner, 1.0), some, START)[2]
    close(mean, {name: np.mean([p[name] for p in path], axis=0) for name in SHAPES})
    late = run(optim.Average(inner, 1.0, start=2), some, START)[2]
    close(late, {name: np.mean([p[name] for p in path[2:]], axis=0) for name in SHAPES})
    moving = run(optim.Average(inner, 0.5), some, START)[2]
    weights = [1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2]  # the first two by the plain mean, which is 1/2 too
    close(moving, {name: sum(w * p[name] for w, p in zip(weights, path, strict=True)) for name in SHAPES})


def test_polyak_mean_as_in_torch():
    module = torch.nn.Linear(3, 4)
    averaged = torch.optim.swa_utils.AveragedModel(module)
    witness = torch.optim.SGD(module.parameters(), 0.1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(START["kernel"]))
        module.bias.copy_(torch.zeros(4))
    for grad in GRADS["kernel"]:
        module.weight.grad, module.bias.grad = torch.tensor(grad), torch.zeros(4)
        witness.step()
        averaged.update_parameters(module)
    found = run(optim.Average(optim.SGD(0.1), 1.0), GRADS["kernel"], START["kernel"])[2]
    np.testing.assert_allclose(found, averaged.module.weight.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_stochastic_weight_averaging_as_in_torch():
    """Every third update after the fifth, equal weights."""
    module = torch.nn.Linear(3, 4, bias=False)
    averaged = torch.optim.swa_utils.AveragedModel(module)
    witness = torch.optim.SGD(module.parameters(), 0.1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(START["kernel"]))
    for update, grad in enumerate(GRADS["kernel"], 1):
        module.weight.grad = torch.tensor(grad)
        witness.step()
        if update > 5 and (update - 5) % 3 == 0:
            averaged.update_parameters(module)
    swa = optim.Average(optim.SGD(0.1), 1.0, start=5, every=3)
    found = run(swa, GRADS["kernel"], START["kernel"])[2]
    np.testing.assert_allclose(found, averaged.module.weight.detach().numpy(), rtol=1e-5, atol=1e-6)
    early = run(swa, GRADS["kernel"][:7], START["kernel"])
    np.testing.assert_array_equal(early[2], early[0])


def test_averages_reach_through_wrappers():
    inner = optim.Average(optim.SGD(0.1), 1.0)
    outers = (optim.ClipByValue(inner, 100.0), optim.PerPart(inner), optim.Accumulate(inner, 1), optim.SAM(inner))
    for outer in (*outers, optim.ReduceOnPlateau(inner)):
        close(run(outer, GRADS, START)[2], run(inner, GRADS, START)[2])


def test_accumulation_equals_one_update_with_the_mean():
    means = jax.tree.map(lambda g: g.reshape(5, 4, *g.shape[1:]).mean(1), GRADS)
    schedule = optim.Cosine(0.1)
    together = optim.spanning(optim.Accumulate(optim.Adam(schedule), 4), 20)
    assert together.inner.lr.steps == 5
    assert float(together.rate(19)) == float(together.inner.rate(4))
    close(run(together, GRADS, START)[0], run(optim.Adam(schedule.over(5)), means, START)[0])
    three = jax.tree.map(lambda g: g[:3], GRADS)
    close(run(together, three, START)[0], START, rtol=0, atol=0)


def test_per_part_names_the_parameters_it_did_not_find():
    with pytest.raises(InputError, match=r"Scaled\('lernel', 0.1\) matches no parameter; they are bias, gain, kernel"):
        optim.PerPart(optim.SGD(0.1), {"lernel": 0.1}).init(START)
    with pytest.raises(InputError, match="pairs of a pattern and a number"):
        optim.PerPart(optim.SGD(0.1), 3)


def test_wrappers_have_the_rate_of_what_they_hold():
    optimizer = optim.ClipByGlobalNorm(optim.Average(optim.Adam(optim.Cosine(0.2))))
    assert optimizer.lr == optim.Cosine(0.2)
    assert optimizer.replace(lr=0.5) == optim.ClipByGlobalNorm(optim.Average(optim.Adam(0.5)))
    spanned = optim.spanning(optimizer, 10)
    assert spanned.at("inner.inner.lr.steps") == 10
    assert float(spanned.rate(5)) == pytest.approx(0.1)


# ------------------------------------------------------------------------------------------------------ training


@pytest.mark.parametrize(
    "make",
    [
        optim.ScheduleFreeAdam,
        lambda lr: optim.Adafactor(optim.Warmup(optim.Cosine(lr))),
        lambda lr: optim.PerPart(
            optim.ClipByGlobalNorm(optim.Accumulate(optim.AdamW(optim.Polynomial(lr)), 2)), {"0": 0.5}
        ),
        lambda lr: optim.Average(optim.LAMB(lr)),
    ],
    ids=["schedule-free", "adafactor", "nested", "average"],
)
def test_trains_a_fleet(make, iris):
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    recipes = [
        kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=make(lr), epochs=2, batch_size=16) for lr in (0.03, 0.1)
    ]
    runs = kl.train_fleet(recipes, iris, progress=False)
    for run_ in runs:
        assert np.isfinite(run_.history["loss"]).all()
        assert run_.history["loss"][1] < run_.history["loss"][0]
    assert runs[0].history["loss"][1] != runs[1].history["loss"][1]
