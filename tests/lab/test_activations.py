"""Too large weights saturate, too small ones silence, Xavier and He keep the signal."""

import pytest

import kilter as kl
from kilter.core.errors import InputError

SETTINGS = {
    "pairs": (
        "sigmoid:normal(1)",
        "sigmoid:normal(0.01)",
        "sigmoid:glorot_normal",
        "relu:normal(0.01)",
        "relu:he_normal",
    ),
    "rows": 300,
}


def layers(made, pair):
    return made.frame[made.frame.pair == pair]


def test_large_weights_drive_a_sigmoid_to_its_ends(made):
    found = layers(made, "sigmoid:normal(1)")
    assert found.at_ends.iloc[-1] > 0.5
    assert found["std"].iloc[-1] > 0.4


def test_small_weights_make_all_rows_alike(made):
    found = layers(made, "sigmoid:normal(0.01)")
    assert found["std"].iloc[-1] < 0.05
    assert found["mean"].iloc[-1] == pytest.approx(0.5, abs=0.02)
    assert found.gradient_rms.iloc[0] < 1e-5 * found.gradient_rms.iloc[-1]


def test_xavier_keeps_a_sigmoid_between(made):
    found = layers(made, "sigmoid:glorot_normal")
    assert found["std"].iloc[-1] > 0.08
    assert found.at_ends.iloc[-1] < 0.05


def test_he_keeps_the_second_moment_of_relu(made):
    """E[relu(z)^2] = 1/2 for weights of unit gain; He's gain of sqrt(2) makes it that of the input, 1."""
    assert layers(made, "relu:he_normal").second_moment.between(0.5, 2).all()
    assert layers(made, "relu:normal(0.01)").second_moment.iloc[-1] < 1e-9


def test_relu_is_zero_on_half_of_its_inputs(made):
    assert layers(made, "relu:he_normal").zero.between(0.4, 0.6).all()


def test_it_can_be_repeated_and_drawn(made, again):
    again = kl.lab.activations(**{**SETTINGS, "pairs": ("relu:he_normal",)})
    assert again.told.rows == layers(made, "relu:he_normal").to_dict("records")
    assert len(made.figure().axes) == 10


def test_dead_networks_are_drawn_too():
    made = kl.lab.activations(pairs=("relu:zeros", "identity:normal(1e10)"), layers=2, units=3, rows=10)
    assert (layers(made, "relu:zeros").zero == 1).all()
    assert len(made.figure().axes) == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"units": 0}, "units must be at least 1"),
        ({"pairs": ()}, "pairs must hold at least one"),
        ({"pairs": ("relu",)}, "a colon between"),
        ({"pairs": ("rilu:he_normal",)}, "activation must be one of"),
        ({"pairs": ("relu:he_normal(x)",)}, "with a number in brackets"),
        ({"pairs": ("relu:he",)}, "initializer must be one of"),
    ],
)
def test_settings_are_checked(given, message):
    with pytest.raises(InputError, match=message):
        kl.lab.activations(**given)
