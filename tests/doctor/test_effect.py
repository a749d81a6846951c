"""Effects against SciPy's paired t-test."""

import numpy as np
import pytest
from scipy import stats

from kilter.doctor.effect import Effect


@pytest.mark.parametrize("count", [2, 5, 30])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_is_that_of_the_paired_t_test(count, level):
    rng = np.random.default_rng(count)
    after, before = rng.normal(0.3, 1.0, (2, count))
    effect = Effect.of(after, before, level)
    wanted = stats.ttest_rel(after, before).confidence_interval(level)
    np.testing.assert_allclose((effect.low, effect.high), (wanted.low, wanted.high), rtol=1e-9)
    assert effect.helps() == (wanted.low > 0)
    assert effect.harms() == (wanted.high < 0)


def test_one_pair_proves_nothing():
    effect = Effect.of(np.array([0.9]), np.array([0.1]))
    assert not effect.helps()
    assert not effect.harms()


def test_what_is_too_small_to_count_does_not_help():
    effect = Effect.of(np.full(5, 0.51), np.full(5, 0.50))
    assert effect.helps()
    assert not effect.helps(least=0.015)
