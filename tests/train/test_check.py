"""Recipes that do not fit the data are refused before anything compiles, and what is rarely meant is doubted."""

import re
import warnings

import numpy as np
import pytest

import kilter as kl
from kilter import losses, metrics, nn, optim
from kilter.core.errors import DoubtWarning, InputError
from kilter.train import fleet
from kilter.train.check import check

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(20, 6)).astype(np.float32)
CLASSES = kl.data.from_arrays(X, np.arange(20) % 4)
PAIR = kl.data.from_arrays(X, np.arange(20) % 2)
NUMBERS = kl.data.from_arrays(X, DRAW.normal(size=20))
TWO_NUMBERS = kl.data.from_arrays(X, DRAW.normal(size=(20, 2)))
LABELS = kl.data.from_arrays(X, DRAW.integers(0, 2, (20, 3)), task="labels")
IMAGES = kl.data.from_arrays(DRAW.normal(size=(20, 6, 6, 2)), np.arange(20) % 4)


def recipe(*layers, loss=None, **given):
    return kl.Recipe(nn.Chain(*layers), loss or losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(0.1), **given)


SQUARED = losses.SquaredError()
REFUSED = {
    "9 outputs for 4 classes": (
        recipe(nn.Dense(9)),
        CLASSES,
        [
            "net: gives 9 outputs, but losses.SoftmaxCrossEntropy() on 4 classes needs 4; make the last layer nn.Dense(4)"
        ],
    ),
    "outputs for two classes": (
        recipe(nn.Dense(3), loss=losses.SigmoidCrossEntropy()),
        PAIR,
        ["gives 3 outputs", "on 2 classes needs 1 or 2; make the last layer nn.Dense(1)"],
    ),
    "outputs for numbers": (
        recipe(nn.Dense(3), loss=SQUARED),
        TWO_NUMBERS,
        ["gives 3 outputs", "on targets of 2 numbers needs 2; make the last layer nn.Dense(2)"],
    ),
    "conv on flat input": (
        recipe(nn.Conv(8), nn.Flatten(), nn.Dense(4)),
        CLASSES,
        [
            "net.layers[0] nn.Conv(8",
            "): expects an input of shape (length, channels) or (height, width, channels), got (6,)",
        ],
    ),
    "pool on flat input": (
        recipe(nn.Dense(4), nn.MaxPool()),
        CLASSES,
        ["net.layers[1] nn.MaxPool(): expects", "got (4,)"],
    ),
    "window too long": (
        recipe(nn.Conv(8, 7, padding="valid"), nn.Flatten(), nn.Dense(4)),
        IMAGES,
        ["net.layers[0]", "a window that spans (7, 7) does not fit into an input of (6, 6)"],
    ),
    "groups": (
        recipe(nn.Conv(4, groups=4), nn.Flatten(), nn.Dense(4)),
        IMAGES,
        ["net.layers[0]", "groups=4 must divide both the 2 inputs and 4 units"],
    ),
    "no flatten": (
        recipe(nn.Conv(4), nn.Dense(4)),
        IMAGES,
        ["turns examples of shape (6, 6, 2) into (6, 6, 4)", "needs (4,); put nn.Flatten() before the last layer"],
    ),
    "residual": (
        recipe(nn.Dense(5), nn.Residual(nn.Dense(7)), nn.Dense(4)),
        CLASSES,
        ["net.layers[1] Residual: the body maps (5,) to (7,), but the shortcut gives (5,)", "give a shortcut"],
    ),
    "inside a residual": (
        recipe(nn.Residual(nn.Chain(nn.ReLU(), nn.Conv(4))), nn.Dense(4)),
        CLASSES,
        ["net.layers[0].body.layers[1] nn.Conv(4", "): expects an input of shape"],
    ),
    "metric of another task": (
        recipe(nn.Dense(4), metric=metrics.R2()),
        CLASSES,
        ["metric: kl.metrics.R2() is not for classes; choose one of kl.metrics.Accuracy(), "],
    ),
    "accuracy of numbers": (
        recipe(nn.Dense(1), loss=SQUARED, metric=metrics.Accuracy()),
        NUMBERS,
        ["metric: kl.metrics.Accuracy() is not for numbers; choose one of kl.metrics.R2()"],
    ),
    "targets scaled on classes": (
        recipe(nn.Dense(4), targets=kl.data.Standardize()),
        CLASSES,
        ["targets: kl.data.Standardize() scales numbers, but the targets are classes; leave it out"],
    ),
    "targets scaled on labels": (
        recipe(nn.Dense(3), loss=losses.SigmoidCrossEntropy(), targets=kl.data.MinMax()),
        LABELS,
        ["targets: kl.data.MinMax() scales numbers, but the targets are labels"],
    ),
    "softmax on numbers": (
        recipe(nn.Dense(1)),
        NUMBERS,
        ["losses.SoftmaxCrossEntropy() needs classes, but the targets are numbers: use losses.SquaredError()"],
    ),
    "sigmoid on numbers": (
        recipe(nn.Dense(1), loss=losses.SigmoidCrossEntropy()),
        NUMBERS,
        ["needs targets from 0 to 1"],
    ),
    "an empty chain": (recipe(), CLASSES, ["net: gives 6 outputs", "needs 4"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_sentence_before_any_compile(case, monkeypatch):
    wrong, data, phrases = REFUSED[case]
    monkeypatch.setattr(fleet.Fleet, "launch", lambda *given: pytest.fail("it started to train"))
    with pytest.raises(InputError) as error:
        kl.train(wrong, data, progress=False)
    for phrase in phrases:
        assert phrase in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_recipe_and_no_data():
    with pytest.raises(InputError, match=r"a kl\.Recipe is needed, got a Dense"):
        check(nn.Dense(3), CLASSES)
    with pytest.raises(InputError, match=r"data must be made by kl\.data, .*; got ndarray"):
        check(recipe(nn.Dense(4)), X)


@pytest.mark.parametrize(("recipes", "seeds"), [([], [0]), ([recipe(nn.Dense(4))], [])])
def test_an_empty_fleet_is_refused(recipes, seeds):
    with pytest.raises(InputError, match="at least one recipe and one seed are needed"):
        kl.train_fleet(recipes, CLASSES, seeds=seeds)


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True, None, 2**32])
def test_seeds_are_whole_numbers_of_32_bits(seed):
    with pytest.raises(InputError, match=re.escape(f"seed must be a whole number from 0 to 2**32 - 1, got {seed!r}")):
        kl.train(recipe(nn.Dense(4)), CLASSES, seed=seed)


def test_a_base_class_is_refused():
    with pytest.raises(InputError, match="is the base of its family"):
        nn.Layer()


DOUBTFUL = [nn.Softmax(), nn.Sigmoid(), nn.Tanh(), nn.ReLU()]


@pytest.mark.parametrize("last", DOUBTFUL, ids=repr)
def test_squashing_before_a_loss_on_logits_is_doubted(last):
    with pytest.warns(DoubtWarning) as caught:
        check(recipe(nn.Dense(4), last), CLASSES)
    sentence = (
        f"the net ends in {last!r}, but losses.SoftmaxCrossEntropy() takes logits and squashes them itself: remove"
    )
    assert [sentence in str(warning.message) for warning in caught] == [True]


@pytest.mark.parametrize(
    ("fine", "data"),
    [
        (recipe(nn.Dense(4)), CLASSES),
        (recipe(nn.Softmax(), nn.Dense(4)), CLASSES),
        (recipe(nn.Dense(4), nn.Identity()), CLASSES),
        (recipe(nn.Dense(1), nn.Sigmoid(), loss=SQUARED), PAIR),
        (recipe(nn.Dense(2), loss=losses.SigmoidCrossEntropy()), PAIR),
        (recipe(nn.Dense(3), loss=losses.SigmoidCrossEntropy(), metric=metrics.AUC()), LABELS),
        (recipe(nn.Dense(2), loss=SQUARED, targets=kl.data.Standardize(), metric=metrics.MAE()), TWO_NUMBERS),
        (recipe(nn.Conv(4), nn.AvgPool(6), nn.Flatten()), IMAGES),
    ],
)
def test_what_fits_passes_without_a_word(fine, data):
    check(fine, data)


def test_a_doubtful_recipe_trains_after_one_warning_at_the_callers_line(iris):
    doubtful = recipe(nn.Dense(3), nn.Softmax(), epochs=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = kl.train(doubtful, iris, progress=False)
    assert [warning.category for warning in caught] == [DoubtWarning]
    assert caught[0].filename == __file__
    assert run.outcome is kl.Outcome.FINISHED
