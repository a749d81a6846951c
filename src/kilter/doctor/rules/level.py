"""Rules on what was learned: against a constant prediction, and against a network that is known to work."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import chance, course_of, last, middle, share
from kilter.doctor.verdict import floor, shortfall
from kilter.doctor.words import Cause, Symptom
from kilter.nn.activation import Activation
from kilter.nn.dense import Dense
from kilter.nn.dropout import Dropout
from kilter.nn.layer_norms import LayerNorm
from kilter.nn.norm import BatchNorm
from kilter.nn.reshape import Flatten

# What nets are made of that have only these units to send a signal through.
_PLAIN = (Dense, Activation, Dropout, Flatten, BatchNorm, LayerNorm)


@rule(
    Symptom.PLATEAU,
    Cause.UNDERFITTING,
    source="Goodfellow, Bengio and Courville 2016, section 8.2",
    remedies=("learning_rate", "activation", "initializer", "optimizer", "inputs", "batch_norm"),
    needs="course",
)
def plateau(chart: Chart, *, within: float = 0.02) -> Iterator[Sign]:
    """The loss of training ends within 2 % of that of a constant prediction: the network sees nothing of its inputs."""
    if chart.start is None:
        return
    ends = last(course_of(chart).history["loss"]) / chance(chart)
    found = np.abs(ends - 1) <= within
    if found.any():
        words = f"it ends at {middle(ends[found]):.3g} times that of a constant prediction"
        others = (Cause.VANISHING_GRADIENT, Cause.DEAD_RELU, Cause.LR_TOO_LOW)
        value = middle(np.abs(ends - 1)[found])
        yield Sign(value, within, "apart", "", share(found), words=words, others=others)


@rule(
    Symptom.TOO_NARROW,
    Cause.UNDERFITTING,
    source="Minsky and Papert 1969: one unit separates along one direction",
    remedies=("depth", "width"),
    needs="recipe",
)
def too_narrow(chart: Chart, *, least: int = 2) -> Iterator[Sign]:
    """No hidden layer, or one of a single unit, through which a single direction gets. Read from nets of dense layers."""
    anatomy = chart.design.anatomy
    if anatomy.head is None or not all(isinstance(organ.layer, _PLAIN) for organ in anatomy.organs):
        return
    units = {organ.label: organ.after[-1] for organ in anatomy.hidden}
    narrow = [place for place, count in units.items() if count < least]
    if narrow:
        yield Sign(units[narrow[0]], least, "units", narrow[0], others=(Cause.LR_TOO_LOW,))
    elif not units:
        yield Sign(0, 1, "hidden layers", anatomy.head.label, others=(Cause.MISSING_NONLINEARITY,))


@rule(
    Symptom.UNLEARNED_BATCH,
    Cause.UNDERFITTING,
    source="Karpathy 2019, A recipe for training neural networks: overfit one batch",
    remedies=("learning_rate", "optimizer", "activation", "initializer", "inputs", "output", "width", "depth"),
    needs="drill",
)
def unlearned_batch(chart: Chart, *, left: float = 0.5) -> Iterator[Sign]:
    """After 200 updates on one batch of at most 64 rows, the share of its first loss that is left is more than a half.

    The mean of the last ten counts, as dropout is on. Where the first loss is below that of a constant prediction, the
    share is of the latter.
    """
    assert chart.drill is not None
    loss = chart.drill.loss
    share_left = loss[:, -10:].mean(1) / np.fmax(loss[:, 0], chart.start.chance if chart.start is not None else 0.0)
    found = ~(share_left <= left)
    if found.any():
        others = (Cause.LR_TOO_LOW, Cause.LR_TOO_HIGH, Cause.VANISHING_GRADIENT, Cause.DEAD_RELU)
        value = middle(share_left[found])
        yield Sign(value, left, "of the first loss", "", share(found), others=others, evidence={"loss": loss})


@rule(
    Symptom.UNDERFITTING,
    Cause.UNDERFITTING,
    source="against a recipe that is known to work, trained at the same cost",
    remedies=(
        *("width", "depth", "epochs", "learning_rate", "optimizer", "output", "inputs", "activation", "initializer"),
        *("decay", "dropout"),
    ),
    needs="reference",
)
def underfitting(chart: Chart) -> Iterator[Sign]:
    """Score of an ordinary network of the same size and cost, less that of this one, mean over seeds."""
    course, reference = chart.course, chart.reference
    if course is None or reference is None:
        return
    lost = shortfall(course, reference)
    if lost > floor(reference):
        scores = [float(np.median(each.score)) for each in (course, reference)]
        key = course.metric.key
        words = f"{key} {scores[0]:.3g}, an ordinary network {scores[1]:.3g}"
        others = (Cause.LR_TOO_LOW, Cause.TOO_FEW_EPOCHS)
        yield Sign(lost, floor(reference), f"of {key} lost", words=words, others=others)
