"""Training with a doctor beside it."""

import json
import warnings

import jax
import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim


def recipe(**changes):
    net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dropout(0.1), nn.Dense(3))
    settings = {"optimizer": optim.Adam(0.01), "epochs": 12, "inputs": kl.data.Standardize()} | changes
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), **settings)


@pytest.fixture(scope="module")
def data():
    return kl.data.iris(test=0.0)


def test_a_watched_training_is_the_same_bit_for_bit_and_silent_where_all_is_well(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watched = kl.train(recipe(), data, watch="default", progress=False)
    plain = kl.train(recipe(), data, progress=False)
    for a, b in zip(jax.tree.leaves(watched.params), jax.tree.leaves(plain.params), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(watched.history["loss"], plain.history["loss"])
    assert watched.vitals.epochs[0] == 0


def said(**settings):
    """Run of a training, and the findings that it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = kl.train(progress=False, **settings)
    told = [each for each in caught if each.category is kl.FindingWarning]
    assert {each.filename for each in told} <= {__file__}  # at the line of the caller
    return run, [str(each.message) for each in told]


def test_what_goes_wrong_is_said_while_it_happens(data):
    _, told = said(recipe=recipe(optimizer=optim.Adam(-0.01)), data=data, watch="default")
    assert told[0].startswith("after epoch 1: optimizer.lr: the learning rate is negative")
    assert len(told) == len(set(told))


@pytest.mark.slow
def test_a_lost_run_is_cured_and_begun_again(data, tmp_path):
    run, told = said(recipe=recipe(optimizer=optim.SGD(-0.5)), data=data, heal=True, log=tmp_path / "run")
    assert told[-1].startswith("the run was lost and is begun again: Make the learning rate positive")
    assert run.score > 0.8
    assert run.recipe.optimizer == optim.SGD(0.5)
    lost, cured = (
        [json.loads(line) for line in (tmp_path / f"{name}.log.jsonl").read_text().splitlines()]
        for name in ("run", "run-cure")
    )
    assert told[-1] in [line.get("told") for line in lost]
    (joined,) = [line["joined"][0] for line in lost if "joined" in line]
    assert joined["settings"] == {"optimizer.lr": "0.5"}
    ends = [(line["member"], line["outcome"]) for line in lost if "outcome" in line]
    assert ends == [(0, "lost"), (1, "finished")]
    assert "proved" in [line.get("verdict") for line in cured]
    assert "ended" in lost[-1]
