"""The examination: its verdicts, its stages and what bad input gets. What each rule finds is in tests/planted."""

import json
import warnings

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.doctor import lexicon, rules
from kilter.doctor.courses import extent, operations


def recipe(**changes):
    net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(3))
    settings = {"net": net, "optimizer": optim.Adam(0.01), "epochs": 40, "inputs": kl.data.Standardize()} | changes
    return kl.Recipe(loss=losses.SoftmaxCrossEntropy(), **settings)


@pytest.fixture(scope="module")
def data():
    return kl.data.iris(test=0.0)


@pytest.fixture(scope="module")
def run(data):
    return kl.train(recipe(), data, progress=False)


def test_what_is_hopeless_is_not_trained(data):
    check = kl.examine(recipe(optimizer=optim.Adam(-0.01)), data)
    assert (check.verdict, check.cause) == ("findings", "lr_negative")
    assert check.chart.course is None
    assert "the learning rate is negative" in str(check)


def test_findings_are_saved_as_json(data, tmp_path):
    check = kl.examine(recipe(optimizer=optim.Adam(-0.01)), data)
    told = json.loads(check.save(tmp_path / "check.json").read_text())
    assert told["verdict"] == "findings"
    assert told["findings"][0]["cause"] == "lr_negative"
    assert check.frame()["place"].iloc[0] == "optimizer.lr"


def test_a_run_is_judged_by_its_own_course(run, data):
    assert kl.examine(run).verdict == "healthy"
    assert kl.examine(run, data).verdict == "healthy"


def test_a_lost_run_is_found_without_its_rows(data):
    lost = kl.train(recipe(optimizer=optim.Adam(1e-7)), data, progress=False)
    assert kl.examine(lost).cause == "lr_too_low"


def test_noise_cannot_be_told_from_a_bad_network():
    rng = np.random.default_rng(0)
    data = kl.data.from_arrays(rng.normal(size=(200, 3)), rng.normal(size=200), validation=0.5)
    net = nn.Chain(nn.Dense(64), nn.ReLU(), nn.Dense(1))
    check = kl.examine(kl.Recipe(net, losses.SquaredError(), optimizer=optim.Adam(1e-3), epochs=30), data)
    assert check.verdict == "cannot tell"
    assert "finds anything in these rows" in str(check)


def test_few_rows_cannot_be_told_by():
    x = np.arange(6.0)[:, None]
    data = kl.data.from_arrays(x, 2 * x[:, 0], validation=0.3, task="numbers")
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(1))
    settings = {"inputs": kl.data.Standardize(), "targets": kl.data.Standardize(), "epochs": 300}
    check = kl.examine(kl.Recipe(net, losses.SquaredError(), optimizer=optim.Adam(1e-2), **settings), data)
    assert check.verdict == "cannot tell"


def test_a_long_training_is_looked_at_as_far_as_the_budget_goes(data):
    whole = extent(recipe(), data, 3, 1e12)
    assert whole.whole
    each = 3 * operations(recipe(), data)
    some = extent(recipe(), data, 3, 2.5 * each)
    assert (some.until, some.data) == (2, data)
    few = extent(recipe(batch_size=4), data, 3, 0.5 * 3 * operations(recipe(batch_size=4), data))
    assert few.until == 1
    assert len(few.data.train) == 60


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda data: kl.examine(recipe()), "needs the data"),
        (lambda data: kl.examine(recipe(), data, depth="deep"), "quick"),
        (lambda data: kl.examine(recipe().put("net.layers[2].units", 2), data), "outputs"),
    ],
)
def test_what_cannot_be_examined_is_refused_in_a_sentence(data, given, words):
    with pytest.raises(InputError, match=words):
        given(data)


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.name)
def test_every_rule_explains_itself(rule):
    text = lexicon.entry(rule.name)
    assert str(rule.symptom) in text
    assert rule.source in text
    assert len(rule.explanation) > 40
    assert all(isinstance(value, int | float) for value in rule.thresholds.values())


def test_every_remedy_that_a_rule_names_exists():
    from kilter.doctor import remedies

    assert {name.partition(":")[0] for rule in rules.ALL for name in rule.remedies} <= set(remedies.ALL)


def test_an_unknown_symptom_names_what_is_near():
    with pytest.raises(InputError, match="dead_units"):
        lexicon.entry("dead_unit")


def test_the_page_of_symptoms_is_made_from_the_rules():
    from pathlib import Path

    page = Path(__file__).parents[2] / "docs" / "symptoms.md"
    assert page.read_text() == lexicon.page(), "run: kilter explain --markdown > docs/symptoms.md"


def test_a_network_in_float64_is_examined_without_other_words(data):
    layers = nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dense(3))
    net = recipe(net=layers, optimizer=optim.SGD(1e4), epochs=10, precision="float64")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kl.examine(net, data).cause == "lr_too_high"
