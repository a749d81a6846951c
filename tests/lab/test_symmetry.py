"""Units that start equal stay equal, and the layer remains one unit."""

import pytest

import kilter as kl
from kilter.core.errors import InputError

SETTINGS = {"units": 6, "epochs": (0, 12), "data": "iris", "lr": 0.1}


def start(made, name):
    return made.frame[made.frame.start == name]


def test_equal_units_stay_equal(made):
    found = start(made, "all 0.1")
    assert (found.different_units == 1).all()
    assert (found["rank"] == 1).all()


def test_zeros_learn_nothing(made):
    """Iris has three classes of 50 rows; the share of one in the training rows is a third."""
    found = start(made, "all 0")
    assert (found["rank"] == 0).all()
    assert found.accuracy.iloc[-1] == pytest.approx(1 / 3, abs=0.05)


def test_random_units_differ_and_learn(made):
    found = start(made, "random")
    assert (found.different_units == 6).all()
    assert (found["rank"] == 4).all()  # of a kernel of 4 inputs
    assert found.accuracy.iloc[-1] > 0.8


def test_it_can_be_repeated_and_drawn(made, again):
    assert again.told.rows == made.told.rows
    assert len(made.figure().axes) == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"units": 0}, "units must be at least 1"),
        ({"epochs": ()}, "epochs must be at least 0"),
        ({"constants": ()}, "constants must hold"),
        ({"data": "moons"}, "there is no set"),
    ],
)
def test_settings_are_checked(given, message):
    with pytest.raises(InputError, match=message):
        kl.lab.symmetry(**given)
