"""Signals grow as the power of the gain: exactly for scalars, in the mean for random matrices."""

import numpy as np
import pytest

import kilter as kl
from kilter.core.errors import InputError

SETTINGS = {"depth": 40, "width": 200}


def line(made, chain):
    return made.frame[made.frame.chain == chain].seen.to_numpy()


def test_scalar_chains_grow_as_powers(made):
    assert line(made, "weight 1.5")[-1] == pytest.approx(1.5**40)
    assert line(made, "weight 0.5")[-1] == pytest.approx(0.5**40)


@pytest.mark.parametrize("gain", [0.9, 1.0, 1.1])
def test_random_chains_follow_their_gain(made, gain):
    """The logarithm walks with a deviation of about sqrt(1 / (2 width)) a layer: 0.32 over 40 layers; four of these."""
    assert abs(np.log(line(made, f"gain {gain:g}")[-1]) - 40 * np.log(gain)) < 1.3


def test_the_sentence_has_the_numbers(made):
    assert made.sentence.startswith(
        "After 40 layers a signal of size 1 has the size: weight 0.5: 9.1e-13 (predicted 9.1e-13); weight 1.5: 1.1e+07 "
    )


def test_a_chain_needs_layers():
    with pytest.raises(InputError, match="depth must be at least 2, got 1"):
        kl.lab.gain(depth=1)


def test_it_can_be_repeated_and_drawn(made, again):
    assert again.told.rows == made.told.rows
    assert len(made.figure().axes) == 2
