"""Batch norm needs batches; layer norm does not; means of batches scatter as the root of their size says."""

import pytest

import kilter as kl
from kilter.core.errors import InputError

SMALL = {"batch_sizes": (2, 32), "units": 32, "rows": 320, "epochs": 8, "seeds": 2}


@pytest.fixture(scope="module")
def made():
    return kl.lab.batch_size_norm(**SMALL)


def accuracy(made, norm, size):
    frame = made.frame
    return frame[(frame.norm == norm) & (frame.batch_size == size)].accuracy.item()


def test_pairs_are_too_few_for_batch_norm_alone(made):
    assert accuracy(made, "batch norm", 32) - accuracy(made, "batch norm", 2) > 0.1
    assert accuracy(made, "layer norm", 2) - accuracy(made, "batch norm", 2) > 0.1


def test_means_of_batches_scatter_as_the_root_of_their_size(made):
    """Moving averages have their own error, and few batches of 32 are there: a third."""
    frame = made.frame.dropna()
    assert frame.distance.to_numpy() == pytest.approx(frame.predicted.to_numpy(), rel=1 / 3)


def test_the_same_seeds_give_the_same_rows(made):
    assert kl.lab.batch_size_norm(**SMALL).frame.equals(made.frame)


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 2


@pytest.mark.parametrize("given", [{"batch_sizes": (1,)}, {"batch_sizes": ()}, {"units": 0}, {"seeds": 0}])
def test_settings_out_of_range_are_refused(given):
    with pytest.raises(InputError, match=next(iter(given))):
        kl.lab.batch_size_norm(**given)
