"""Nets of 30 layers on real digits: weights decide, SELU keeps moments, LSUV levels, batch norm rescues."""

import sys
from pathlib import Path

import numpy as np
import pytest

from kilter import nn

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
import depth

pytestmark = pytest.mark.slow

# Epochs and lowest accuracies, somewhat below what was measured, of a shorter training than the benchmark's: of matched
# weights, then of tanh and of ReLU behind batch norms. The thousand digits of scikit-learn take more epochs.
EXPECTED = {"MNIST": (10, 0.85, 0.85, 0.5), "digits": (40, 0.8, 0.8, 0.4)}


@pytest.fixture(scope="module")
def setting():
    data = depth.digits()
    return depth.Setting(data, epochs=EXPECTED[data.title][0], seeds=(0,))


def test_matched_weights_train_and_fixed_spreads_fail_each_in_its_way(setting):
    rows = {(type(row.activation), row.weights): row for row in depth.weights_decide(setting, depth.SGD)}
    _, matched, *_ = EXPECTED[setting.data.title]
    for kind in (nn.Tanh, nn.ReLU):
        assert rows[kind, "matched"].accuracies.min() >= matched
        assert rows[kind, "matched"].start == "is kept"
        assert rows[kind, "std 0.01"].start == "vanishes"
        assert rows[kind, "std 0.01"].outcome == "at chance"
        # Vanished outputs are all alike, so that the loss stays at ln 10.
        np.testing.assert_allclose(rows[kind, "std 0.01"].losses, np.log(10), atol=0.02)
        assert 0.01 < rows[kind, "matched"].ratio < 100
        assert rows[kind, "std 0.01"].ratio < 1e-20
        assert rows[kind, "std 1"].ratio > 1e6
    assert (rows[nn.Tanh, "std 1"].start, rows[nn.Tanh, "std 1"].outcome) == ("saturates", "at chance")
    assert (rows[nn.ReLU, "std 1"].start, rows[nn.ReLU, "std 1"].outcome) == ("explodes", "diverges")


@pytest.mark.parametrize("training", [True, False])
def test_selu_keeps_mean_and_variance(setting, training):
    mean, variance = depth.selu_keeps_moments(setting, training=training)
    assert mean.shape == (1, 30)
    # At a width of 100 the moments of a layer stray by some tenths; wide nets keep them closer.
    assert abs(mean).max() < 0.25
    assert 0.75 < variance.min() <= variance.max() < 1.3


@pytest.mark.parametrize("activation", depth.ACTIVATIONS, ids=repr)
def test_lsuv_brings_every_layer_to_unit_variance(setting, activation):
    before, after = depth.lsuv_levels(setting, activation, depth.SMALL)
    assert before.shape == after.shape == (1, 31)
    assert before.min() < 1e-20
    assert abs(after - 1).max() <= 0.1


def test_batch_norm_makes_small_weights_train(setting):
    rows = {(type(row.activation), "norm" in row.weights): row for row in depth.batch_norm_rescues(setting)}
    *_, tanh, relu = EXPECTED[setting.data.title]
    for kind, least in ((nn.Tanh, tanh), (nn.ReLU, relu)):
        assert rows[kind, True].accuracies.min() >= least
        assert rows[kind, False].outcome == "at chance"
