"""What all experiments share: settings are checked before anything runs, by kind and by range."""

import inspect

import numpy as np
import pytest

import kilter as kl
from kilter.core.errors import InputError

SEEDED = [name for name, make in kl.lab.ALL.items() if "seed" in inspect.signature(make).parameters]


@pytest.mark.parametrize("name", SEEDED)
def test_seeds_are_not_negative(name):
    with pytest.raises(InputError, match="seed must be a whole number from 0"):
        kl.lab.ALL[name](seed=-1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"depth": 2.5}, "depth must be a whole number, got 2.5"),
        ({"depth": "2"}, "depth must be a whole number, got '2'"),
        ({"depth": True}, "depth must be a whole number, got True"),
        ({"gains": 1.0}, "gains must be a tuple, got 1.0"),
        ({"gains": (1.0, float("nan"))}, "gains must be a finite number, got nan"),
        ({"gains": (float("inf"),)}, "gains must be a finite number, got inf"),
        ({"gains": ()}, "gains must be at least 0"),
    ],
)
def test_settings_are_like_their_defaults(given, message):
    with pytest.raises(InputError, match=message):
        kl.lab.gain(**given)


def test_lists_and_numpy_numbers_are_taken():
    made = kl.lab.gain(depth=np.int64(3), gains=[np.float64(1), 2])
    assert (made.settings["depth"], made.settings["gains"]) == (3, (1, 2))


@pytest.mark.parametrize("name", kl.lab.ALL)
def test_settings_say_what_they_are(name):
    """The first line is a question, and every setting stands among the arguments."""
    text = inspect.getdoc(kl.lab.ALL[name])
    assert text.split("\n")[0].endswith("?")
    told = text.partition("Args:")[2].partition("Source")[0]
    assert all(f"    {each}: " in told for each in inspect.signature(kl.lab.ALL[name]).parameters)
