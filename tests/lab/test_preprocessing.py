"""Features on one scale are learned well with a rate that exists, raw ones with none."""

import pytest

import kilter as kl
from kilter.core.errors import InputError

SETTINGS = {"rates": (1e-4, 0.1), "epochs": 8, "seeds": 2}


@pytest.fixture(scope="module")
def rows(made):
    return made.frame.set_index("features")


def test_features_become_what_their_names_say(rows):
    assert rows.largest_mean["raw"] > 100
    assert (rows.largest_mean.drop("raw") < 1e-3).all()
    assert rows.largest_std["centered"] > 100
    for kind in ("standardized", "PCA-whitened", "ZCA-whitened"):
        assert rows.least_std[kind] == pytest.approx(1, abs=0.01)
        assert rows.largest_std[kind] == pytest.approx(1, abs=0.01)
    assert rows.largest_correlation["standardized"] == pytest.approx(rows.largest_correlation["raw"], abs=1e-3)
    assert (rows.largest_correlation[["PCA-whitened", "ZCA-whitened"]] < 0.01).all()


def test_features_on_one_scale_are_learned_better(rows):
    """By more than a factor of ten; log 3 = 1.1 is the loss at chance."""
    for kind in ("standardized", "PCA-whitened", "ZCA-whitened"):
        assert rows.loss[kind] < 0.1
    assert (rows.loss[["raw", "centered"]] > 0.5).all()


def test_it_can_be_repeated_and_drawn(made, again):
    assert again.told.rows == made.told.rows
    assert len(made.figure().axes) == 9


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rates": ()}, "rates must hold"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"units": 0}, "units must be at least 1"),
        ({"data": "boston"}, "there is no set"),
    ],
)
def test_settings_are_checked(given, message):
    with pytest.raises(InputError, match=message):
        kl.lab.preprocessing(**given)
