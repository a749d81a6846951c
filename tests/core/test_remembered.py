"""Functions that remember what they gave for a value."""

import numpy as np

from kilter import nn
from kilter.core.remembered import remembered


def asked(*, numbers):
    calls = []

    @remembered(numbers=numbers)
    def told(value, fact):
        calls.append(fact)
        return repr(value), fact

    return told, calls


def test_equal_values_are_told_once():
    told, calls = asked(numbers=True)
    assert told(nn.Dropout(0.3), 3) == told(nn.Dropout(0.3), 3) == ("nn.Dropout(0.3)", 3)
    assert calls == [3]
    assert told(nn.Dropout(0.2), 3) == ("nn.Dropout(0.2)", 3)
    assert told(nn.Dropout(0.2), 4) == ("nn.Dropout(0.2)", 4)
    assert calls == [3, 3, 4]


def test_numbers_that_do_not_count_are_no_difference():
    told, calls = asked(numbers=False)
    assert told(nn.Dropout(0.3), 3) == told(nn.Dropout(0.2), 3)
    assert calls == [3]


def test_numbers_that_are_arrays_are_looked_at_each_time():
    told, calls = asked(numbers=True)
    layer = nn.Dropout(0.3).put("rate", 0.3)
    layer.__dict__["rate"] = np.float32(0.3)
    told(layer, 3)
    told(layer, 3)
    assert calls == [3, 3]
