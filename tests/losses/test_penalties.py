"""Penalties against PyTorch's weight decay, scikit-learn's ridge and lasso, and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from sklearn import linear_model

import kilter as kl
from kilter import losses, nn, optim

DRAW = np.random.default_rng(0)
PARAMS = {
    "kernel": DRAW.normal(size=(4, 3)).astype(np.float32),
    "bias": DRAW.normal(size=3).astype(np.float32),
    "window": DRAW.normal(size=(3, 3, 2, 5)).astype(np.float32),
}


@pytest.mark.parametrize("kind", losses.PENALTIES)
def test_every_penalty_spares_biases_unless_asked(kind):
    kernels = {name: leaf for name, leaf in PARAMS.items() if name != "bias"}
    assert kind()(PARAMS) == pytest.approx(kind()(kernels))
    assert kind(on="all")(PARAMS) > kind()(PARAMS) + 1e-6
    assert kind().from_json(kind(on="all").to_json()) == kind(on="all")
    slopes = jax.grad(kind())(PARAMS)
    assert not slopes["bias"].any()
    assert slopes["kernel"].any()


def test_elastic_net_is_the_general_case():
    both = float(losses.ElasticNet(0.3, 0.7)(PARAMS))
    assert both == pytest.approx(float(losses.L1(0.3)(PARAMS) + losses.L2(0.7)(PARAMS)), rel=1e-6)
    flat = np.concatenate([PARAMS["kernel"].ravel(), PARAMS["window"].ravel()]).astype(float)
    assert both == pytest.approx(0.3 * np.abs(flat).sum() + 0.35 * np.square(flat).sum(), rel=1e-6)


def linear_data(rows=200):
    x = DRAW.normal(size=(rows, 6)).astype(np.float32)
    y = x @ np.array([2.0, -1.0, 0.0, 0.0, 0.5, 0.0]) + 0.1 * DRAW.normal(size=rows) + 3.0
    return x, y.astype(np.float32)


def fitted(penalty, x, y):
    """A linear model trained to its minimum on all rows at once; half the squared error, as scikit-learn's lasso has it."""
    net = nn.Chain(nn.Dense(1, initializer=nn.initializers.Zeros()))
    recipe = kl.Recipe(
        net,
        losses.SquaredError(),
        optimizer=optim.SGD(optim.Cosine(0.2)),
        batch_size=len(x),
        epochs=400,
        penalty=penalty,
    )
    data = kl.data.from_arrays(x, y, validation=0.0, task="numbers")
    return kl.train(recipe, data, progress=False)


def test_l2_finds_what_ridge_finds():
    x, y = linear_data()
    found = fitted(losses.L2(0.5), x, y).params[0]
    ridge = linear_model.Ridge(alpha=0.25 * len(x)).fit(x, y)  # ridge sums squares where the loss takes their mean
    np.testing.assert_allclose(found["kernel"][:, 0], ridge.coef_, atol=2e-3)
    np.testing.assert_allclose(found["bias"], [ridge.intercept_], atol=2e-3)


def test_l1_finds_what_the_lasso_finds():
    x, y = linear_data()
    found = fitted(losses.L1(0.4), x, y).params[0]
    lasso = linear_model.Lasso(alpha=0.2).fit(x, y)
    np.testing.assert_allclose(found["kernel"][:, 0], lasso.coef_, atol=5e-3)


def test_the_history_shows_the_loss_without_it():
    x, y = linear_data(50)
    run = fitted(losses.L2(5.0), x, y)
    assert run.history["loss"][-1] == pytest.approx(run.metrics["loss"], rel=1e-3)


def test_with_sgd_as_weight_decay_in_torch(small_recipe, iris):
    recipe = small_recipe.replace(penalty=losses.L2(0.1, on="all"), epochs=1, batch_size=1000, optimizer=optim.SGD(0.5))
    before = kl.train(recipe.replace(epochs=0), iris, progress=False).params
    after = kl.train(recipe, iris, progress=False).params
    weights = [torch.tensor(np.array(leaf), requires_grad=True) for leaf in jax.tree.leaves(before)]
    bias0, kernel0, bias2, kernel2 = weights
    logits = torch.relu(torch.tensor(iris.train.x) @ kernel0 + bias0) @ kernel2 + bias2
    torch.nn.functional.cross_entropy(logits, torch.tensor(iris.train.y).long()).backward()
    torch.optim.SGD(weights, 0.5, weight_decay=0.1).step()
    for ours, theirs in zip(jax.tree.leaves(after), weights, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_strengths_share_one_program_and_a_fleet(small_recipe, iris):
    recipes = [small_recipe.replace(penalty=losses.L2(strength)) for strength in (0.0, 1.0)]
    runs = kl.train_fleet(recipes, iris, progress=False)
    sizes = [sum(float(jnp.square(leaf).sum()) for leaf in jax.tree.leaves(run.params)) for run in runs]
    assert sizes[1] < 0.8 * sizes[0]
