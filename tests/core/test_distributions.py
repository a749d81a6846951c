"""Distributions in a recipe: legal where their values are, printed, compared, saved, refused by training."""

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.distributions import Distribution
from kilter.core.errors import InputError
from kilter.core.paths import walk

NAMES = {"kl": kl, "nn": nn, "optim": optim, "losses": losses}


def recipe(*layers, **given):
    given = {"optimizer": optim.SGD(0.1)} | given
    return kl.Recipe(nn.Chain(*layers), losses.SquaredError(), **given)


SPACES = [
    recipe(nn.Dense(kl.Choice(64, 128)), nn.ReLU(), nn.Dropout(kl.Uniform(0, 0.5))),
    recipe(nn.Dense(1), optimizer=optim.SGD(kl.LogUniform(1e-4, 1e-1), momentum=kl.Uniform(0.5, 0.999))),
    recipe(nn.Dense(1), optimizer=optim.Adam(0.1, b1=kl.Choice(0.5, 0.9), b2=kl.LogUniform(0.9, 0.9999))),
    recipe(nn.Conv(4, [kl.Choice(3, 5), 3], padding=kl.Choice("same", "valid", 1)), nn.BatchNorm(kl.Uniform(0, 0.9))),
    recipe(kl.Repeat(nn.Chain(nn.Dense(kl.Integer(16, 256, log=True)), nn.ReLU()), 1, 4, vary=True), nn.Dense(1)),
    recipe(kl.Choice((), nn.Dropout(0.1), (nn.ReLU(), nn.Dense(3))), kl.Choice(nn.ReLU(), nn.LeakyReLU(kl.Uniform(0, 1)))),
    recipe(kl.Choice(kl.Repeat(nn.Dense(3), 1, 2), nn.Chain(kl.Repeat(kl.Choice(nn.Dense(4), nn.Identity()), 0, 2)))),
    recipe(nn.Dense(kl.shared("width", kl.Choice(8, 16))), nn.Dense(kl.shared("width", kl.Choice(8, 16)))),
    recipe(optimizer=kl.Choice(optim.SGD(0.1), optim.Adam(kl.Choice(0.1, optim.Cosine(kl.Uniform(0.1, 0.3)))))),
    recipe(nn.Dense(1, initializer=kl.Choice(None, nn.initializers.HeNormal())), batch_size=kl.Integer(16, 64), epochs=3),
    recipe(nn.Dense(1), inputs=kl.Choice(None, kl.data.Standardize()), stopping=kl.EarlyStopping(kl.Integer(3, 9))),
    recipe(nn.Dense(1), optimizer=optim.SGD(optim.MultiStep(0.1, (kl.Uniform(0.2, 0.5), kl.Choice(0.6, 0.8))))),
]  # fmt: skip


@pytest.mark.parametrize("space", SPACES)
def test_a_space_is_a_value_as_any_other(space):
    again = kl.Recipe.from_json(space.to_json())
    assert again == space
    assert hash(again) == hash(space)
    assert eval(repr(space), NAMES) == space
    rebuilt = jax.tree.map(lambda leaf: leaf, space)
    assert rebuilt == space
    assert repr(rebuilt) == repr(space)
    assert kl.diff(rebuilt, space) == ()
    assert [other for other in SPACES if other == space] == [space]
    path = next(path for path, value in walk(space) if isinstance(value, Distribution))
    assert isinstance(space.at(path), Distribution)


def test_ends_are_named_in_a_diff():
    changed = SPACES[1].put("optimizer.lr.high", 0.2)
    assert repr(kl.diff(SPACES[1], changed)) == "optimizer.lr.high: 0.1 -> 0.2"


ENDS = st.floats(-2, 2).filter(lambda number: number != 0)


@given(ENDS, ENDS)
@settings(max_examples=100, deadline=None)
def test_a_range_is_accepted_just_where_both_ends_are(low, high):
    def legal(make):
        try:
            make()
        except InputError:
            return False
        return True

    for kind in (nn.Dropout, lambda value: optim.SGD(0.1, momentum=value), nn.LeakyReLU):
        both = low < high and legal(lambda kind=kind: kind(low)) and legal(lambda kind=kind: kind(high))
        assert legal(lambda kind=kind: kind(kl.Uniform(low, high))) == both
        assert legal(lambda kind=kind: kind(kl.Choice(low, high))) == (
            low != high and legal(lambda kind=kind: kind(low)) and legal(lambda kind=kind: kind(high))
        )


REFUSED = [
    (lambda: nn.Dropout(kl.Uniform(0, 1)), "Dropout(rate=kl.Uniform(0.0, 1.0)): rate must be at least 0 and below 1"),
    (lambda: nn.Dense(kl.Uniform(3, 9)), "Dense(units=kl.Uniform(3.0, 9.0)): units must be a whole number"),
    (lambda: nn.Dense(kl.Choice(3, 0)), "Dense(units=kl.Choice(3, 0)): units must be at least 1"),
    (lambda: nn.Dense(kl.Choice(3, kl.Choice(4, 0))), "units=kl.Choice(3, kl.Choice(4, 0))): units must be at least 1"),
    (lambda: nn.Dense(kl.shared("w", kl.Integer(0, 3))), "units must be at least 1"),
    (lambda: nn.Conv(4, (kl.Choice(3, 0), 3)), "Conv(window=(kl.Choice(3, 0), 3)): window must be at least 1"),
    (lambda: nn.Conv(4, padding=kl.Choice("same", "full")), "padding must be one of 'same', 'valid', or a whole number"),
    (lambda: optim.SGD(0.1, momentum=kl.LogUniform(0.1, 1)), "SGD(momentum=kl.LogUniform(0.1, 1.0)): momentum must be"),
    (lambda: nn.Residual(kl.Repeat(nn.Dense(3), 1, 2)), "(body=kl.Repeat(nn.Dense(3), 1, 2)): body must be a Layer"),
    (lambda: nn.Chain(nn.ReLU(), kl.Choice(nn.ReLU(), optim.SGD(1))), "layers[1] Chain(layers=kl.Choice("),
    (lambda: nn.Chain(kl.Choice((nn.ReLU(), 3), ())), "(layers=kl.Choice((nn.ReLU(), 3), ())): layers must be a Layer"),
    (lambda: recipe(nn.Dense(1), optimizer=kl.Choice(optim.SGD(1), None)), "optimizer must be an Optimizer"),
    (lambda: kl.Repeat(3, 1, 2), "Repeat(layer=3): layer must be a Value"),
    (lambda: kl.Repeat(nn.ReLU(), 2, 2), "Repeat(low=2, high=2): high must be above low"),
    (lambda: kl.Repeat(nn.ReLU(), -1, 2), "Repeat(low=-1): low must be at least 0"),
    (kl.Choice, "Choice(): at least one option is needed"),
    (lambda: kl.Choice(1, 2, 1), "Choice: options must differ, but 1 is given 2 times"),
    (lambda: kl.Choice(nn.ReLU), "options[0] Choice(options=ReLU): write ReLU(), with parentheses"),
    (lambda: kl.Choice({}), "Choice: options must be numbers, words, tuples or parts"),
    (lambda: kl.Uniform(1, 1), "Uniform(low=1.0, high=1.0): high must be above low"),
    (lambda: kl.Uniform(2, 1), "Uniform(low=2.0, high=1.0): high must be above low"),
    (lambda: kl.Uniform(0, float("inf")), "Uniform(high=inf): high must be finite"),
    (lambda: kl.Uniform(kl.Uniform(0, 1), 3), "Uniform(low=kl.Uniform(0.0, 1.0)): low must be a number that is known"),
    (lambda: kl.LogUniform(0, 1), "LogUniform(low=0): low must be above 0"),
    (lambda: kl.Integer(1.5, 3), "Integer(low=1.5): low must be a whole number"),
    (lambda: kl.Integer(0, 4, log=True), "Integer(low=0, log=True): low must be at least 1"),
    (lambda: kl.shared("two words", kl.Uniform(0, 1)), "shared('two words'): the name must be a single word"),
    (lambda: kl.shared("w", 3), "shared('w', 3): of must be a distribution, such as kl.Choice(64, 128)"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_refusals_are_one_sentence(make, sentence):
    with pytest.raises(InputError) as error:
        make()
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_training_refuses_a_space(iris):
    for space in SPACES:
        with pytest.raises(InputError, match=r"makes this recipe a search space: draw from it with kl\.Space"):
            kl.train(space, iris)
