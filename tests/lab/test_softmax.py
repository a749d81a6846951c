"""Temperature, smoothing and stability, against SciPy, closed forms and PyTorch in float64."""

import numpy as np
import pytest
import torch
from scipy import special, stats

SETTINGS = {"smoothings": (0.0, 0.1, 0.3)}


def part(made, name):
    return made.frame[made.frame.part == name]


def test_entropy_over_temperature_is_that_of_scipy(made):
    shares = [special.softmax(np.array([3.0, 2, 1, 0, -1]) / t) for t in part(made, "temperature").setting]
    assert part(made, "temperature").entropy.to_numpy() == pytest.approx(stats.entropy(shares, axis=1), abs=1e-9)


def test_the_gradient_is_softmax_less_one_hot(made):
    rows = part(made, "one-hot")
    assert rows.target.to_list() == [0, 1, 0, 0, 0]
    shares = special.softmax(rows.setting.to_numpy())
    assert rows.probability.to_numpy() == pytest.approx(shares, abs=1e-12)
    assert rows.gradient.to_numpy() == pytest.approx(shares - rows.target.to_numpy(), abs=1e-6)


def test_a_low_temperature_is_one_hot_and_a_high_one_makes_all_alike(made):
    rows = part(made, "temperature")
    assert rows.largest.iloc[0] > 0.99
    assert rows.largest.iloc[-1] == pytest.approx(1 / 5, abs=0.02)


def test_smoothed_targets_want_a_finite_difference(made):
    """The grid of differences has steps of 0.01, and float32 is flat around the lowest place."""
    rows = part(made, "smoothing")
    assert rows.lowest_at.iloc[0] == np.inf
    assert rows.lowest_at.iloc[1:].to_numpy() == pytest.approx(rows.predicted.iloc[1:].to_numpy(), abs=0.03)


def test_large_logits_are_as_torch_has_them_in_float64(made):
    rows = part(made, "size of logits")
    logits = torch.tensor(rows.setting.to_numpy()[:, None] * [-1.0, 0.0, 1.0])
    right = torch.nn.functional.cross_entropy(logits, torch.zeros(len(rows), dtype=torch.long), reduction="none")
    assert rows.kilter.to_numpy() == pytest.approx(right.numpy(), rel=1e-6)
    assert np.isfinite(rows.naive[rows.setting < 50]).all()
    assert not np.isfinite(rows.naive[rows.setting > 60]).any()


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 6
