"""Training with products in half precision: close to float32, with weights, norms and losses in it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.extend.core import jaxprs_in_params

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.nn.precision import Narrow

IMAGES = np.random.default_rng(0).normal(size=(96, 8, 8, 2)).astype(np.float32)
LABELS = (IMAGES.mean((1, 2, 3)) > 0).astype(int)
NETS = {
    "dense": ((16,), nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dense(2))),
    "conv": (
        (6, 6, 2),
        nn.Chain(nn.Conv(4, 3, dilation=2), nn.ReLU(), nn.Conv(4, 3, groups=2), nn.Flatten(), nn.Dense(2)),
    ),
    "depthwise": ((6, 6, 2), nn.Chain(nn.DepthwiseConv(3), nn.Flatten(), nn.Dense(2))),
    "transposed": ((4, 4, 2), nn.Chain(nn.ConvTranspose(3, 2), nn.Flatten(), nn.Dense(2))),
    "attention": ((5, 8), nn.Chain(nn.MultiHeadAttention(2), nn.Flatten(), nn.Dense(2))),
    "recurrent": ((5, 4), nn.Chain(nn.LSTM(6), nn.Dense(2))),
}


def products(jaxpr):
    """Types of the factors of all products and convolutions, those in loops included."""
    for step in jaxpr.eqns:
        if step.primitive.name in ("dot_general", "conv_general_dilated"):
            yield from (factor.aval.dtype for factor in step.invars)
        for inner in jaxprs_in_params(step.params):
            yield from products(inner)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", NETS)
def test_products_are_narrow_and_all_else_is_not(name, precision):
    shape, net = NETS[name]
    params, state = net.init(jax.random.key(0), shape)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(4, *shape)), jnp.float32)

    def loss(params, net):
        y, after = net.apply(params, state, x, key=jax.random.key(1))
        return (y**2).sum(), (y, after)

    narrow = Narrow(net, precision=precision)
    kinds = set(products(jax.make_jaxpr(jax.grad(lambda p: loss(p, narrow)[0]))(params).jaxpr))
    assert kinds == {jnp.dtype(precision)}
    assert set(products(jax.make_jaxpr(lambda p: loss(p, net)[0])(params).jaxpr)) == {jnp.dtype("float32")}
    grads, (y, after) = jax.grad(loss, has_aux=True)(params, narrow)
    wanted, (whole, _) = jax.grad(loss, has_aux=True)(params, net)
    assert {leaf.dtype for leaf in jax.tree.leaves((grads, y, after))} == {jnp.dtype("float32")}
    np.testing.assert_allclose(y, whole, atol=0.03 * np.abs(whole).max())
    assert not np.array_equal(y, whole)
    for got, exact in zip(jax.tree.leaves(grads), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(got, exact, atol=0.05 * np.abs(exact).max())


def test_training_ends_close_to_float32():
    data = kl.data.iris()
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    # A scale at which no update overflows, so that none is left out.
    optimizer = optim.LossScale(optim.Adam(0.02), 128.0)
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optimizer, epochs=10, inputs=kl.data.Standardize())
    exact = kl.train(recipe, data, progress=False)
    for precision in ("bfloat16", "float16"):
        run = kl.train(recipe.replace(precision=precision), data, progress=False)
        np.testing.assert_allclose(run.history["loss"], exact.history["loss"], rtol=0.03)
        assert not np.array_equal(run.history["loss"], exact.history["loss"])


def test_float16_asks_for_scaled_gradients(small_recipe, iris):
    with pytest.raises(InputError, match="LossScale around it"):
        kl.train(small_recipe.replace(precision="float16"), iris, progress=False)


def double(data, net, epochs):
    """Full batches in the order of the rows."""
    return kl.Recipe(
        net, losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(0.125, momentum=0.5), batch_size=len(data.train),
        epochs=epochs, shuffle=False, precision="float64",
    )  # fmt: skip


def test_float64_is_that_of_pytorch():
    data = kl.data.from_arrays(IMAGES.reshape(96, -1)[:, :6], LABELS, validation=0)
    net = nn.Chain(nn.Dense(8), nn.Tanh(), nn.Dense(2))
    start = kl.train(double(data, net, 0), data, progress=False)
    run = kl.train(double(data, net, 30), data, progress=False)
    own = jax.tree.leaves(run.params)
    assert {leaf.dtype for leaf in own} == {np.dtype(np.float64)}
    theirs = [torch.tensor(leaf, requires_grad=True) for leaf in jax.tree.leaves(start.params)]
    (b0, w0, b1, w1), x = theirs, torch.tensor(data.train.x.astype(np.float64))
    y, optimizer = torch.tensor(data.train.y.astype(np.int64)), torch.optim.SGD(theirs, lr=0.125, momentum=0.5)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(torch.tanh(x @ w0 + b0) @ w1 + b1, y).backward()
        optimizer.step()
    for leaf, other in zip(own, theirs, strict=True):
        np.testing.assert_allclose(leaf, other.detach().numpy(), rtol=1e-12, atol=1e-13)
    assert jnp.zeros(1).dtype == jnp.float32


def test_float64_begins_and_goes_as_float32_does(tmp_path):
    data = kl.data.iris()
    net = nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=4)
    single, wide = (
        kl.train_fleet([recipe.replace(precision=p)], data, seeds=[0, 1], progress=False)
        for p in ("float32", "float64")
    )
    for a, b in zip(single, wide, strict=True):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-4), a.history, b.history)
    again = kl.load(wide[0].save(tmp_path / "run"))
    jax.tree.map(np.testing.assert_array_equal, again.params, wide[0].params)
    np.testing.assert_allclose(again.predict_proba(data.test.x), single[0].predict_proba(data.test.x), atol=1e-3)


@pytest.mark.parametrize("precision", ["bfloat16", "float64"])
def test_vitals_are_of_the_layers_inside(precision):
    data = kl.data.iris()
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=2)
    single, own = (
        kl.train_fleet([recipe.replace(precision=p)], data, watch="default", progress=False)[0]
        for p in ("float32", precision)
    )
    np.testing.assert_allclose(own.vitals.signals.rms, single.vitals.signals.rms, rtol=0.03)
