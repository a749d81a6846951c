"""The learning-rate range test: its suggestion trains well on digits, and its curves are what they say."""

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import FileError, InputError
from kilter.report.range_curve import range_curve

NET = nn.Chain(nn.Dense(32), nn.ReLU(), nn.Dense(10))


@pytest.fixture(scope="module")
def digits():
    return kl.data.digits()


def recipe(optimizer, **given):
    return kl.Recipe(NET, losses.SoftmaxCrossEntropy(), optimizer=optimizer, batch_size=64, epochs=8, **given)


@pytest.fixture(scope="module")
def tested(digits):
    return kl.lr_range_test(recipe(optim.Adam(optim.Cosine(1e-3))), digits)


def test_the_suggestion_trains_nearly_as_well_as_the_best_of_a_grid(tested, digits):
    grid = [*np.geomspace(1e-4, 1.0, 9).tolist(), tested.suggestion, tested.low, tested.high]
    runs = kl.train_fleet([recipe(optim.Adam(lr)) for lr in grid], digits, progress=False)
    scores = [run.score for run in runs]
    *others, suggested, low, high = scores
    assert suggested > max(others) - 0.03
    # The grid has rates that learn too slowly and rates that do not learn at all; the whole range learns.
    assert min(others) < 0.8
    assert min(low, high) > max(others) - 0.1
    assert tested.low < tested.suggestion < tested.high


@pytest.mark.parametrize(
    "optimizer", [optim.SGD(0.1, momentum=0.9), optim.ClipByValue(optim.Accumulate(optim.SGD(9.0), 2))]
)
def test_other_optimizers_have_other_ranges(tested, digits, optimizer):
    found = kl.lr_range_test(recipe(optimizer), digits, seeds=[0])
    assert found.suggestion > 2 * tested.suggestion
    np.testing.assert_allclose(found.rates[[0, -1]], [1e-6, 10.0], rtol=1e-4)


def test_curves_and_frame(tested):
    assert tested.losses.shape == tested.smoothed.shape == (3, 200)
    ratios = tested.rates[1:] / tested.rates[:-1]
    np.testing.assert_allclose(ratios, (1e7) ** (1 / 199), rtol=1e-4)
    for losses_, smoothed in zip(tested.losses, tested.smoothed, strict=True):
        ended = int(np.isfinite(losses_).sum())
        assert np.isnan(losses_[ended:]).all()
        mean, expected = 0.0, []
        for t, loss in enumerate(losses_[:ended], 1):
            mean = 0.9 * mean + 0.1 * loss
            expected.append(mean / (1 - 0.9**t))
        np.testing.assert_allclose(smoothed[:ended], expected, rtol=1e-4)
        assert expected[-1] <= 4 * min(expected) * (1 + 1e-4)
    frame = tested.frame()
    assert list(frame) == ["seed", "step", "lr", "loss", "smoothed"]
    assert len(frame) == 600
    assert frame[frame.seed == 1].loss.iloc[0] == tested.losses[1, 0]


def test_the_first_losses_are_those_of_training(digits):
    """At rates too small to move, batches of the first epoch cost what a training says they do."""
    found = kl.lr_range_test(recipe(optim.SGD(0.1)), digits, low=1e-9, high=2e-9, steps=8, seeds=[3])
    run = kl.train(recipe(optim.SGD(1e-9)).replace(epochs=1), digits, seed=3, progress=False)
    assert found.losses.mean() == pytest.approx(run.history["loss"][0], rel=0.05)
    assert "never fell" in repr(found) or found.suggestion <= 2e-9


def test_it_says_what_to_use(tested):
    assert repr(tested).startswith("RangeTest(Adam, 3 seeds, rates 1e-06 to 10: use lr=")
    assert "\n" not in repr(tested)


def test_a_loss_that_never_falls_has_no_range(digits):
    found = kl.lr_range_test(recipe(optim.SGD(0.1)), digits, low=1e5, high=1e8, seeds=[0])
    assert np.isnan([found.low, found.high, found.suggestion]).all()
    assert "the loss never fell" in repr(found)
    range_curve(found)


def test_the_figure_is_written(tested, tmp_path):
    figure = range_curve(tested, tmp_path / "range.png")
    assert (tmp_path / "range.png").read_bytes().startswith(b"\x89PNG")
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[1] == f"suggestion, {tested.suggestion:.2g}"
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError):
        range_curve(tested, tmp_path / "file" / "range.png")


@pytest.mark.parametrize(
    ("optimizer", "given", "message"),
    [
        (optim.LBFGS(), {}, "finds the length of its steps by itself"),
        (optim.SGD(0.1), {"low": 1.0, "high": 0.1}, "low must be above 0 and below high"),
        (optim.SGD(0.1), {"steps": 1}, "steps at least 2"),
        (optim.SGD(0.1), {"seeds": []}, "one seed is needed"),
        (optim.SGD(0.1), {"seeds": [-1]}, "seed must be"),
    ],
)
def test_settings_that_make_no_range_are_refused(optimizer, given, message, iris):
    net = nn.Chain(nn.Dense(3))
    made = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optimizer, batch_size=500)
    with pytest.raises(InputError, match=message):
        kl.lr_range_test(made, iris, **given)
