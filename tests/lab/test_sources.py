"""Data of the experiments: so many rows, so many wrong classes, and no row on both sides."""

import numpy as np
import pytest

from kilter.core.errors import InputError
from kilter.lab.sources import dataset
from kilter.report.calibration import calibration_error


def test_parts_have_as_many_rows_as_asked_for():
    data = dataset("digits", 0, 300, held=500)
    assert (len(data.train), len(data.validation), data.test) == (300, 500, None)
    assert len(dataset("wine", 0).validation) == 178 // 5


def test_parts_share_no_row():
    """Digits have no two equal rows."""
    data = dataset("digits", 1, 30, held=40)
    assert len(np.unique(np.vstack([data.train.x, data.validation.x]), axis=0)) == 70


def test_wrong_classes_are_as_many_as_asked_for():
    right, wrong = dataset("digits", 0, 300), dataset("digits", 0, 300, wrong=0.2)
    assert (right.train.y != wrong.train.y).sum() == 60
    assert (right.validation.y == wrong.validation.y).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "digit"}, "there is no set 'digit'"),
        ({"rows": 2000}, "digits has 1797 rows"),
        ({"rows": -1}, "digits has 1797 rows"),
        ({"rows": 1000, "held": 1000}, "digits has 1797 rows"),
        ({"wrong": 1.5}, "wrong must be a share"),
    ],
)
def test_what_there_is_not_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        dataset(**{"name": "digits", "seed": 0} | given)


def test_calibration_error_of_guo():
    """Two bins by hand: (0.95 against 1/2 of two rows) and (0.65 against 1 of two rows)."""
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.35, 0.65]])
    assert calibration_error(probabilities, np.array([0, 1, 0, 1])) == pytest.approx((0.45 + 0.35) / 2)
