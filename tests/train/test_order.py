"""The order of rows depends on seed, epoch and window alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kilter.train.order import orders, permutation, sample


def philox(seed, number, window=0):
    """NumPy's own, made anew."""
    words = np.array([0, 0, 0, window], np.uint64)
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64), counter=words))


@pytest.mark.parametrize(("seed", "epoch", "window"), [(0, 0, 0), (3, 7, 2), (2**32 - 1, 10**9, 5)])
def test_a_permutation_is_the_first_of_its_own_stream(seed, epoch, window):
    for _ in range(2):
        found = permutation(seed, epoch, 100, window)
        np.testing.assert_array_equal(found, philox(seed, epoch, window).permutation(100))


def test_samples_too():
    np.testing.assert_array_equal(sample(4, 50), np.sort(philox(4, 2**64 - 1).integers(0, 50, 50)))


def test_threads_have_streams_of_their_own():
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda epoch: permutation(1, epoch, 5_000), range(200)))
    for epoch, order in enumerate(found):
        np.testing.assert_array_equal(order, philox(1, epoch).permutation(5_000))


def test_all_epochs_of_all_seeds_with_padding_behind():
    found = orders((5, 6), 3, 2, 4, 10, (3, 4))
    assert (found.dtype, found.shape) == (np.int32, (4, 2, 3, 4))
    for epoch in range(2):
        for place, seed in enumerate((5, 6)):
            order = permutation(seed, 3 + epoch, 10)
            np.testing.assert_array_equal(found[epoch, place].ravel(), [*order, *order[:2]])
    assert not found[2:].any()
    np.testing.assert_array_equal(orders((5,), 0, 1, 1, 4, (2, 3), shuffle=False).ravel(), [0, 1, 2, 3, 0, 1])
    drawn = orders((5,), 0, 1, 1, 10, (10,), bootstrap=True).ravel()
    np.testing.assert_array_equal(np.sort(drawn), sample(5, 10))
