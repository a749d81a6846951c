"""Courses over seeds are compared by their ends, and a rate that diverges comes last."""

import numpy as np
import pytest

from kilter.core.errors import InputError
from kilter.lab.learning import best_rate, courses, seeds_of


class Ended:
    """A run that ended after two epochs, the second of which gave no number."""

    history = {"loss": np.array([1.0, np.inf])}  # noqa: RUF012


def test_what_is_missing_is_nan():
    np.testing.assert_array_equal(courses([Ended()], "loss", 3), [[1.0, np.nan, np.nan]])


def test_a_rate_that_diverges_comes_last():
    ends = np.array([[0.1, np.nan], [3.0, 3.0], [2.0, 2.5]])
    assert best_rate(ends[:, :, None]) == 2


def test_seeds_are_counted_from_zero():
    assert list(seeds_of(3)) == [0, 1, 2]
    with pytest.raises(InputError, match="seeds must be at least 1"):
        seeds_of(0)
