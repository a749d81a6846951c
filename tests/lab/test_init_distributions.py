"""A weighted sum grows with the root of the number of its inputs, unless the weights shrink with it."""

import numpy as np
import pytest

import kilter as kl
from kilter.core.errors import InputError

SETTINGS = {"draws": 2000, "inputs": (4, 100), "sums": 1000}


def sums(made, weights):
    return made.frame[made.frame.weights == weights].set_index("inputs")


@pytest.mark.parametrize(
    ("weights", "variance"), [("uniform in (-1, 1)", 1 / 3), ("normal", 1.0), ("normal cut at 2", 0.7737)]
)
def test_the_spread_grows_with_the_root(made, weights, variance):
    """Variances of the three by SciPy; the deviation of 1000 heavy-tailed products is known to about 4 %: four of these."""
    found = sums(made, weights)
    for n in (4, 100):
        assert found["std"][n] == pytest.approx(np.sqrt(n * variance), rel=0.16)
        assert found.std_predicted[n] == pytest.approx(np.sqrt(n * variance), rel=1e-3)


def test_scaled_weights_keep_the_spread(made):
    found = sums(made, "normal / sqrt(n)")
    assert found["std"].to_numpy() == pytest.approx(1, abs=0.16)
    assert found.std_predicted.to_numpy() == pytest.approx(1)


def test_long_sums_are_beyond_one_as_often_as_a_normal_number(made):
    """P(|N(0, 1)| > 1) is 0.317; a share of 1000 is known to 0.015: four of these."""
    assert sums(made, "normal / sqrt(n)").beyond_1[100] == pytest.approx(0.317, abs=0.06)
    assert sums(made, "normal").beyond_1[100] == pytest.approx(0.920, abs=0.04)


def test_it_can_be_repeated_and_drawn(made, again):
    assert again.told.rows == made.told.rows
    assert len(made.figure().axes) == 4 + 4 + 2


@pytest.mark.parametrize("setting", ["draws", "sums", "inputs"])
def test_nothing_comes_of_nothing(setting):
    with pytest.raises(InputError, match=f"{setting} must be at least"):
        kl.lab.init_distributions(**{setting: () if setting == "inputs" else 0})
