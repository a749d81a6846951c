"""Dropout keeps a net from learning wrong classes by heart; means of many passes and nets beat those of few."""

import pytest

import kilter as kl
from kilter.core.errors import InputError

SMALL = {"rates": (0.0, 0.4), "rate": 0.4, "rows": 300, "units": 64, "epochs": 80, "nets": 4, "passes": 16, "seeds": 1}


@pytest.fixture(scope="module")
def made():
    return kl.lab.dropout(**SMALL)


def row(made, setting):
    return made.frame.set_index("setting").loc[setting]


def test_dropout_learns_less_by_heart_and_more_that_holds(made):
    without, with_it = row(made, "rate 0"), row(made, "rate 0.4")
    assert without.train_loss < with_it.train_loss / 2
    assert with_it.loss < without.loss - 0.05


def test_more_passes_and_more_nets_have_a_lower_loss(made):
    assert row(made, "16 passes").loss < row(made, "2 passes").loss
    assert row(made, "4 nets").loss < row(made, "1 nets").loss


def test_the_same_settings_give_the_same_rows(made):
    assert kl.lab.dropout(**SMALL).frame.equals(made.frame)


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 4


@pytest.mark.parametrize(
    "given",
    [{"rates": ()}, {"rates": (1.0,)}, {"rate": 1.0}, {"units": 0}, {"seeds": 0}, {"passes": 1}, {"wrong": 2.0}],
)
def test_settings_out_of_range_are_refused(given):
    with pytest.raises(InputError, match=next(iter(given))):
        kl.lab.dropout(**given)
