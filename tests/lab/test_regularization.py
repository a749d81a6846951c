"""Weight decay fits training rows worse and new ones better, up to where it fits none; the weights follow it."""

import numpy as np
import pytest

SETTINGS = {"strengths": (1e-4, 0.015, 0.3), "rows": 200, "units": 64, "epochs": 50, "seeds": 2}


def test_the_middle_strength_generalizes_best(made):
    weak, middle, strong = made.frame.accuracy
    assert middle > weak + 0.02
    assert middle > strong + 0.3


def test_a_stronger_penalty_fits_less_and_leaves_smaller_weights(made):
    assert (np.diff(made.frame.train_loss) > 0.1).all()
    assert (np.diff(np.log(made.frame.norm)) < -0.5).all()


def test_the_norm_is_that_of_the_kernels_at_the_start(made):
    """Matched weights have variances of 2 / inputs (ReLU behind) and 1 / inputs, 64 x 64, 64 x 64 and 64 x 10."""
    start = made.figure().axes[2].lines[0].get_ydata()[0]
    assert start == pytest.approx(np.sqrt(2 * 64 + 2 * 64 + 10), rel=0.03)


def test_the_same_settings_give_the_same_rows(made, again):
    assert again.frame.equals(made.frame)
