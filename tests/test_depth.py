"""Nets of 30 layers on real digits: weights decide, SELU keeps moments, LSUV levels, batch norm rescues."""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from kilter import nn

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
import depth

pytestmark = pytest.mark.slow


class Expected(NamedTuple):
    """A shorter training than the benchmark's, and bounds of accuracy with some distance to what was measured.

    Attributes:
        epochs: of training.
        matched: lowest with matched weights.
        failed: highest of weights that fail; of 359 validation rows one may guess more by luck than of 2000.
        tanh: lowest of small weights behind batch norms, with tanh; ``relu``: with ReLU, whose seeds differ much.
    """

    epochs: int
    matched: float
    failed: float
    tanh: float
    relu: float


EXPECTED = {"MNIST": Expected(10, 0.88, 0.2, 0.88, 0.5), "digits": Expected(40, 0.9, 0.3, 0.9, 0.6)}


@pytest.fixture(scope="module")
def setting():
    data = depth.digits()
    return depth.Setting(data, epochs=EXPECTED[data.title].epochs, seeds=(0,))


def test_matched_weights_train_and_fixed_spreads_fail_each_in_its_way(setting):
    rows = {(type(row.activation), row.weights): row for row in depth.weights_decide(setting, depth.SGD)}
    expected = EXPECTED[setting.data.title]
    for kind, large in ((nn.Tanh, "saturates"), (nn.ReLU, "explodes")):
        matched, small, big = (rows[kind, weights] for weights in ("matched", "std 0.01", "std 1"))
        assert [row.start for row in (matched, small, big)] == ["is kept", "vanishes", large]
        assert matched.accuracies.min() >= expected.matched
        assert max(small.accuracies.max(), big.accuracies.max()) < expected.failed
        # Vanished outputs are all alike, so that the loss stays at ln 10.
        np.testing.assert_allclose(small.losses, np.log(10), atol=0.02)
        assert 0.01 < matched.ratio < 100
        assert small.ratio < 1e-20
        assert big.ratio > 1e6
    assert rows[nn.ReLU, "std 1"].diverged
    assert not rows[nn.Tanh, "std 1"].diverged


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
    expected = EXPECTED[setting.data.title]
    for kind, least in ((nn.Tanh, expected.tanh), (nn.ReLU, expected.relu)):
        assert rows[kind, True].accuracies.min() >= least
        assert rows[kind, False].accuracies.max() < expected.failed
