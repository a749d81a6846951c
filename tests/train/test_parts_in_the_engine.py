"""What the engine does for parts that reach beyond their layer: biases before norms, LSUV, exact moments, folding."""

import jax
import numpy as np
import pytest
import torch

import kilter as kl
from kilter import losses, nn, optim
from kilter.nn.compose import unneeded_biases
from kilter.train import run as runs


@pytest.fixture(scope="module")
def digits():
    return kl.data.digits()


def recipe(*layers, **changes):
    net = nn.Chain(*layers, nn.Dense(10))
    settings = {"optimizer": optim.Adam(5e-3), "batch_size": 64, "epochs": 3} | changes
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), **settings)


def test_a_bias_in_front_of_a_batch_norm_is_left_out_and_said_so(digits):
    run = kl.train(recipe(nn.Dense(16), nn.BatchNorm(), nn.ReLU()), digits, progress=False)
    assert set(run.params[0]) == {"kernel"}
    assert set(run.params[3]) == {"kernel", "bias"}
    assert "biases left out, as the next layer takes means off: net.layers[0]" in repr(run)
    kept = kl.train(recipe(nn.Dense(16, bias=True), nn.BatchNorm(), nn.ReLU()), digits, progress=False)
    assert set(kept.params[0]) == {"kernel", "bias"}
    assert "biases" not in repr(kept)


def test_the_bias_that_is_left_out_would_change_nothing(digits):
    """Its gradient is zero and training goes the same way with it, up to rounding."""
    x = digits.train.x[:64]
    net = nn.Chain(nn.Dense(16, bias=True), nn.BatchNorm(), nn.ReLU(), nn.Dense(10))
    params, state = net.init(jax.random.key(0), (64,))

    def loss(params):
        outputs, _ = net.apply(params, state, x, key=jax.random.key(1))
        return losses.SoftmaxCrossEntropy()(outputs, digits.train.y[:64]).mean()

    grads = jax.jit(jax.grad(loss))(params)
    assert abs(grads[0]["bias"]).max() < 1e-6
    assert abs(grads[3]["bias"]).max() > 1e-3


def test_which_biases_are_unneeded():
    bias = nn.Chain(
        nn.Conv(4),
        nn.BatchNorm(),
        nn.Residual(nn.Chain(nn.ReLU(), nn.WeightNorm(nn.Conv(4)), nn.InstanceNorm())),
        nn.Dense(3),
        nn.LayerNorm(),
        nn.Maxout(5),
        nn.BatchNorm(),
        nn.Dense(3, bias=True),
        nn.BatchNorm(),
        nn.Dense(3),
        nn.Dropout(0.1),
        nn.BatchNorm(),
    )
    assert unneeded_biases(bias, "net") == ["net.layers[0]", "net.layers[2].body.layers[1]"]
    params, _ = bias.init(jax.random.key(0), (4, 4, 2))
    assert "bias" not in params[0]
    assert "bias" not in params[2]["body"][1]
    assert all("bias" in params[index] for index in (3, 5, 7, 9))


def test_lsuv_in_a_recipe_scales_the_layers_that_ask_for_it(digits):
    asked = {"initializer": nn.initializers.LSUV()}
    layers = [layer for _ in range(5) for layer in (nn.Dense(48, **asked), nn.Tanh())]
    plain = nn.Dense(40, initializer=nn.initializers.Normal(0.3))
    made = recipe(*layers, plain, nn.Tanh(), epochs=0, inputs=kl.data.Standardize())
    first, second = kl.train_fleet([made], digits, seeds=[0, 1], progress=False)
    alone = kl.train(made, digits, seed=1, progress=False)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), second.params, alone.params)
    x = first.inputs.apply(digits.train.x)
    for index, (layer, p) in enumerate(zip(made.net.layers, first.params, strict=True)):
        x = np.asarray(layer.apply(p, (), x)[0])
        if index in (0, 2, 4, 6, 8):
            assert abs(x.var() - 1) < 0.2, index  # scaled to 10 % on 256 rows, measured on all
    assert abs(first.params[10]["kernel"].std() - 0.3) < 0.02


def test_exact_batch_norm_ends_with_the_moments_of_all_training_rows(digits):
    run = kl.train(recipe(nn.Dense(16), nn.BatchNorm(exact=True), nn.ReLU()), digits, progress=False)
    z = digits.train.x.astype(float) @ run.params[0]["kernel"].astype(float)
    np.testing.assert_allclose(run.state[1]["mean"], z.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run.state[1]["var"], z.var(0, ddof=1), rtol=1e-4, atol=1e-5)
    assert run.score > 0.8


def test_averaged_weights_get_moments_of_their_own(digits):
    """Weights averaged from the first update on differ so much from the last ones that old moments would mislead."""
    layers = (nn.Dense(16), nn.BatchNorm(), nn.ReLU())
    averaged = recipe(*layers, optimizer=optim.Average(optim.SGD(0.1), decay=1.0), epochs=4)
    run = kl.train(averaged, digits, progress=False)
    z = digits.train.x.astype(float) @ run.params[0]["kernel"].astype(float)
    np.testing.assert_allclose(run.state[1]["mean"], z.mean(0), rtol=1e-3, atol=1e-4)


def test_predictions_go_through_the_folded_net_and_agree_with_the_plain_one(digits):
    run = kl.train(recipe(nn.Dense(16), nn.BatchNorm(), nn.ReLU()), digits, progress=False)
    folded, *_ = run._folded
    assert [type(layer) for layer in folded.layers] == [nn.Dense, nn.ReLU, nn.Dense]
    outputs, _ = run.recipe.net.apply(run.params, run.state, digits.test.x)
    expected = torch.softmax(torch.tensor(np.asarray(outputs)), -1).numpy()
    np.testing.assert_allclose(run.predict_proba(digits.test), expected, atol=1e-5)


def test_a_diverged_run_is_left_as_it_is(digits):
    with np.errstate(all="ignore"):
        lost = recipe(nn.Dense(16), nn.BatchNorm(exact=True), nn.ReLU(), optimizer=optim.SGD(1e30), epochs=2)
        run = kl.train(lost, digits, progress=False)
    assert run.outcome is kl.Outcome.DIVERGED
    assert runs._reestimated(lost, averaged=False)


def test_without_shuffling_every_epoch_goes_through_the_rows_in_their_own_order():
    """Against the updates written out one by one."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 3)).astype(np.float32), rng.normal(size=(10, 1)).astype(np.float32)
    data = kl.data.from_arrays(x, y, validation=0.0)
    recipe = kl.Recipe(
        nn.Chain(nn.Dense(1, bias=False)), losses.SquaredError(),
        optimizer=optim.SGD(0.05), batch_size=4, epochs=2, shuffle=False,
    )  # fmt: skip
    w = kl.train(recipe.replace(epochs=0), data, progress=False).params[0]["kernel"].astype(np.float64)
    for _ in range(2):
        for rows in (slice(0, 4), slice(4, 8), slice(8, 10)):
            w = w - 0.05 * 2 * x[rows].T @ (x[rows] @ w - y[rows]) / len(x[rows])
    np.testing.assert_allclose(kl.train(recipe, data, progress=False).params[0]["kernel"], w, rtol=1e-5)


def test_programs_of_many_structures_are_let_go():
    """Each holds hundreds of memory maps, of which a process may have 65,530."""
    from importlib import import_module

    program = import_module("kilter.train.program")
    data = kl.data.iris()
    for units in (3, 4):
        net = nn.Chain(nn.Dense(units), nn.ReLU(), nn.Dense(3))
        kl.train(kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(), epochs=1), data, progress=False)
    assert program.held() >= 2
    program.let_go(1)
    assert program.held() == 0
