"""Spaces: their dimensions, points and recipes, the way to the unit cube and back, and opening a recipe by path."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.distributions import Distribution
from kilter.core.errors import InputError
from kilter.core.paths import walk
from kilter.search.dimension import Dimension

WIDTH = kl.shared("width", kl.Integer(16, 256, log=True))
NARROW = kl.shared("narrow", kl.Choice(1, 2))
FULL = kl.Recipe(
    nn.Chain(
        nn.Dense(WIDTH),
        kl.Choice(nn.ReLU(), nn.LeakyReLU(kl.Uniform(0, 0.3)), nn.Chain(nn.Tanh(), nn.Dropout(0.1)), nn.Chain()),
        kl.Choice((), nn.Dropout(kl.Uniform(0, 0.5)), (nn.Identity(), nn.Dense(WIDTH))),
        kl.Repeat(nn.Chain(nn.Dense(kl.Choice(8, 16, 32)), nn.ReLU()), 0, 2),
        kl.Repeat(nn.Dense(kl.Integer(3, 6)), 1, 3, vary=True),
        nn.Dense(10, bias=kl.Choice(True, False)),
    ),
    losses.SoftmaxCrossEntropy(),
    optimizer=kl.Choice(
        optim.Adam(kl.LogUniform(1e-4, 1e-1), b2=kl.Uniform(0.9, 0.9999)),
        optim.SGD(kl.Choice(0.1, optim.Cosine(kl.LogUniform(1e-3, 1))), momentum=kl.Choice(0.0, kl.Uniform(0.5, 0.99))),
    ),
    batch_size=kl.Choice(16, 32, 64),
)
SPACE = kl.Space.of(FULL)


def plain(*layers, optimizer=None, **given):
    return kl.Recipe(nn.Chain(*layers), losses.SquaredError(), optimizer=optimizer or optim.SGD(0.1), **given)


def test_dimensions_go_by_path_and_know_what_they_depend_on():
    found = {each.name: each for each in SPACE.dimensions}
    assert list(found) == [
        "width",
        "net.layers[1]",
        "net.layers[1].options[1].slope",
        "net.layers[2]",
        "net.layers[2].options[1].rate",
        "net.layers[3]",
        "net.layers[3].layer.layers[0].units",
        "net.layers[4]",
        "net.layers[4].layer[0].units",
        "net.layers[4].layer[1].units",
        "net.layers[4].layer[2].units",
        "net.layers[5].bias",
        "optimizer",
        "optimizer.options[0].lr",
        "optimizer.options[0].b2",
        "optimizer.options[1].lr",
        "optimizer.options[1].lr.options[1].lr",
        "optimizer.options[1].momentum",
        "optimizer.options[1].momentum.options[1]",
        "batch_size",
    ]
    assert found["width"].needs == ()
    assert found["net.layers[1]"].options[:2] == ("nn.ReLU", "nn.LeakyReLU")
    assert found["net.layers[3].layer.layers[0].units"].needs[0].values == (1, 2)
    assert found["net.layers[4].layer[0].units"].needs == ()
    assert found["net.layers[4].layer[2].units"].needs[0].values == (3,)
    assert found["optimizer.options[0].lr"].needs[0].values == ("optim.Adam",)
    assert found["optimizer.options[0].lr"].scale == "log"
    assert found["optimizer.options[0].b2"].scale == "complement"
    assert found["optimizer.options[1].momentum.options[1]"].scale == "complement"
    leaves = {name for name, each in found.items() if each.leaf}
    assert leaves == {
        "net.layers[1].options[1].slope",
        "net.layers[2].options[1].rate",
        "optimizer.options[0].lr",
        "optimizer.options[0].b2",
        "optimizer.options[1].lr.options[1].lr",
        "optimizer.options[1].momentum.options[1]",
    }


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_every_draw_is_a_recipe_whose_values_are_those_of_its_point(seed):
    point = SPACE.sample(seed, 1)[0]
    recipe = SPACE.build(point)
    assert recipe == SPACE.draw(seed)
    assert not [path for path, value in walk(recipe) if isinstance(value, Distribution)]
    layers = list(recipe.net.layers)
    assert layers.pop(0) == nn.Dense(point["width"])
    if point["net.layers[1]"] == "nn.Chain(nn.Tanh(), nn.Dropout(0.1))":  # the layers of a chain stand in the outer one
        assert [layers.pop(0), layers.pop(0)] == [nn.Tanh(), nn.Dropout(0.1)]
    elif point["net.layers[1]"] != "nn.Chain()":
        assert layers.pop(0).name() == point["net.layers[1]"]
    if point["net.layers[2]"] == "nn.Dropout":
        assert layers.pop(0) == nn.Dropout(point["net.layers[2].options[1].rate"])
    elif point["net.layers[2]"] != "()":
        assert [layers.pop(0), layers.pop(0)] == [nn.Identity(), nn.Dense(point["width"])]
    for _ in range(point["net.layers[3]"]):
        assert [layers.pop(0).units, layers.pop(0)] == [point["net.layers[3].layer.layers[0].units"], nn.ReLU()]
    for copy in range(point["net.layers[4]"]):
        assert layers.pop(0).units == point[f"net.layers[4].layer[{copy}].units"]
    assert layers == [nn.Dense(10, bias=point["net.layers[5].bias"])]
    assert recipe.batch_size == point["batch_size"]
    if point["optimizer"] == "optim.Adam":
        assert recipe.optimizer.b2 == point["optimizer.options[0].b2"]
        assert "optimizer.options[1].lr" not in point


@given(st.lists(st.floats(0, 1), min_size=len(SPACE.dimensions), max_size=len(SPACE.dimensions)))
@settings(max_examples=200, deadline=None)
def test_the_cube_and_back(places):
    point = SPACE.decode([places])[0]
    again = SPACE.encode([point])
    assert ((again >= 0) & (again <= 1)).all()
    for dimension, given_, found in zip(SPACE.dimensions, places, again[0], strict=True):
        if dimension.name not in point:
            assert found == 0.5
        elif not dimension.discrete:
            assert found == pytest.approx(given_, abs=1e-9)
        else:  # within the share of the cube that the value owns; shares are equal but on a logarithmic scale
            assert abs(found - given_) <= (0.5 / dimension.count + 1e-9 if dimension.scale == "linear" else 0.2)
    back = SPACE.decode(again)[0]
    assert back.keys() == point.keys()
    for dimension in SPACE.dimensions:
        if dimension.name in point:
            value = point[dimension.name]
            assert back[dimension.name] == (value if dimension.discrete else pytest.approx(value, rel=1e-9, abs=1e-12))
            assert dimension.holds(value)


DIMENSIONS = {
    "linear": (Dimension("x", -1.0, 3.0), lambda x: (x + 1) / 4),
    "log": (Dimension("x", 1e-5, 1e-1, "log"), lambda x: (np.log10(x) + 5) / 4),
    "complement": (Dimension("x", 0.9, 0.9999, "complement"), lambda x: (-1 - np.log10(1 - x)) / 3),
}


@pytest.mark.parametrize("scale", DIMENSIONS)
def test_draws_are_uniform_on_their_scale(scale):
    dimension, uniform = DIMENSIONS[scale]
    draws = np.array([dimension.decode(u) for u in np.random.default_rng(0).random(2000)])
    assert stats.kstest(uniform(draws), "uniform").pvalue > 0.01
    assert dimension.decode(0) == pytest.approx(dimension.low, rel=1e-12)
    assert dimension.decode(1) == pytest.approx(dimension.high, rel=1e-12)


def test_discrete_draws_have_the_shares_that_they_should():
    u = np.random.default_rng(1).random(6000)
    for dimension, shares in (
        (Dimension("x", 3, 8, whole=True), np.full(6, 1 / 6)),
        (Dimension("x", 0, 2, options=("a", None, 3)), np.full(3, 1 / 3)),
        (Dimension("x", 1, 4, "log", whole=True), np.log([1.5 / 0.5, 2.5 / 1.5, 3.5 / 2.5, 4.5 / 3.5]) / math.log(9)),
    ):
        drawn = [dimension.decode(place) for place in u]
        values = dimension.levels(100)
        assert len(values) == dimension.count
        assert stats.chisquare([drawn.count(value) for value in values], shares * len(u)).pvalue > 0.01


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Dense(kl.Choice(1, 2, 3)), nn.Dense(kl.Integer(1, 4))],
        [kl.Repeat(nn.Dense(kl.Choice(1, 2, 3)), 0, 3, vary=True), nn.Dense(kl.Choice(5, 6))],
        [kl.Choice(nn.ReLU(), nn.Dense(kl.Choice(1, 2)), kl.Choice(nn.Tanh(), nn.Dense(kl.Integer(11, 15))))],
        [kl.Choice(nn.ReLU(), nn.Dense(NARROW)), kl.Choice(nn.ELU(), nn.Dense(NARROW))],
    ],
)  # fmt: skip
def test_size_counts_different_points(layers):
    space = kl.Space.of(plain(*layers))
    places = [(np.arange(d.count) + 0.5) / d.count for d in space.dimensions]
    points = {tuple(sorted(point.items())) for point in space.decode(list(itertools.product(*places)))}
    assert space.size == len(points)
    assert len({repr(space.build(dict(point))) for point in points}) == len(points)


def test_a_continuous_range_makes_a_space_infinite():
    assert SPACE.size == math.inf
    many = plain(*[kl.Choice(nn.ReLU(), nn.Dense(kl.Choice(1, 2))) for _ in range(40)])
    assert kl.Space.of(many).size == 3**40


def test_a_shared_one_exists_where_any_of_its_places_does():
    width = kl.shared("width", kl.Choice(8, 16))
    space = kl.Space.of(plain(kl.Choice(nn.ReLU(), nn.Dense(width)), kl.Choice(nn.Tanh(), nn.Dense(width))))
    assert [each.name for each in space.dimensions] == ["net.layers[0]", "net.layers[1]", "width"]
    for first, second in itertools.product(("nn.ReLU", "nn.Dense"), ("nn.Tanh", "nn.Dense")):
        point = {"net.layers[0]": first, "net.layers[1]": second}
        assert space.dimensions[2].exists(point) == ("nn.Dense" in (first, second))
    both = space.build({"net.layers[0]": "nn.Dense", "net.layers[1]": "nn.Dense", "width": 16})
    assert both.net == nn.Chain(nn.Dense(16), nn.Dense(16))


def test_leaves_are_what_a_network_in_training_can_change():
    rate = kl.shared("rate", kl.Uniform(0.1, 0.2))
    clip = kl.data.SmoothClip(kl.LogUniform(1, 9))
    recipe = plain(nn.Dropout(rate), nn.Dense(kl.Integer(2, 3)), optimizer=optim.SGD(rate), inputs=clip)
    leaves = {each.name: each.leaf for each in kl.Space.of(recipe).dimensions}
    assert leaves == {"rate": True, "net.layers[1].units": False, recipe_path(recipe, kl.LogUniform): False}
    mixed = plain(nn.Dropout(rate), optimizer=optim.SGD(rate), stopping=kl.EarlyStopping(min_delta=rate))
    assert kl.Space.of(mixed).dimensions[0].leaf
    width = kl.shared("width", kl.Integer(2, 3))
    both = plain(nn.Dense(width), stopping=kl.EarlyStopping(width))
    assert not kl.Space.of(both).dimensions[0].leaf


def recipe_path(recipe, kind):
    return next(path for path, value in walk(recipe) if isinstance(value, kind))


def test_drawn_values_that_do_not_go_together_are_refused_when_built():
    schedule = optim.MultiStep(0.1, (0.2, 0.4))
    recipe = plain(
        nn.Dense(1),
        optimizer=optim.SGD(optim.Join(schedule, schedule, schedule, boundaries=(kl.Choice(0.2, 0.8), 0.5))),
    )
    space = kl.Space.of(recipe)
    name = space.dimensions[0].name
    assert space.build({name: 0.2}).at(name) == 0.2
    with pytest.raises(InputError, match=r"^optimizer\.lr Join\(boundaries=\(0\.8, 0\.5\)\): boundaries must rise"):
        space.build({name: 0.8})


SMALL = kl.Space.of(plain(nn.Dense(kl.Integer(2, 5)), kl.Choice(nn.ReLU(), nn.LeakyReLU(kl.Uniform(0, 1)))))
POINT = {"net.layers[0].units": 3, "net.layers[1]": "nn.ReLU"}
WRONG = {
    "missing": ({"net.layers[0].units": 3}, "'net.layers[1]' is missing"),
    "unknown": ({"net.layers[0].unit": 3}, "there is no 'net.layers[0].unit' in this space; near it: net"),
    "not chosen": (POINT | {"net.layers[1].options[1].slope": 0.1}, "belongs to an option that is not chosen"),
    "outside": (POINT | {"net.layers[0].units": 9}, "'net.layers[0].units' is 9, but must be from 2 to 5"),
    "no whole number": (POINT | {"net.layers[0].units": 3.0}, "'net.layers[0].units' is 3.0"),
    "no option": (POINT | {"net.layers[1]": "nn.ELU"}, "must be one of ['nn.ReLU', 'nn.LeakyReLU']"),
    "not a number": (POINT | {"net.layers[0].units": math.nan}, "must be from 2 to 5"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_points_are_refused(case):
    point, sentence = WRONG[case]
    with pytest.raises(InputError) as error:
        SMALL.build(point)
    assert sentence in str(error.value)


def test_spaces_that_are_none_are_refused():
    with pytest.raises(InputError, match="there is no distribution in this recipe; put one"):
        kl.Space.of(plain(nn.Dense(1)))
    with pytest.raises(InputError, match=r"a kl\.Recipe with distributions in it is needed, got a Chain"):
        kl.Space.of(nn.Chain(nn.Dense(kl.Choice(1, 2))))
    clash = plain(nn.Dense(kl.shared("w", kl.Choice(1, 2))), nn.Dense(kl.shared("w", kl.Choice(1, 3))))
    with pytest.raises(InputError, match=r"shared\('w'\): all places must share one distribution"):
        kl.Space.of(clash)


OPEN = plain(
    nn.Dense(8), nn.Dropout(0.1), nn.Residual(nn.Chain(nn.Dropout(0.3))), nn.Dense(1),
    optimizer=optim.Adam(optim.Cosine(0.1), weight_decay=0.1),
)  # fmt: skip


@pytest.mark.parametrize(
    ("paths", "opened"),
    [
        (["optimizer.lr.lr"], ["optimizer.lr.lr"]),
        (["net..rate"], ["net.layers[1].rate", "net.layers[2].body.layers[0].rate"]),
        (["net.layers[1]..rate"], ["net.layers[1].rate"]),
        (["..weight_decay", "..b1"], ["optimizer.weight_decay", "optimizer.b1"]),
        (["net..layers[0].rate"], ["net.layers[2].body.layers[0].rate"]),
        (["..body..rate", "net.layers[1].rate"], ["net.layers[2].body.layers[0].rate", "net.layers[1].rate"]),
    ],
)
def test_space_opens_what_its_paths_match(paths, opened):
    space = kl.space(OPEN, *paths)
    assert sorted(each.name for each in kl.Space.of(space).dimensions) == sorted(opened)
    assert sorted(change.path for change in kl.diff(OPEN, space)) == sorted(opened)


def test_opened_numbers_have_their_declared_interval_and_scale():
    found = {
        each.name: each
        for each in kl.Space.of(kl.space(OPEN, "..weight_decay", "..b1", "net.layers[1].rate")).dimensions
    }
    assert (found["optimizer.weight_decay"].low, found["optimizer.weight_decay"].high) == (1e-5, 1e-1)
    assert found["optimizer.weight_decay"].scale == "log"
    assert (found["optimizer.b1"].low, found["optimizer.b1"].high, found["optimizer.b1"].scale) == (
        0.5,
        0.99,
        "complement",
    )
    assert found["net.layers[1].rate"].scale == "linear"


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (["net..rat"], "'net..rat' matches nothing in this recipe; near it: net.layers[1].rate"),
        (["optimizer.lr"], "'optimizer.lr' is optim.Cosine(0.1); name a number in it, such as 'optimizer.lr.lr'"),
        (["net.layers[0].units"], "'net.layers[0].units': Dense declares no search interval for units"),
        ([], "kl.space needs paths"),
        (["net layers"], "'net layers' is not a path"),
    ],
)  # fmt: skip
def test_paths_that_open_nothing_are_refused(paths, sentence):
    with pytest.raises(InputError) as error:
        kl.space(OPEN, *paths)
    assert sentence in str(error.value)


def declared():
    """Every number of every registered kind that declares a search interval."""
    from kilter.core.registry import _TYPES

    for kind in _TYPES.values():
        if kind.__module__.split(".")[0] == "kilter":
            yield from ((kind, name, spec) for name, spec in kind._specs.items() if spec.search is not None)


def test_every_declared_interval_is_legal_for_its_own_field():
    found = list(declared())
    assert len(found) > 50
    for kind, name, spec in found:
        low, high = spec.search
        assert low < high, (kind, name)
        assert low in spec.range, (kind, name)
        assert high in spec.range, (kind, name)
        assert spec.scale != "log" or low > 0, (kind, name)
        assert spec.scale != "complement" or high < 1, (kind, name)
