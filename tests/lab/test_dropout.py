"""Dropout keeps a net from learning wrong classes by heart; means of many passes and nets beat those of few."""

SETTINGS = {
    "rates": (0.0, 0.4),
    "rate": 0.4,
    "rows": 300,
    "units": 64,
    "epochs": 80,
    "nets": 4,
    "passes": 16,
    "seeds": 1,
}


def row(made, setting):
    return made.frame.set_index("setting").loc[setting]


def test_dropout_learns_less_by_heart_and_more_that_holds(made):
    without, with_it = row(made, "rate 0"), row(made, "rate 0.4")
    assert without.train_loss < with_it.train_loss / 2
    assert with_it.loss < without.loss - 0.05


def test_dropout_on_the_inputs_helps_too(made):
    assert row(made, "rate 0.4").accuracy_on_inputs > row(made, "rate 0").accuracy_on_inputs + 0.02


def test_nets_that_expect_wrong_classes_are_less_sure_than_they_are_right(made):
    """A fifth of the training rows is wrong, none of the held-out rows: the mean of thinned nets allows for it most."""
    assert row(made, "16 passes").calibration_error > row(made, "1 nets").calibration_error + 0.05


def test_more_passes_and_more_nets_have_a_lower_loss(made):
    assert row(made, "16 passes").loss < row(made, "2 passes").loss
    assert row(made, "4 nets").loss < row(made, "1 nets").loss


def test_the_same_settings_give_the_same_rows(made, again):
    assert again.frame.equals(made.frame)


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 4
