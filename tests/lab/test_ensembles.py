"""More nets lose less; mean weights work along one training and not across independent nets."""

SETTINGS = {"members": 8, "cycles": 2, "units": 32, "epochs": 40, "repeats": 2}


def way(made, name):
    return made.frame.set_index("way").loc[name]


def test_more_nets_have_a_lower_loss_and_more_are_right(made):
    nets = way(made, "independent nets").set_index("members")
    assert nets.loss[8] < nets.loss[2] < nets.loss[1]
    assert nets.accuracy[8] > nets.accuracy[1]


def test_weights_of_independent_nets_have_no_useful_mean(made):
    """Units of independent nets stand for different things; along one training they keep their places."""
    alone = way(made, "one net").accuracy
    assert way(made, "mean weights of 2 nets").accuracy < alone - 0.2
    assert way(made, "mean weights of the snapshots").accuracy > alone - 0.1
    assert way(made, "mean weights of the last half").accuracy > alone - 0.1


def test_the_same_settings_give_the_same_rows(made, again):
    assert again.frame.equals(made.frame)


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 4
