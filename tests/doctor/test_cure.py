"""The cure: what is proved, what is not claimed, and what bad input gets."""

import json

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError


def recipe(*layers, **changes):
    net = nn.Chain(*(layers or (nn.Dense(16), nn.ReLU())), nn.Dense(3))
    settings = {"optimizer": optim.Adam(0.01), "epochs": 40} | changes
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), **settings)


@pytest.fixture(scope="module")
def data():
    return kl.data.iris(test=0.0)


@pytest.fixture(scope="module")
def healed(data):
    return kl.cure(recipe().put("optimizer.lr", -0.01), data, seeds=3, progress=False)


def test_the_smallest_change_that_is_enough_is_taken(healed):
    assert healed.healed
    assert [remedy.name for remedy in healed.change.remedies] == ["learning_rate:absolute"]
    assert repr(healed.diff) == "optimizer.lr: -0.01 -> 0.01"
    assert healed.recipe == recipe()


def test_the_effect_is_that_of_fresh_runs(healed, data):
    """Trained again by hand with the seeds of the proof, which follow the five of the screening."""
    seeds = (5, 6, 7)
    before, after = (
        np.array([run.score for run in kl.train_fleet([each], data, seeds=seeds, progress=False)])
        for each in (healed.original, healed.recipe)
    )
    assert healed.effect.mean == pytest.approx((after - before).mean(), abs=1e-6)
    assert healed.scores == pytest.approx((before.mean(), after.mean()), abs=1e-6)


def test_the_trials_tell_everything_that_was_tried(healed):
    frame = healed.trials
    assert {"kind", "change", "score", "effect", "low", "high", "verdict", "seconds"} <= set(frame)
    assert list(frame["kind"][:2]) == ["control", "reference"]
    assert (frame["verdict"] == "proved").sum() == 1
    tried = frame["kind"].isin(["remedy", "combination"]).sum()
    assert (frame["kind"] == "random").sum() == tried  # the second control has the same budget
    assert "Make the learning rate positive" in healed.sentence
    assert "3 seeds, 95 % interval of the gain" in healed.sentence


def test_a_cure_is_saved_whole(healed, tmp_path):
    folder = healed.save(tmp_path / "cure")
    assert kl.Recipe.from_json((folder / "recipe.json").read_text()) == healed.recipe
    assert json.loads((folder / "cure.json").read_text())["sentence"] == healed.sentence
    assert len((folder / "trials.csv").read_text().splitlines()) == 1 + len(healed.rows)


def test_a_healthy_recipe_is_left_as_it_is(data):
    found = kl.cure(recipe(inputs=kl.data.Standardize()), data, seeds=2, progress=False)
    assert not found.healed
    assert found.recipe == found.original
    assert found.sentence == "Nothing is wrong with this training, so nothing was changed."
    assert not found.diff


def test_where_the_rows_are_wrong_no_recipe_is_blamed():
    x, y = np.random.default_rng(0).normal(size=(120, 4)), np.repeat([0, 1], 60)
    data = kl.data.from_arrays(x, np.zeros(120, int), validation=(x, y))
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(2))
    found = kl.cure(kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01)), data, progress=False)
    assert not found.healed
    assert found.sentence.startswith("No change of the recipe helps here, the rows must be mended")


@pytest.mark.parametrize("settings", [{"seeds": 1}, {"seeds": 5, "budget": 8}, {"seed": -1}])
def test_what_cannot_be_proved_with_is_refused(data, settings):
    with pytest.raises(InputError):
        kl.cure(recipe(), data, **settings)
