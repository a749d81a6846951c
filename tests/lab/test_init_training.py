"""A deep ReLU network learns from weights that keep the signal, and not from small ones."""

import pytest

import kilter as kl
from kilter.core.errors import InputError

SETTINGS = {"epochs": 3, "seeds": 2, "units": 64, "initializers": ("normal(0.01)", "glorot_normal", "he_normal")}


def last(made, initializer):
    return made.frame[made.frame.initializer == initializer].iloc[-1]


def test_small_weights_stay_at_chance(made):
    """The loss at chance is log 10 = 2.303, the accuracy 0.1."""
    assert last(made, "normal(0.01)").loss > 2.25
    assert last(made, "normal(0.01)").val_accuracy < 0.25


def test_he_learns(made):
    assert last(made, "he_normal").loss < 0.6
    assert last(made, "he_normal").val_accuracy > 0.8


def test_xavier_is_behind_he_at_first(made):
    """Five layers keep 0.2 of the signal by Xavier, all of it by He."""
    first = made.frame[made.frame.epoch == 1].set_index("initializer").loss
    assert first["he_normal"] + 0.3 < first["glorot_normal"] < first["normal(0.01)"] - 0.05


def test_it_can_be_repeated_and_drawn(made, again):
    assert again.told.rows == made.told.rows
    assert len(made.figure().axes) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"layers": 0}, "layers must be at least 1"),
        ({"initializers": ()}, "initializers must hold"),
        ({"initializers": ("zeros",)}, "std"),
        ({"activation": "rilu"}, "activation must be one of"),
    ],
)
def test_settings_are_checked(given, message):
    with pytest.raises(InputError, match=message):
        kl.lab.init_training(**given)
