"""Batch norm trains nets from weights that are too small for plain ones."""

import pytest

import kilter as kl
from kilter.core.errors import InputError

SMALL = {"scales": (0.2, 0.01), "depth": 4, "units": 32, "rows": 300, "epochs": 6, "updates": 40}


@pytest.fixture(scope="module")
def made():
    return kl.lab.batch_norm(**SMALL)


def accuracy(made, network, scale):
    frame = made.frame
    return frame[(frame.network == network) & (frame.scale == scale)].accuracy.item()


def test_small_weights_train_with_batch_norm_alone(made):
    """Chance is 0.1: without batch norm the signal falls by 0.01 sqrt(32 / 2) = 0.04 a layer."""
    assert accuracy(made, "batch norm", 0.01) > 0.6
    assert accuracy(made, "plain", 0.01) < 0.3


def test_every_network_has_a_row_for_each_scale_and_update(made):
    assert len(made.frame) == 2 * (2 + 40)
    assert (made.frame.highest.dropna() >= made.frame.lowest.dropna()).all()


def test_the_same_seed_gives_the_same_rows(made):
    assert kl.lab.batch_norm(**SMALL).frame.equals(made.frame)


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 2 + 1


@pytest.mark.parametrize("given", [{"scales": ()}, {"scales": (0.0,)}, {"units": 0}, {"depth": 0}, {"lr": 0.0}])
def test_what_no_net_can_be_made_of_is_refused(given):
    with pytest.raises(InputError, match=next(iter(given))):
        kl.lab.batch_norm(**given)
