"""Every remedy over recipes of all kinds: it changes one thing, can train, saves, repeats and goes with all others."""

import random
import re

import pytest
from patients import ALL as PATIENTS
from patients import CODES, TABLE

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.doctor import remedies
from kilter.doctor.remedies.rates import rate, usual, with_rate
from kilter.train.check import check

# A factor counts again each time that it is applied.
RELATIVE = {
    *("learning_rate:x0.1", "learning_rate:x0.01", "learning_rate:x10", "learning_rate:x100"),
    *("epochs:x2", "epochs:x4", "epochs:x10", "batch_size:/4", "batch_size:/16", "batch_size:x4"),
    *("width:x2", "width:x4", "depth:half", "depth:+1", "dropout:half", "decay:x0.01"),
}
# What belongs together: outputs and their loss; the two places where weights are pulled.
TWO = {"output": {"net", "loss"}, "decay": {"optimizer", "penalty"}}
# Patients are of doubtful health.
pytestmark = pytest.mark.filterwarnings("ignore::kilter.core.errors.DoubtWarning")
CASES = pytest.mark.parametrize("name", PATIENTS)


@pytest.fixture(scope="module")
def offered():
    """Remedies that need no training, by patient."""
    return {
        name: [remedy for remedy in remedies.of(recipe, data) if not remedy.trains]
        for name, (recipe, data) in PATIENTS.items()
    }


def test_every_family_has_a_patient(offered):
    assert {remedy.family for found in offered.values() for remedy in found} == set(remedies.ALL)


@CASES
def test_it_changes_one_thing_and_can_train(name, offered):
    recipe, data = PATIENTS[name]
    assert offered[name]
    for remedy in offered[name]:
        new = remedy(recipe)
        fields = {re.split(r"[.\[]", change.path)[0] for change in kl.diff(recipe, new)}
        assert fields, remedy.name
        assert fields <= TWO.get(remedy.family, fields), remedy.name
        assert len(fields) == 1 or remedy.family in TWO, remedy.name
        check(new, data)
        assert kl.Recipe.from_json(new.to_json()) == new


@CASES
def test_it_says_what_it_does(name, offered):
    names = [remedy.name for remedy in offered[name]]
    assert len(set(names)) == len(names)
    for remedy in offered[name]:
        assert remedy.family in remedies.ALL
        assert re.fullmatch(r"[A-Z].*\.", remedy.sentence), remedy.sentence
        assert "\n" not in remedy.torch
        assert remedy.torch
        if remedy.family != "learning_rate":
            assert re.search(r"\(.*\d{4}.*\)", remedy.sentence), remedy.sentence


@CASES
def test_applied_twice_it_is_as_applied_once(name, offered):
    recipe, _ = PATIENTS[name]
    for remedy in offered[name]:
        if remedy.name not in RELATIVE:
            assert remedy(remedy(recipe)) == remedy(recipe), remedy.name


@CASES
def test_it_goes_with_every_other(name, offered):
    """All pairs can be built; a sample of them is checked against the data, which takes longer."""
    recipe, data = PATIENTS[name]
    pairs = [second(first(recipe)) for first in offered[name] for second in offered[name]]
    for both in random.Random(name).sample(pairs, min(12, len(pairs))):
        check(both, data)


@CASES
def test_all_of_them_one_after_the_other_can_train(name, offered):
    recipe, data = PATIENTS[name]
    for order in (1, -1):
        new = recipe
        for remedy in offered[name][::order]:
            new = remedy(new)
        check(new, data)


@pytest.mark.parametrize("name", ["plain", "conv"])
def test_they_can_be_planned(name, offered):
    recipe, data = PATIENTS[name]
    chosen = offered[name][::3]
    assert kl.plan([remedy(recipe) for remedy in chosen], data).members == len(chosen)


def test_names_choose():
    recipe, data = PATIENTS["deep"]
    found = remedies.of(recipe, data, ["initializer", "activation:tanh", "shuffle"])
    assert [remedy.name for remedy in found] == ["initializer:matched", "initializer:lsuv", "activation:tanh"]
    with pytest.raises(InputError, match="no remedy 'activations'; near it: activation"):
        remedies.of(recipe, data, ["activations"])


def test_a_sound_recipe_gets_no_repair():
    net = nn.Chain(nn.Dense(64), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(1e-3), inputs=kl.data.Standardize())
    data = kl.data.iris()
    repairs = [
        "output",
        "inputs",
        "targets",
        "initializer:matched",
        "missing_activation",
        "batch_norm",
        "dropout:after_norm",
    ]
    names = [
        *repairs,
        "class_weights",
        "shuffle",
        "residual",
        "learning_rate:absolute",
        "learning_rate:usual",
        "decay:none",
    ]
    assert remedies.of(recipe, data, names) == []


def test_codes_are_not_standardized():
    assert remedies.of(*PATIENTS["codes"], ["inputs"]) == []
    assert CODES.train.x.max() > 5


def test_the_head_stays():
    recipe, data = PATIENTS["softmax of one"]
    (remedy,) = remedies.of(recipe, data, ["activation:relu"])
    assert remedy(recipe).net == nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(1), nn.Softmax())


def test_outputs():
    def net_of(name, remedy):
        recipe, data = PATIENTS[name]
        (found,) = remedies.of(recipe, data, [remedy])
        new = found(recipe)
        return new.net.layers[-2:], type(new.loss)

    assert net_of("softmax of one", "output:logits") == ((nn.Tanh(), nn.Dense(1)), losses.SigmoidCrossEntropy)
    assert net_of("softmax of one", "output:activation") == ((nn.Dense(1), nn.Sigmoid()), losses.BinaryCrossEntropy)
    assert net_of("labels", "output:logits") == ((nn.Dropout(0.9), nn.Dense(3)), losses.SigmoidCrossEntropy)
    assert net_of("numbers", "output:linear") == ((nn.GELU(), nn.Dense(1)), losses.SquaredError)
    assert net_of("deep", "output:activation")[0][-1] == nn.Softmax()
    assert net_of("margins", "output:logits") == ((nn.Maxout(6), nn.Dense(3)), losses.Hinge)


def test_units_are_made_to_fit():
    """A network with as many outputs as its loss takes, but not as many as the right loss takes."""
    recipe = kl.Recipe(nn.Chain(nn.Dense(2), nn.Tanh()), losses.SquaredError(), optimizer=optim.SGD(0.1))
    data = kl.data.from_arrays(TABLE.train.x, TABLE.train.x[:, :1] > 3, task="classes")
    (found,) = remedies.of(recipe, data, ["output:logits"])
    assert found(recipe).net == nn.Chain(nn.Dense(2))
    wide = recipe.put("net.layers[0].units", 5)
    assert remedies.ALL["output"](wide, data)
    (found, *_) = remedies.ALL["output"](wide, data)
    assert found(wide).net == nn.Chain(nn.Dense(2))


def test_shortcuts_begin_as_the_identity():
    recipe, data = PATIENTS["deep"]
    (remedy,) = remedies.of(recipe, data, ["residual"])
    bodies = [layer for layer in remedy(recipe).net.layers if isinstance(layer, nn.Residual)]
    assert len(bodies) == 5
    assert bodies[0] == nn.Residual(nn.Chain(nn.Sigmoid(), nn.Dense(5, initializer=nn.initializers.Zeros())))
    (matched,) = remedies.of(remedy(recipe), data, ["initializer:matched"])
    assert matched(remedy(recipe)).net.layers[1:6] == tuple(bodies)


@pytest.mark.parametrize(
    "lr",
    [
        0.5,
        optim.Cosine(0.5),
        optim.Warmup(optim.Cosine(0.5)),
        optim.Warmup(0.5),
        optim.Join(optim.Constant(0.5), optim.Cosine(0.25), boundaries=0.5),
    ],
)
def test_rates_keep_their_schedule(lr):
    optimizer = optim.ClipByNorm(optim.Average(optim.SGD(lr)))
    new = with_rate(optimizer, 0.005)
    assert rate(optimizer) == 0.5
    assert rate(new) == 0.005
    for step in (0, 7, 60, 99):
        ratio = float(new.over(100).rate(step)), float(optimizer.over(100).rate(step))
        assert ratio[0] == pytest.approx(ratio[1] / 100, rel=1e-5)


def test_a_search_along_the_loss_gets_all_rows_and_no_noise():
    recipe, data = PATIENTS["search along the loss"]
    (remedy,) = remedies.of(recipe, data, ["batch_size", "dropout", "learning_rate", "clip", "schedule"])
    assert (remedy.name, remedy(recipe).batch_size) == ("batch_size:all", 90)


def test_usual_rates():
    assert usual(optim.SGD(9.0), losses.SoftmaxCrossEntropy()) == 0.1
    assert usual(optim.SGD(9.0), losses.SquaredError()) == 0.01
    assert usual(optim.ClipByNorm(optim.Adam(9.0)), losses.SquaredError()) == 1e-3
    assert usual(optim.LBFGS(), losses.SquaredError()) is None
