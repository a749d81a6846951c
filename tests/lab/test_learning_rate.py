"""A rate can be too low or too high, and a schedule lets a high one arrive."""

import numpy as np
import pytest

import kilter as kl
from kilter.core.errors import InputError

SETTINGS = {"rates": (0.0003, 0.03, 100.0), "scheduled": (0.2,), "epochs": 6, "seeds": 2}


def loss(made, rate, schedule="constant"):
    return made.frame[(made.frame.rate == rate) & (made.frame.schedule == schedule)].loss.item()


def test_the_good_rate_is_better_than_the_low_and_the_high(made):
    """The loss at chance is log 10 = 2.303."""
    assert loss(made, 0.03) < 0.3
    assert loss(made, 0.0003) > 1.5
    assert not loss(made, 100.0) < 2


@pytest.mark.parametrize("schedule", ["cosine", "warm-up, cosine"])
def test_a_falling_rate_is_better_than_a_high_constant_one(made, schedule):
    assert loss(made, 0.2, schedule) < 0.7 * loss(made, 0.2)


def test_a_high_rate_is_worse_than_a_good_one(made):
    assert loss(made, 0.2) > 1.5 * loss(made, 0.03)


def test_it_can_be_repeated_and_drawn(made, again):
    np.testing.assert_array_equal(again.frame.loss, made.frame.loss)
    assert len(made.figure().axes) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rates": ()}, "rates must hold"),
        ({"scheduled": ()}, "scheduled must hold"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"units": 0}, "units must be at least 1"),
    ],
)
def test_settings_are_checked(given, message):
    with pytest.raises(InputError, match=message):
        kl.lab.learning_rate(**given)
