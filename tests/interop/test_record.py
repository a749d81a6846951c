"""What stands between frameworks and rules: initializers told from weights, targets, lines, charts without a reference."""

import jax
import numpy as np
import pytest

from kilter import losses
from kilter import nn as own
from kilter.core.errors import InputError
from kilter.doctor.alone import poor
from kilter.doctor.chart import Chart, Course
from kilter.interop.chained import chained
from kilter.interop.drawn import drawn, drawn_bias
from kilter.interop.judging import Judge, dataset, encoded
from kilter.interop.line import Line
from kilter.interop.node import LAYER, SUM, Node
from kilter.interop.opaque import Opaque
from kilter.metrics import Accuracy
from kilter.nn import initializers

FAMOUS = (
    initializers.GlorotUniform(), initializers.GlorotNormal(), initializers.HeUniform(), initializers.HeNormal(),
    initializers.LeCunUniform(), initializers.LeCunNormal(),
    initializers.VarianceScaling(1 / 3, fan="in", distribution="uniform"),
)  # fmt: skip


@pytest.mark.parametrize("initializer", FAMOUS, ids=repr)
@pytest.mark.parametrize("shape", [(64, 48), (3, 3, 16, 32)])
def test_famous_initializers_are_told_from_what_they_draw(initializer, shape):
    found = drawn(np.asarray(initializer(jax.random.key(1), shape)))
    np.testing.assert_allclose(found.std(shape), initializer.std(shape), rtol=0.06)
    assert "uniform" in repr(found).lower() or "Normal" in repr(found)
    assert type(found) is type(initializer)


def test_other_weights_are_told_by_spread_and_shape():
    draw = np.random.default_rng(0)
    assert drawn(draw.normal(0, 0.9, (50, 50))).scale == pytest.approx(0.9, rel=0.05)
    assert drawn(draw.uniform(-0.9, 0.9, (50, 50))).a == pytest.approx(0.9, rel=0.05)
    assert drawn(np.zeros((4, 4))) == initializers.Zeros()
    assert drawn(np.full((4, 4), -0.3)) == initializers.Constant(-0.3)
    assert drawn_bias(None, (4, 4)) == initializers.Zeros()
    assert drawn_bias(np.full(4, -30.0), (4, 4)) == initializers.Constant(-30.0)
    assert drawn_bias(draw.uniform(-0.5, 0.5, 9), (4, 9)) == initializers.Uniform(0.5)


@pytest.mark.parametrize(
    ("y", "outputs", "loss", "task", "classes"),
    [
        (np.arange(30) % 3, 3, losses.SoftmaxCrossEntropy(), "classes", 3),
        (np.zeros(30, int), 5, losses.SoftmaxCrossEntropy(), "classes", 5),
        (np.arange(30) % 2.0, 1, losses.SigmoidCrossEntropy(), "classes", 2),
        (np.zeros((30, 1)), 1, losses.BinaryCrossEntropy(), "classes", 2),
        (np.arange(30) % 5, 1, losses.SquaredError(), "numbers", 0),
        (np.linspace(0, 1, 30)[:, None], 1, None, "numbers", 0),
        (np.eye(3)[np.arange(30) % 3], 3, losses.SquaredError(), "classes", 3),
        (np.random.default_rng(0).integers(0, 2, (30, 4)).astype(float), 4, losses.SigmoidCrossEntropy(), "labels", 0),
    ],
)
def test_targets_are_told_by_what_compares_them(y, outputs, loss, task, classes):
    data, rows = dataset(np.ones((30, 2)), y, outputs, loss, None, 0, "rows")
    assert (data.target.task, data.classes) == (task, classes)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(30))
    np.testing.assert_array_equal(data.train.y, encoded(y, data.target)[rows["train"]])


def test_maps_of_targets_have_no_dataset():
    data, rows = dataset(np.ones((30, 2)), np.ones((30, 4, 4)), 3, None, None, 0, "maps")
    assert data is None
    assert len(rows["train"]) == 30


def test_a_judge_reads_outputs_as_the_loss_does():
    y = np.arange(30) % 2
    data, _ = dataset(np.ones((30, 2)), y, 1, losses.SigmoidCrossEntropy(), None, None, "rows")
    judge = Judge(data, losses.SigmoidCrossEntropy())
    assert judge.score((2.0 * y - 1)[:, None], data.train) == 1.0
    assert judge.chance == 0.5
    np.testing.assert_allclose(judge.chance_loss, np.log(2))
    assert Judge(data, None).score((1.0 - 2 * y)[:, None], data.train) == 0.0
    assert np.isnan(judge.score(np.ones((7, 1)), data.train))


def node(layer, role, inputs, output):
    return Node(f"at{output}", "Kind", layer, role, (4,), (4,), inputs, output)


def test_ways_that_meet_in_a_sum_are_residuals():
    relu, dense = own.ReLU(), own.Dense(4)
    nodes = [
        node(dense, LAYER, (0,), 1), node(relu, LAYER, (1,), 2), node(dense, LAYER, (2,), 3),
        node(Opaque("add"), SUM, (2, 3), 4), node(dense, LAYER, (4,), 5), node(dense, LAYER, (4,), 6),
        node(relu, LAYER, (6,), 7), node(Opaque("add"), SUM, (5, 7), 8),
    ]  # fmt: skip
    assert chained(nodes, 0, 8) == own.Chain(
        dense, relu, own.Residual(own.Chain(dense)), own.Residual(own.Chain(dense, relu), own.Chain(dense))
    )
    with pytest.raises(InputError, match="adds a signal to itself"):
        chained([node(Opaque("add"), SUM, (0, 0), 1)], 0, 1)
    with pytest.raises(InputError, match="do not come from the inputs"):
        chained(nodes, 0, 99)


def test_opaque_layers_cannot_be_run():
    with pytest.raises(InputError, match="cannot run"):
        Opaque("Bilinear").apply((), (), np.ones((1, 2)))


def test_a_line_keeps_means_and_what_is_not_finite():
    line, numbers = Line(), np.random.default_rng(0).normal(size=1024)
    for number in numbers:
        line.add(float(number))
    np.testing.assert_allclose(line.bins, numbers.reshape(len(line.bins), -1).mean(1))
    assert len(line.bins) < 128
    for _ in range(16):
        line.add(float("nan"))
    assert np.isnan(line.bins[-1])


def course(loss, score):
    one = np.array([score])
    return Course(
        (0,), Accuracy(), 0.1, {"loss": np.array([loss])}, one, one, one, np.array([False]), np.zeros((1, 0)), {}
    )


@pytest.mark.parametrize(
    ("loss", "score", "bad"),
    [
        ([2.3] * 8, 0.12, True),
        ([2.3] * 8, 0.5, False),
        ([2.3, 2.3, 2.29, 2.28], np.nan, True),
        ([2.3, 1.5, 1.0, 0.8], np.nan, False),
    ],
)
def test_without_a_reference_only_what_is_clearly_bad_is(loss, score, bad):
    assert poor(Chart(None), course(loss, score)) is bad
