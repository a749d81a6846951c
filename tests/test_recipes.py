"""Recipes by kind of data: what they take, what they hold, and that they learn."""

import numpy as np
import pytest

import kilter as kl
from kilter import nn, recipes
from kilter.core.errors import InputError
from kilter.estimators import KilterClassifier

DRAW = np.random.default_rng(0)


def parts(recipe, kind):
    return [layer for layer in recipe.net.layers if isinstance(layer, kind)]


def test_small_tables_get_no_embeddings_and_more_decay_the_fewer_rows():
    small, larger = recipes.tabular(kl.data.wine()), recipes.tabular(kl.data.breast_cancer())
    assert not parts(small, nn.PeriodicEmbedding)
    assert small.optimizer.weight_decay > larger.optimizer.weight_decay
    assert recipes.tabular(kl.data.diabetes()).net.layers[1] == nn.Parametric(nn.Mish())


@pytest.mark.slow
def test_large_tables_get_embeddings_and_a_scale_layer_that_learns_faster():
    x = DRAW.normal(size=(3000, 4))
    y = np.sin(3 * x[:, 0]) + x[:, 1] ** 2
    data = kl.data.from_arrays(x, y, task="numbers")
    recipe = recipes.tabular(data, epochs=40)
    assert parts(recipe, nn.PeriodicEmbedding)
    assert recipe.optimizer.factors[0].factor == 6.0
    run = kl.train(recipe, data, progress=False)
    assert run.score > 0.9  # R2; a linear model gets about 0


def test_codes_become_ones_or_embeddings():
    rows = 300
    frame = {
        "few": [f"f{i % 3}" for i in range(rows)],
        "many": [f"m{i % 20}" for i in range(rows)],
        "number": DRAW.normal(size=rows).tolist(),
        "y": [i % 3 == 0 for i in range(rows)],
    }
    data = kl.data.from_table(frame, "y", categories="codes")
    recipe = recipes.suited(data, epochs=30)
    branches = recipe.net.layers[0].layers
    assert [type(branch.layers[-1]) for branch in branches] == [nn.Select, nn.OneHot, nn.Embedding]
    assert kl.train(recipe, data, progress=False).score > 0.95
    with pytest.raises(InputError, match="or take tabular"):
        recipes.plain(data)


def test_large_tables_and_small_ones_get_what_suits_them():
    assert recipes.suited(kl.data.iris()) == recipes.plain(kl.data.iris())
    large = kl.data.from_arrays(DRAW.normal(size=(3000, 4)), np.arange(3000) % 3)
    assert recipes.suited(large) == recipes.tabular(large)


def test_estimators_take_a_function_of_data():
    x, y = DRAW.normal(size=(120, 3)), np.repeat(["a", "b", "c"], 40)
    x[:, 0] += 3 * (np.arange(120) // 40)
    model = KilterClassifier(recipe=lambda data: recipes.tabular(data, epochs=150), random_state=0).fit(x, y)
    assert model.run_.recipe.epochs == 150
    assert model.score(x, y) > 0.9
    with pytest.raises(InputError, match="a function that makes one of data"):
        KilterClassifier(recipe=lambda data: None).fit(x, y)
