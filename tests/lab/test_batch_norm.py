"""Batch norm trains nets from weights that are too small for plain ones, smooths the loss, and needs batches."""

import pytest

SETTINGS = {
    "scales": (0.2, 0.01),
    "batch_sizes": (2, 32),
    "depth": 4,
    "units": 32,
    "rows": 320,
    "epochs": 8,
    "updates": 120,
    "seeds": 2,
}


def accuracy(made, network, **setting):
    frame = made.frame[made.frame.network == network]
    for name, value in setting.items():
        frame = frame[frame[name] == value]
    return frame.accuracy.item()


def test_small_weights_train_with_batch_norm_alone(made):
    """Chance is 0.1: without batch norm the signal falls by 0.01 sqrt(32 / 2) = 0.04 a layer."""
    assert accuracy(made, "batch norm", scale=0.01) > 0.6
    assert accuracy(made, "plain", scale=0.01) < 0.3


def test_the_loss_is_smoother_with_batch_norm(made):
    """Mean over the updates of highest less lowest loss along the gradient."""
    seen = made.frame.dropna(subset="update")
    spread = (seen.highest - seen.lowest).groupby(seen.network).mean()
    assert (seen.highest >= seen.lowest).all()
    assert spread["batch norm"] < spread["plain"] / 2


def test_pairs_are_too_few_for_batch_norm_alone(made):
    pairs = accuracy(made, "batch norm", batch_size=2)
    assert accuracy(made, "batch norm", batch_size=32) - pairs > 0.1
    assert accuracy(made, "layer norm", batch_size=2) - pairs > 0.1


def test_means_of_batches_scatter_as_the_root_of_their_size(made):
    """Moving averages have their own error, and few batches of 32 are there: a third."""
    frame = made.frame.dropna(subset="distance")
    assert frame.distance.to_numpy() == pytest.approx(frame.predicted.to_numpy(), rel=1 / 3)


def test_every_setting_has_its_row(made):
    assert len(made.frame) == 2 * (2 + 120 + 2)


def test_the_same_seed_gives_the_same_rows(made, again):
    assert again.frame.equals(made.frame)


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 2 + 1 + 2
