"""Faults that show before a training, or in its curves alone: found at three severities, with the right cause."""

from dataclasses import replace

import numpy as np
import pytest
from planted_charts import causes, chart_of, course, data_of, found
from planted_faults import ALL as TRAINED
from planted_faults import DIGITS, classes, numbers, wave

import kilter as kl
from kilter import losses, nn, optim
from kilter.doctor import Cause, Severity, remedies, rules
from kilter.doctor.chart import Steps
from kilter.doctor.words import Symptom
from kilter.nn import initializers as draws

pytestmark = pytest.mark.filterwarnings("ignore::kilter.core.errors.DoubtWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4))
KINDS = data_of(X, (np.arange(240) * 7) % 3)
PAIRS = data_of(X, (X[:, 0] > 0).astype(int))
LABELS = data_of(X, (X[:, :3] > 0).astype(np.float32), task="labels")
SOFTMAX, CROSS, SQUARED = losses.SoftmaxCrossEntropy(), losses.CategoricalCrossEntropy(), losses.SquaredError()
HIDDEN = (nn.Dense(8), nn.ReLU())


def plain(*layers, loss=SOFTMAX, **given):
    return kl.Recipe(nn.Chain(*layers), loss, optimizer=given.pop("optimizer", None) or optim.SGD(0.1), **given)


def stack(*layers, count=1, **given):
    return plain(*(count * layers), nn.Dense(3), **given)


def within(low, high):
    """Targets between two numbers."""
    return data_of(X, np.linspace(low, high, 240)[RNG.permutation(240)])


def with_outlier(far):
    x = np.random.default_rng(2).normal(size=(240, 8))
    x[0, 2] = far
    return data_of(x, np.arange(240) % 3)


def one_of(classes):
    return data_of(X, np.zeros(240, int), held=(X[:60], np.arange(60) % classes))


def shifted(share):
    """Training rows of which a share has the first class, while validation rows have all three alike."""
    rng = np.random.default_rng(3)
    x, even = rng.normal(size=(3000, 2)), np.arange(3000) % 3
    y = np.where(rng.random(3000) < share, 0, even)
    return data_of(x, y, held=(x[2250:], even[2250:]))


def leaked(count):
    own = np.random.default_rng(1).normal(size=(60, 4))
    return data_of(X, np.arange(240) % 3, held=(np.concatenate([X[:count], own])[:60], np.arange(60) % 3))


def constant(columns):
    x = RNG.normal(size=(240, 10))
    x[:, :columns] = 1.0
    return data_of(x, np.arange(240) % 3)


def design(make, *values):
    """Charts of recipes made of three values, on the same rows; made when a test asks for them."""
    return lambda: [chart_of(make(value), KINDS) for value in values]


def rows(make, *values, net=None):
    """Charts of one recipe on rows made of three values."""
    return lambda: [chart_of(net or stack(*HIDDEN), make(value)) for value in values]


def untrained(make, *values):
    """Charts of recipes made of three values, with the untrained network."""
    return lambda: [chart_of(make(value), KINDS, start=True) for value in values]


def ended(end, loss=SOFTMAX):
    return plain(*HIDDEN, nn.Dense(3), *end, loss=loss)


def deep(activation, count=4):
    """A chain of layers whose weights have a scale."""
    return lambda scale: stack(nn.Dense(8, initializer=draws.Normal(scale)), activation, count=count)


def dying(bias):
    return stack(nn.Dense(8, bias_initializer=draws.Constant(bias)), nn.ReLU(), count=2)


def alike(value):
    return stack(nn.Dense(8, initializer=draws.Constant(value)), nn.ReLU(), count=2)


SOFTMAXES = ((nn.Softmax(),), (nn.LogSoftmax(),), (nn.Softmax(), nn.Identity()))
TANH_OUT = plain(*HIDDEN, nn.Dense(1), nn.Tanh(), loss=SQUARED)
SHARED = nn.Softmax()
BARE = (
    (nn.Dense(8), nn.Dropout(0.2), nn.Dense(8), nn.ReLU()),
    (nn.Dense(8),),
    (nn.Dense(8), nn.BatchNorm(), nn.Dense(8), nn.Identity(), nn.Dense(8)),
)
NARROW = ((*HIDDEN, nn.Dense(1), nn.ReLU()), (nn.Dense(1), nn.Tanh()), ())
BEFORE_TRAINING = {
    "no_updates": (
        Cause.LR_TOO_LOW,
        design(lambda each: stack(*HIDDEN, optimizer=each), optim.SGD(0.0), optim.Adam(0.0), optim.RMSProp(0.0)),
    ),
    "squashed_twice": (
        Cause.DOUBLE_SOFTMAX,
        design(lambda each: ended(*each), ((nn.Sigmoid(),),), ((SHARED,),), ((SHARED, SHARED), CROSS)),
    ),
    "linear_stack": (Cause.MISSING_NONLINEARITY, design(lambda each: stack(*each), *BARE)),
    "squashed_inside": (
        Cause.BAD_ACTIVATION,
        design(lambda count: stack(nn.Dense(8), nn.Softmax(), count=count), 1, 2, 4),
    ),
    "too_narrow": (Cause.UNDERFITTING, design(lambda each: stack(*each), *NARROW)),
    "loss_for_numbers": (
        Cause.WRONG_LOSS,
        design(lambda loss: ended((SHARED,), loss), SQUARED, losses.Huber(), losses.AbsoluteError()),
    ),
    "tiny_batches": (
        Cause.BATCH_NORM_STATISTICS,
        design(lambda size: stack(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), batch_size=size), 6, 3, 2),
    ),
    "dropout_before_norm": (
        Cause.DROPOUT_BEFORE_NORM,
        design(lambda rate: stack(*HIDDEN, nn.Dropout(rate), nn.BatchNorm(), *HIDDEN), 0.3, 0.5, 0.8),
    ),
    "useless_bias": (
        None,
        design(
            lambda count: stack(nn.Dense(8, bias=True), nn.BatchNorm(), nn.ReLU(), count=count, batch_size=64), 1, 2, 4
        ),
    ),
    "decayed_norms": (None, design(lambda l2: stack(*HIDDEN, penalty=losses.L2(l2, on="all")), 1e-5, 1e-4, 1e-3)),
    "output_out_of_reach": (
        Cause.WRONG_OUTPUT_ACTIVATION,
        rows(lambda ends: within(*ends), (-1, 1.2), (-5, 5), (0, 1e5), net=TANH_OUT),
    ),
    "softmax_of_one": (
        Cause.WRONG_OUTPUT_ACTIVATION,
        lambda: [chart_of(plain(*HIDDEN, nn.Dense(1), *end, loss=SQUARED), PAIRS) for end in SOFTMAXES],
    ),
    "one_class": (Cause.LABEL_ERROR, rows(one_of, 2, 3, 5)),
    "input_not_finite": (
        Cause.UNNORMALISED_INPUT,
        lambda: [chart_of(stack(*HIDDEN), KINDS, finite=part) for part in (0.9999, 0.9, 0.0)],
    ),
    "labels_disagree": (Cause.LABEL_ERROR, rows(shifted, 0.4, 0.5, 0.55)),
    "outliers": (Cause.OUTLIERS, rows(with_outlier, 150.0, 165.0, 180.0)),
    "leaked_validation": (Cause.LEAKED_VALIDATION, rows(leaked, 6, 20, 59)),
    "constant_inputs": (None, rows(constant, 6, 8, 9)),
}
UNTRAINED = {
    "symmetric_units": (Cause.BAD_INIT_SYMMETRY, untrained(alike, 0.5, 0.01, 0.0)),
    "exploding_signal": (Cause.EXPLODING_GRADIENT, untrained(deep(nn.Exponential()), 1.5, 3.0, 6.0)),
    "weights_too_large": (Cause.BAD_INIT_TOO_LARGE, untrained(deep(nn.ReLU()), 3.0, 6.0, 50.0)),
    "weights_too_small": (Cause.BAD_INIT_TOO_SMALL, untrained(deep(nn.ReLU()), 0.1, 0.03, 1e-3)),
    "loud_start": (Cause.BAD_INIT_TOO_LARGE, untrained(deep(nn.ReLU()), 3.0, 6.0, 50.0)),
    "saturated_units": (Cause.SATURATED_ACTIVATION, untrained(deep(nn.Tanh()), 3.0, 10.0, 100.0)),
    "vanishing_gradient": (Cause.VANISHING_GRADIENT, untrained(deep(nn.Sigmoid(), 6), 0.6, 0.5, 0.4)),
    "rank_collapse": (Cause.VANISHING_GRADIENT, untrained(deep(nn.Sigmoid(), 6), 0.6, 0.5, 0.4)),
    "born_dead": (Cause.DEAD_RELU, untrained(dying, -10.0, -20.0, -1000.0)),
    "frozen_layer": (Cause.DEAD_RELU, untrained(dying, -10.0, -20.0, -1000.0)),
}


EPOCHS = np.arange(30)
FALLING = 2.3 * 0.8**EPOCHS
PLACE = "net.layers[1] ReLU"
BLOWN = [
    Steps(np.full((3, 50), 2.0) * growth ** (np.arange(50) / 49), np.ones((3, 50))) for growth in (1e3, 1e9, np.inf)
]
SLOW, TURNED = 2.3 - 0.03 * EPOCHS, 1 + (EPOCHS / 30 - 0.2) ** 2
DEAD = ([0.2, 0.1, 0.95], [0.0, 1.0, 0.98], [1.0, 1.0, 1.0])
# What the chart of a plain recipe is given; numbers in the place of a design are batch sizes.
CURVES = {
    "first_steps": (Cause.LR_TOO_HIGH, [{"steps": steps} for steps in BLOWN]),
    "unlearned_batch": (
        Cause.UNDERFITTING,
        [
            {"drill": Steps(np.linspace(1.1, left, 200) + np.zeros((3, 1)), np.ones((3, 200)))}
            for left in (0.6, 0.9, 2.0)
        ],
    ),
    "batch_too_large": (
        Cause.BATCH_TOO_LARGE,
        [{"course": course(SLOW, score=0.5, train=0.5), "design": size} for size in (40, 90, 180)],
    ),
    "oscillating_loss": (
        Cause.LOSS_OSCILLATION,
        [{"course": course(FALLING + 1 + size * (-1.0) ** EPOCHS, score=0.6)} for size in (0.3, 0.6, 0.9)],
    ),
    "plateau": (
        Cause.UNDERFITTING,
        [{"course": course(np.full(30, level), score=0.1, train=0.1)} for level in (1.085, 1.09, np.log(3))],
    ),
    "underfitting": (
        Cause.UNDERFITTING,
        [{"course": course(score=score, train=score), "reference": course()} for score in (0.9, 0.6, 0.1)],
    ),
    "overfitting": (
        Cause.OVERFITTING,
        [{"course": course(FALLING, TURNED, score=score, train=1.0)} for score in (0.75, 0.5, 0.3)],
    ),
    "death_by_seed": (
        Cause.DEAD_RELU,
        [{"course": course(score=0.5, dead={PLACE: np.array(dead)})} for dead in DEAD],
    ),
    "norm_statistics": (
        Cause.BATCH_NORM_STATISTICS,
        [{"course": course(score=0.5, drift={PLACE: np.full(3, apart)})} for apart in (0.6, 2.0, 100.0)],
    ),
}


@pytest.fixture(scope="module")
def sound():
    """A chart of a healthy untrained network."""
    return chart_of(stack(*HIDDEN), KINDS, start=True)


def told(charts, rule, cause):
    """Each chart shows the fault to the rule, worse and worse, and its cause is the first."""
    signs = [found(chart, rule) for chart in charts]
    assert all(signs), [len(each) for each in signs]
    beyond = [abs(each[0].value - each[0].threshold) for each in signs]
    assert beyond == sorted(beyond), beyond
    for chart, (sign, *_) in zip(charts, signs, strict=True):
        if cause is None:
            assert sign.severity is Severity.NOTE
        else:
            assert causes(chart)[0] == cause, causes(chart)


@pytest.mark.parametrize("rule", BEFORE_TRAINING)
def test_told_from_design_and_rows(rule):
    cause, charts = BEFORE_TRAINING[rule]
    told(charts(), rule, cause)


@pytest.mark.parametrize("rule", UNTRAINED)
def test_told_from_the_untrained_network(rule):
    cause, charts = UNTRAINED[rule]
    told(charts(), rule, cause)


@pytest.mark.parametrize("rule", CURVES)
def test_told_from_curves(sound, rule):
    cause, given = CURVES[rule]
    told([replace(sound, **_batched(sound, each)) for each in given], rule, cause)


def _batched(sound, given):
    """With the design for a batch size."""
    size = given.get("design")
    return given if size is None else given | {"design": replace(sound.design, batch_size=size)}


def test_a_sound_chart_shows_nothing(sound):
    chart = replace(sound, course=course(), reference=course(), steps=Steps(np.ones((3, 50)), np.ones((3, 50))))
    assert not [finding for each in rules.ALL for finding in each(chart)]


def test_epochs_that_are_missing_are_told():
    assert causes(chart_of(stack(*HIDDEN, epochs=0), KINDS)) == (Cause.TOO_FEW_EPOCHS,)


@pytest.mark.parametrize(
    ("end", "loss", "data"),
    [
        ((nn.Dense(1), nn.ReLU()), losses.BinaryCrossEntropy(), PAIRS),
        ((nn.Dense(1), nn.ReLU()), SQUARED, PAIRS),
        ((nn.Dense(3), nn.Sigmoid()), CROSS, KINDS),
        ((nn.Dense(3),), CROSS, KINDS),
        ((nn.Dense(3), nn.Softmax()), losses.BinaryCrossEntropy(), LABELS),
        ((nn.Dense(1), nn.ReLU()), SQUARED, wave()),
    ],
)
def test_outputs_that_cannot_be_right(end, loss, data):
    chart = chart_of(plain(*HIDDEN, *end, loss=loss), data)
    assert [finding.cause for finding in found(chart, "output_out_of_reach")] == [Cause.WRONG_OUTPUT_ACTIVATION]


@pytest.mark.parametrize(
    ("end", "loss", "data"),
    [
        ((nn.Dense(1), nn.Sigmoid()), losses.BinaryCrossEntropy(), PAIRS),
        ((nn.Dense(1), nn.Sigmoid()), SQUARED, PAIRS),
        ((nn.Dense(3), nn.Softmax()), CROSS, KINDS),
        ((nn.Dense(3), nn.Sigmoid()), losses.BinaryCrossEntropy(), LABELS),
        ((nn.Dense(3),), losses.SigmoidCrossEntropy(), LABELS),
        ((nn.Dense(1), nn.Tanh()), SQUARED, within(-0.9, 0.9)),
        ((nn.Dense(1), nn.Softplus()), SQUARED, within(3.0, 50.0)),
        ((nn.Dense(2),), losses.GaussianLikelihood(), wave()),
    ],
)
def test_outputs_that_are_right(end, loss, data):
    chart = chart_of(plain(*HIDDEN, *end, loss=loss), data)
    names = ("output_out_of_reach", "squashed_twice", "softmax_of_one")
    assert not [finding for name in names for finding in found(chart, name)]


def test_a_skip_is_no_linear_stack():
    block = nn.Residual(nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(8)))
    assert not found(chart_of(plain(nn.Dense(8), nn.ReLU(), block, block, nn.Dense(3)), KINDS), "linear_stack")


def test_every_rule_is_planted_and_says_all_of_itself():
    planted = {*BEFORE_TRAINING, *UNTRAINED, *CURVES, *(fault.rule for fault in TRAINED.values())}
    assert planted == {rule.name for rule in rules.ALL}
    assert {rule.symptom for rule in rules.ALL} == set(Symptom)
    for rule in rules.ALL:
        assert set(rule.remedies) <= set(remedies.ALL), rule.name
        assert rule.explanation.endswith("."), rule.name
        assert rule.source, rule.name
        assert rule.needs in ("recipe", "rows", "start", "steps", "drill", "course", "reference"), rule.name


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.name)
def test_a_rule_without_what_it_looks_at_is_silent(rule):
    chart = chart_of(classes(), DIGITS)
    bare = replace(chart, facts=None)
    assert rule.needs == "recipe" or not rule(bare)


def test_what_diverged_at_once_still_gets_a_cause(sound):
    gone = course(np.full(1, np.nan), score=np.nan, train=np.nan, diverged=np.ones(3, bool))
    chart = replace(sound, design=replace(sound.design, optimizer=optim.SGD(50.0)), course=gone, reference=course())
    with np.errstate(all="raise"):
        assert causes(chart)[0] == Cause.LR_TOO_HIGH
    assert not found(chart, "few_updates")


def test_of_rate_and_updates_the_scarcer_is_named(sound):
    """Twenty updates at a tenth of the rate lack updates; a thousand at a thousandth lack rate."""
    slow = course(2.3 - 0.005 * EPOCHS, score=0.2, train=0.2)
    for rate, batch, epochs, cause in ((0.01, 180, 20, Cause.TOO_FEW_EPOCHS), (1e-4, 18, 100, Cause.LR_TOO_LOW)):
        design = replace(sound.design, optimizer=optim.SGD(rate), batch_size=batch, epochs=epochs)
        (finding,) = found(replace(sound, design=design, course=slow), "rate_too_low")
        assert finding.cause == cause


def test_momentum_counts_as_rate(sound):
    jumping = course(1 + 0.9 * (-1.0) ** EPOCHS, score=0.3)
    for momentum, shown in ((0.9, False), (0.99, True)):
        design = replace(sound.design, optimizer=optim.SGD(0.05, momentum=momentum))
        assert bool(found(replace(sound, design=design, course=jumping), "rate_too_high")) is shown


def test_a_penalty_is_blamed_only_where_training_rows_are_not_learned(sound):
    for train, shown in ((0.99, False), (0.5, True)):
        design = replace(sound.design, decay=0.1)
        chart = replace(sound, design=design, course=course(score=0.5, train=train), reference=course())
        assert bool(found(chart, "over_regularized")) is shown


def test_numbers_with_sound_targets_are_left_alone():
    assert not found(chart_of(numbers(), wave()), "badly_scaled_target")
