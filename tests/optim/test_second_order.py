"""L-BFGS and Gauss-Newton against SciPy and PyTorch, alone and inside the compiled training."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import torch
from jax.flatten_util import ravel_pytree
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression

import kilter as kl
from kilter import losses, nn, optim
from kilter.core import trees
from kilter.core.errors import DoubtWarning, InputError
from kilter.optim.line_search import Place, search
from kilter.train.check import check

torch.set_num_threads(1)
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(60, 4)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5, 0.0] + DRAW.normal(size=60) > 0).astype(np.float32)
STRENGTH = 0.05


def logistic(w):
    """Mean cross-entropy of a linear model with a penalty, so that there is one minimum."""
    return jnp.logaddexp(0.0, (1 - 2 * Y) * (X @ w)).mean() + 0.5 * STRENGTH * (w**2).sum()


def rosenbrock(w):
    return (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()


def minimized(optimizer, objective, start, updates):
    """Parameters after some updates and the loss before each."""

    @jax.jit
    def run(optimizer, start):
        def body(carry, step):
            params, state, (loss, _) = optimizer.minimize(objective, *carry, step)
            return (params, state), loss

        (params, _), path = jax.lax.scan(body, (start, optimizer.init(start)), jnp.arange(updates))
        return params, path

    return run(optimizer, jax.tree.map(jnp.asarray, start))


def scalar(function):
    return optim.Objective(lambda p: (p, ()), function)


# ------------------------------------------------------------------------------------------------------ line search


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 100.0])
@pytest.mark.parametrize(
    "function",
    [lambda x: (x - 3.0) ** 2, lambda x: jnp.cosh(x - 2.0), lambda x: jnp.abs(x - 1.0) + 0.1 * x],
    ids=["parabola", "cosh", "corner"],
)
def test_the_step_meets_both_conditions(function, first):
    def evaluate(x):
        value, grad = jax.value_and_grad(lambda x: function(x[0]))(x)
        return Place(x, value, grad)

    start = evaluate(jnp.zeros(1))
    direction = -start.grad
    found, length = search(evaluate, start, direction, first, tries=40, decrease=1e-4, curvature=0.9)
    slope = float(start.grad[0] * direction[0])
    assert float(found.value) <= float(start.value) + 1e-4 * float(length) * slope + 1e-6
    assert float(found.grad[0] * direction[0]) >= 0.9 * slope
    np.testing.assert_allclose(found.params, start.params + length * direction, rtol=1e-6)


def test_a_search_that_finds_nothing_stays():
    def evaluate(x):
        return Place(x, jnp.where(x[0] > 0, jnp.nan, 0.0), jnp.array([-1.0]))

    start = evaluate(jnp.zeros(1))
    found, length = search(evaluate, start, jnp.ones(1), 1.0, tries=10, decrease=1e-4, curvature=0.9)
    assert float(length) == 0.0
    np.testing.assert_array_equal(found.params, start.params)


# ------------------------------------------------------------------------------------------------------------ L-BFGS


def test_the_minimum_of_a_logistic_regression():
    params, path = minimized(optim.LBFGS(), scalar(logistic), np.zeros(4, np.float32), 3)
    signs = (1 - 2 * Y).astype(float)
    wide = X.astype(float)

    def function(w):
        return np.logaddexp(0.0, signs * (wide @ w)).mean() + 0.5 * STRENGTH * (w**2).sum()

    def slope(w):
        return wide.T @ (signs / (1 + np.exp(-signs * (wide @ w)))) / 60 + STRENGTH * w

    tight = {"ftol": 1e-16, "gtol": 1e-10}
    witness = scipy.optimize.minimize(function, np.zeros(4), jac=slope, method="L-BFGS-B", options=tight)
    # Far below the root of the rounding of the loss, 3e-4: the search reads the slopes there.
    np.testing.assert_allclose(params, witness.x, atol=1e-6)
    parameter = torch.nn.Parameter(torch.zeros(4))
    rival = torch.optim.LBFGS([parameter], max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        rival.zero_grad()
        margins = torch.tensor(1 - 2 * Y) * (torch.tensor(X) @ parameter)
        loss = torch.nn.functional.softplus(margins).mean() + 0.5 * STRENGTH * (parameter**2).sum()
        loss.backward()
        return loss.detach()

    rival.step(closure)
    np.testing.assert_allclose(params, parameter.detach().numpy(), atol=1e-3)
    model = LogisticRegression(C=1 / (STRENGTH * 60), fit_intercept=False, tol=1e-8).fit(X.astype(float), Y)
    np.testing.assert_allclose(params, model.coef_[0], atol=1e-4)
    assert float(path[-1]) == pytest.approx(witness.fun, rel=1e-6)


@pytest.mark.parametrize("size", [2, 10])
def test_the_valley_of_rosenbrock_takes_about_as_many_steps_as_in_scipy(size):
    start = np.tile([-1.2, 1.0], size // 2).astype(np.float32)
    params, path = minimized(optim.LBFGS(iterations=1), scalar(rosenbrock), start, 150)
    np.testing.assert_allclose(params, 1.0, atol=1e-3)
    ours = int(np.argmax(np.asarray(path) < 1e-4))
    theirs = scipy.optimize.minimize(
        scipy.optimize.rosen,
        start.astype(float),
        jac=scipy.optimize.rosen_der,
        method="L-BFGS-B",
        options={"ftol": 1e-9},
    )
    # Its search meets the strong conditions, so paths differ; with a wrong direction it would take ten times as many.
    assert ours < 2 * theirs.nit


def test_a_quadratic_with_full_memory_ends_in_as_many_steps_as_it_has_dimensions():
    """Within twice as many: the search does not end at the exact minimum of each line."""
    matrix = DRAW.normal(size=(6, 6))
    matrix = jnp.asarray(matrix @ matrix.T + np.eye(6), jnp.float32)
    params, _ = minimized(optim.LBFGS(iterations=18), scalar(lambda w: 0.5 * w @ matrix @ w - w.sum()), np.zeros(6), 1)
    np.testing.assert_allclose(params, np.linalg.solve(matrix, np.ones(6)), rtol=1e-3, atol=1e-4)


def test_members_of_a_batch_search_each_for_itself():
    optimizer = optim.LBFGS(iterations=5)
    starts = DRAW.normal(size=(4, 2)).astype(np.float32)

    @jax.jit
    def one(start):
        return optimizer.minimize(scalar(rosenbrock), start, optimizer.init(start), 0)[0]

    together = jax.jit(jax.vmap(one))(starts)
    for found, start in zip(together, starts, strict=True):
        np.testing.assert_allclose(found, one(start), rtol=1e-4, atol=1e-4)


# ------------------------------------------------------------------------------------------------------ Gauss-Newton

T = np.linspace(0, 4, 30).astype(np.float32)
DECAY = (2.5 * np.exp(-1.3 * T) + 0.5 + 0.02 * DRAW.normal(size=30)).astype(np.float32)


def curve(p):
    return p[0] * jnp.exp(-p[1] * T) + p[2]


def test_a_curve_fit_as_by_scipy():
    objective = optim.Objective(lambda p: (curve(p), ()), lambda z: ((z - DECAY) ** 2).mean())
    params, path = minimized(optim.GaussNewton(), objective, np.ones(3, np.float32), 12)
    witness = scipy.optimize.least_squares(
        lambda p: p[0] * np.exp(-p[1] * T.astype(float)) + p[2] - DECAY, np.ones(3), method="lm", xtol=1e-12
    )
    np.testing.assert_allclose(params, witness.x, rtol=2e-4)
    assert float(path[-1]) == pytest.approx(2 * witness.cost / 30, rel=1e-5)
    assert (np.diff(path) <= 1e-6 * path[:-1]).all()


def test_linear_least_squares_takes_one_step_without_damping():
    x = DRAW.normal(size=(20, 3)).astype(np.float32)
    y = DRAW.normal(size=20).astype(np.float32)
    objective = optim.Objective(lambda p: (x @ p, ()), lambda z: ((z - y) ** 2).mean())
    params, _ = minimized(optim.GaussNewton(1e-7), objective, np.zeros(3, np.float32), 1)
    np.testing.assert_allclose(params, np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [3, 60])
def test_one_damped_step_in_closed_form(rows):
    """Cross-entropy of a linear model, by fewer passes over outputs or over parameters."""
    x, y = X[:rows].astype(float), Y[:rows].astype(float)
    objective = optim.Objective(
        lambda p: (X[:rows] @ p, ()), lambda z: jnp.logaddexp(0.0, (1 - 2 * Y[:rows]) * z).mean()
    )
    start = np.full(4, 0.1)
    chances = 1 / (1 + np.exp(-x @ start))
    grad = x.T @ (chances - y) / rows
    matrix = x.T * (chances * (1 - chances) / rows) @ x
    damped = matrix + 0.5 * np.diagonal(matrix).max() * np.eye(4)
    params, _ = minimized(optim.GaussNewton(0.5), objective, start.astype(np.float32), 1)
    np.testing.assert_allclose(params, start - np.linalg.solve(damped, grad), rtol=1e-4)


def test_classes_reach_the_minimum_of_l_bfgs():
    objective = optim.Objective(
        lambda p: (X @ p, ()),
        lambda z: jnp.logaddexp(0.0, (1 - 2 * Y) * z).mean(),
        lambda p: 0.5 * STRENGTH * (p**2).sum(),
    )
    params, _ = minimized(optim.GaussNewton(), objective, np.zeros(4, np.float32), 10)
    expected, _ = minimized(optim.LBFGS(), scalar(logistic), np.zeros(4, np.float32), 3)
    np.testing.assert_allclose(params, expected, atol=1e-5)


def test_a_step_that_does_not_lower_the_loss_is_not_taken():
    """From far out the first steps of Gauss and Newton overshoot; the damping grows until one does not."""
    objective = optim.Objective(lambda p: (jnp.arctan(p), ()), lambda z: (z**2).sum())
    params, path = minimized(optim.GaussNewton(1e-6), objective, np.array([30.0], np.float32), 40)
    assert (np.diff(path) <= 1e-6 * path[:-1]).all()
    np.testing.assert_allclose(params, 0.0, atol=1e-3)


def test_too_many_parameters_are_refused_before_anything_compiles(iris):
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.GaussNewton(limit=50), batch_size=200)
    with pytest.raises(InputError, match="square of 67 parameters, more than limit=50"):
        kl.train(recipe, iris, progress=False)


# ---------------------------------------------------------------------------------------------------------- training


@pytest.fixture(scope="module")
def diabetes():
    """Three columns of it, so that a small net has one minimum near."""
    x, y = load_diabetes(return_X_y=True)
    x = x[:, [2, 3, 8]] / x[:, [2, 3, 8]].std(0)
    return kl.data.from_arrays(x.astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32), validation=0)


NET = nn.Chain(nn.Dense(2), nn.Tanh(), nn.Dense(1))


def test_a_small_net_on_diabetes_as_by_scipy(diabetes):
    """Levenberg-Marquardt in float64 from the same weights, and L-BFGS.

    The loss has several valleys, and a step cut otherwise may lead into another: not always the same, but never higher.
    """
    recipe = kl.Recipe(NET, losses.SquaredError(), optimizer=optim.GaussNewton(), batch_size=442, epochs=60)
    seeds = range(5)
    runs = kl.train_fleet([recipe], diabetes, seeds=seeds, progress=False)
    searched = kl.train_fleet(
        [recipe.replace(optimizer=optim.LBFGS(), epochs=20)], diabetes, seeds=seeds, progress=False
    )
    begun = kl.train_fleet([recipe.replace(epochs=0)], diabetes, seeds=seeds, progress=False)
    expected = np.array([_by_scipy(begin, diabetes) for begin in begun])
    losses_of = np.array([[run.metrics["loss"] for run in found] for found in (runs, searched)])
    for found, close in zip(losses_of, (1e-4, 1e-3), strict=True):
        assert (found <= expected * (1 + close)).all()
        assert np.isclose(found, expected, rtol=close).sum() >= 2
    assert all((run.history["lr"] == 1.0).all() for run in runs)


def _by_scipy(begin, diabetes):
    x, y = diabetes.train.x.astype(float), diabetes.train.y.ravel().astype(float)
    with jax.enable_x64(True):
        flat, unravel = ravel_pytree(jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), begin.params))
        residuals = jax.jit(lambda w: NET.apply(unravel(w), begin.state, x)[0][:, 0] - y)
        jacobian = jax.jit(jax.jacfwd(residuals))
        witness = scipy.optimize.least_squares(
            lambda w: np.asarray(residuals(w)), np.asarray(flat), jac=lambda w: np.asarray(jacobian(w)), method="lm"
        )
    return 2 * witness.cost / len(y)


@pytest.mark.parametrize("make", [lambda s: optim.LBFGS(s, iterations=3), optim.GaussNewton], ids="LG")
def test_a_fleet_searches_as_its_members_alone(make, diabetes):
    recipes = [
        kl.Recipe(NET, losses.SquaredError(), optimizer=make(size), batch_size=442, epochs=6) for size in (0.1, 1.0)
    ]
    together = kl.train_fleet(recipes, diabetes, progress=False)
    alone = kl.train(recipes[1], diabetes, progress=False)
    np.testing.assert_allclose(together[1].history["loss"], alone.history["loss"], rtol=1e-3)
    assert (np.diff(alone.history["loss"]) <= 1e-6).all()
    assert together[0].history["loss"][-1] != together[1].history["loss"][-1]


def test_convolutions_have_a_matrix_too():
    net = nn.Chain(nn.Conv(2), nn.ReLU(), nn.MaxPool(), nn.Flatten(), nn.Dense(3))
    x, y = DRAW.normal(size=(30, 6, 6, 1)).astype(np.float32), jnp.arange(30) % 3
    params, state = net.init(jax.random.key(0), (6, 6, 1))
    assert trees.size(params) < 30 * 3  # so that the passes go over the parameters
    objective = optim.Objective(
        lambda p: net.apply(p, state, x), lambda z: -jax.nn.log_softmax(z)[jnp.arange(30), y].mean()
    )
    _, path = minimized(optim.GaussNewton(), objective, params, 10)
    assert path[-1] < 0.2 * path[0]


def test_small_batches_and_dropout_are_doubted(iris):
    net = nn.Chain(nn.Dense(4), nn.ReLU(), nn.Dropout(0.1), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Average(optim.LBFGS()), epochs=0)
    message = (
        r"batch_size=32 is less than the \d+ training rows: set it to \d+; the net has nn.Dropout\(0.1\): leave it out"
    )
    with pytest.warns(DoubtWarning, match=message):
        check(recipe, iris)
    whole = recipe.replace(net=nn.Chain(nn.Dense(3)), batch_size=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(whole, iris)
