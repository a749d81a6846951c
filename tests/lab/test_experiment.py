"""What all experiments share: settings are checked before anything runs, by kind and by range."""

import inspect

import numpy as np
import pytest

import kilter as kl
from kilter.core.errors import InputError

REFUSED = {
    "batch_norm": [
        {"scales": ()},
        {"scales": (0.0,)},
        {"batch_sizes": (1,)},
        {"batch_sizes": ()},
        {"batch_sizes": (601,)},
        {"units": 0},
        {"depth": 0},
        {"lr": 0.0},
        {"seeds": 0},
    ],
    "depth": [
        {"kinds": ("gelu",)},
        {"kinds": ()},
        {"depths": (1,)},
        {"depths": ()},
        {"sigmas": ()},
        {"sigmas": (0.0,)},
        {"units": 0},
        {"epochs": 0},
    ],
    "dropout": [
        {"rates": ()},
        {"rates": (1.0,)},
        {"rate": 1.0},
        {"units": 0},
        {"seeds": 0},
        {"passes": 1},
        {"wrong": 2.0},
    ],
    "ensembles": [
        {"members": 1},
        {"members": 4},
        {"epochs": 2},
        {"cycles": 0},
        {"units": 0},
        {"repeats": 0},
        {"wrong": 2.0},
    ],
    "regularization": [{"strengths": ()}, {"strengths": (0.0,)}, {"units": 0}, {"seeds": 0}, {"wrong": -1.0}],
    "search": [{"levels": 1}, {"lowest": 0.0}, {"highest": 1e-05}, {"units": 0}, {"repeats": 0}],
    "softmax": [
        {"temperatures": ()},
        {"temperatures": (0.0,)},
        {"smoothings": (1.0,)},
        {"logits": (1.0,)},
        {"largest": 0.0},
    ],
}
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


@pytest.mark.parametrize(("name", "given"), [(name, each) for name, every in REFUSED.items() for each in every])
def test_settings_out_of_range_are_refused_by_name(name, given):
    with pytest.raises(InputError, match=next(iter(given))):
        kl.lab.ALL[name](**given)


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
