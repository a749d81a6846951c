"""Categories as codes, from a table to a trained embedding; preprocessing of some columns; bins; one-hot rows."""

import numpy as np
import pytest
from sklearn import preprocessing as sk

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.core.values import Value

DRAW = np.random.default_rng(0)
CITIES = np.array(["Bonn", "Cologne", "Essen", "Ulm"])
WORTH = {"Bonn": 3.0, "Cologne": -1.0, "Essen": 0.5, "Ulm": -2.0}


def table(rows=120):
    city = CITIES[DRAW.integers(0, 4, rows)]
    age = DRAW.integers(20, 60, rows)
    wage = np.array([WORTH[name] for name in city]) + age / 40
    return {"age": age.tolist(), "city": city.tolist(), "wage": wage.tolist()}


def coded(columns, **given):
    return kl.data.from_table(columns, "y", validation=0, categories="codes", **given)


def test_codes_are_those_of_scikit_learn():
    columns = table()
    data = kl.data.from_table(columns, "wage", validation=0, categories="codes")
    expected = sk.OrdinalEncoder().fit_transform(np.array(columns["city"])[:, None])[:, 0]
    assert data.names == ("age", "city")
    assert data.categories == (0, 4)
    order = np.argsort(data.train.y[:, 0], kind="stable")
    np.testing.assert_array_equal(
        data.train.x[order, 1], expected[np.argsort(np.float32(columns["wage"]), kind="stable")]
    )


def test_gaps_and_rare_values_have_codes_of_their_own():
    many = [f"v{index % 43:02}" for index in range(4000)] + [None] * 5
    data = coded({"kind": many, "y": list(range(len(many)))})
    assert data.categories == (42,)  # forty levels, all others, missing
    rows = {"kind": ["v00", "v42", None, "never seen"]}
    assert data.door.enter(rows)[:, 0].tolist() == [0, 40, 41, 40]


def test_what_training_rows_did_not_have_is_unknown():
    data = coded({"kind": ["a", "b"] * 10, "y": list(range(20))})
    assert data.categories == (2,)
    assert data.door.enter({"kind": ["b", "c", None]})[:, 0].tolist() == [1, -1, -1]


def test_a_table_without_categories_has_no_codes():
    assert coded({"x": list(range(20)), "y": list(range(20))}).categories == ()
    with pytest.raises(InputError, match="categories must be 'one_hot' or 'codes', got 'code'"):
        kl.data.from_table(table(), "wage", categories="code")
    with pytest.raises(InputError, match="make it with categories='one_hot'"):
        kl.recipes.plain(coded({"kind": ["a", "b"] * 10, "y": list(range(20))}))


def test_an_embedding_learns_from_a_table_and_meets_unknown_values(tmp_path):
    data = kl.data.from_table(table(), "wage", categories="codes")
    net = nn.Chain(
        nn.Concatenate(nn.Select((0,)), nn.Chain(nn.Select(1), nn.Embedding(data.categories[1], 3))), nn.Dense(1)
    )
    inputs = kl.data.Only(0, kl.data.Standardize())
    recipe = kl.Recipe(net, losses.SquaredError(), optimizer=optim.Adam(0.05), epochs=60, inputs=inputs)
    run = kl.train(recipe, data, progress=False)
    assert run.metrics["r2"] > 0.99  # the target is linear in age and the city's worth
    again = kl.load(run.save(tmp_path / "run"))
    found = again.predict({"age": [40, 40, 40, 40, 40], "city": [*CITIES, "Paris"]})
    np.testing.assert_allclose(found[:4], [WORTH[name] + 1 for name in CITIES], atol=0.3)
    assert np.isfinite(found[4])


def test_only_some_columns_are_changed():
    x = DRAW.normal(size=(30, 4)).astype(np.float32) * 5 + 1
    weights = DRAW.random(30).astype(np.float32)
    for step in (kl.data.Standardize(), kl.data.Steps(kl.data.Robust(), kl.data.SmoothClip())):
        only = kl.data.Only((2, 0), step)
        found = only.apply(only.fit(x, weights), x)
        alone = x[:, [2, 0]]
        np.testing.assert_array_equal(found[:, [2, 0]], step.apply(step.fit(alone, weights), alone))
        np.testing.assert_array_equal(found[:, [1, 3]], x[:, [1, 3]])
        np.testing.assert_allclose(only.invert(only.fit(x), only.apply(only.fit(x), x)), x, rtol=1e-4, atol=1e-4)
        assert Value.from_json(only.to_json()) == only
    with pytest.raises(InputError, match="there is no feature 4"):
        kl.data.Only((0, 4), kl.data.Standardize()).fit(x)


def test_quantile_bins_are_numpys_quantiles():
    x = DRAW.exponential(size=(101, 2)).astype(np.float32)
    found = kl.data.quantile_bins(x, 4)
    np.testing.assert_allclose(np.array(found).T, np.quantile(x, [0, 0.25, 0.5, 0.75, 1], axis=0), rtol=1e-6)
    assert all(type(edge) is float for edges in found for edge in edges)
    uniform = sk.KBinsDiscretizer(4, strategy="quantile", quantile_method="linear").fit(x)
    np.testing.assert_allclose(np.array(found), np.stack(uniform.bin_edges_), rtol=1e-6)


def test_quantile_bins_of_values_that_repeat():
    x = np.array([[0, 3, 1e9]] * 9 + [[1, 3, 1e9]], np.float32)
    found = kl.data.quantile_bins(x, 5)
    assert (found[0][0], found[0][-1], found[1]) == (0.0, 1.0, (3.0, 4.0))
    assert len(found[0]) < 6
    layer = nn.PiecewiseLinearEmbedding(*map(nn.Bins, found))
    assert np.isfinite(layer.apply({}, (), x)[0]).all()
    for wrong, count in ((np.ones(3), 2), (np.ones((3, 2, 2)), 2), (x, 0), (x, 1.5)):
        with pytest.raises(InputError):
            kl.data.quantile_bins(wrong, count)


@pytest.mark.parametrize("labels", [["b", "a", "c", "a"], [3, 1, 2, 1], [True, False, True, True]])
def test_one_hot_and_back(labels):
    classes = sorted(set(labels))
    rows = kl.data.one_hot(labels)
    expected = np.array([[each == label for each in classes] for label in labels], np.float32)
    np.testing.assert_array_equal(rows, expected)
    assert rows.dtype == np.float32
    assert kl.data.from_one_hot(rows, classes).tolist() == labels
    np.testing.assert_array_equal(kl.data.one_hot(labels, classes[::-1]), rows[:, ::-1])
    assert kl.data.from_one_hot([[0.2, 0.7, 0.1]]).tolist() == [1]


def test_one_hot_refusals():
    with pytest.raises(InputError, match="labels holds the class 'x', unknown so far"):
        kl.data.one_hot(["x"], ["a", "b"])
    with pytest.raises(InputError, match="rows has 3 columns, but there are 2 classes"):
        kl.data.from_one_hot(np.eye(3), ["a", "b"])
    with pytest.raises(InputError, match="rows must be numbers"):
        kl.data.from_one_hot(["a"])
