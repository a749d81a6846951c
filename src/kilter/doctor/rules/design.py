"""Rules on what was chosen: network, loss, optimizer. Nothing is run."""

import math
from collections.abc import Iterator
from typing import Any

from kilter.doctor.anatomy import Organ, is_identity
from kilter.doctor.chart import Chart
from kilter.doctor.remedies.rates import rate
from kilter.doctor.rule import Sign, rule
from kilter.doctor.words import Cause, Severity, Symptom
from kilter.losses.distances import Distance
from kilter.nn.activations import LogSoftmax, Sigmoid, Softmax
from kilter.nn.norms import BatchNorm, BatchRenorm


def _rate(chart: Chart) -> float:
    """Learning rate, of a schedule its highest; NaN where there is none that Kilter knows."""
    own = None if chart.design.optimizer is None else rate(chart.design.optimizer)
    return math.nan if own is None else float(own)


@rule(
    Symptom.NEGATIVE_RATE,
    Cause.LR_NEGATIVE,
    source="Robbins and Monro 1951: rates are positive",
    remedies=("learning_rate",),
    needs="recipe",
    certain=True,
)
def negative_rate(chart: Chart, *, least: float = 0.0) -> Iterator[Sign]:
    """The learning rate is below zero, so that the loss is made large instead of small. Read from the recipe."""
    own = _rate(chart)
    if own < least:
        yield Sign(own, least, place="optimizer.lr", severity=Severity.ERROR, others=(Cause.DIVERGING_LOSS,))


@rule(
    Symptom.NO_UPDATES,
    Cause.LR_TOO_LOW,
    source="follows from the update",
    remedies=("learning_rate", "epochs"),
    needs="recipe",
    certain=True,
)
def no_updates(chart: Chart) -> Iterator[Sign]:
    """Learning rate or epochs are zero: weights stay as they were drawn. Read from the recipe."""
    if _rate(chart) == 0.0:
        yield Sign(0.0, 0.0, place="optimizer.lr", severity=Severity.ERROR)
    if chart.design.epochs == 0:
        yield Sign(0.0, 0.0, "epochs", place="epochs", severity=Severity.ERROR, cause=Cause.TOO_FEW_EPOCHS)


@rule(
    Symptom.SOFTMAX_OF_ONE,
    Cause.WRONG_OUTPUT_ACTIVATION,
    source="follows from exp(x) / exp(x) = 1",
    remedies=("output",),
    needs="recipe",
    certain=True,
)
def softmax_of_one(chart: Chart) -> Iterator[Sign]:
    """A softmax goes over a single output: it is 1 for every row and its gradient is zero. Read from the shapes."""
    for organ in chart.design.anatomy.having("activation"):
        if isinstance(organ.layer, Softmax | LogSoftmax) and organ.after[-1] == 1:
            yield Sign(1, 2, "outputs", place=organ.label, severity=Severity.ERROR, others=(Cause.DEAD_RELU,))


@rule(
    Symptom.SQUASHED_TWICE,
    Cause.DOUBLE_SOFTMAX,
    source="Humbatova et al. 2020, taxonomy of faults; the gradient of a softmax of probabilities is next to nothing",
    remedies=("output",),
    needs="recipe",
    certain=True,
)
def squashed_twice(chart: Chart) -> Iterator[Sign]:
    """More than one bounded activation stands behind the last layer with weights, or one in front of a loss on logits.

    A loss on logits holds a squashing of its own. Read from the recipe.
    """
    squashing = [organ for organ in chart.design.anatomy.closing if _bounded(organ)]
    if len(squashing) > 1:
        yield Sign(len(squashing), 1, "in a row", place=squashing[-1].label, severity=Severity.ERROR)
    elif squashing and chart.design.loss is not None and chart.design.loss.takes == "logits":
        yield _before_logits(squashing[0], chart.design.loss)


def _before_logits(organ: Organ, loss: Any) -> Sign:
    double = isinstance(organ.layer, Softmax | Sigmoid)
    cause = Cause.DOUBLE_SOFTMAX if double else Cause.WRONG_OUTPUT_ACTIVATION
    others = (Cause.WRONG_OUTPUT_ACTIVATION if double else Cause.DOUBLE_SOFTMAX,)
    return Sign(1, 0, "too many", place=organ.label, cause=cause, others=others, words=f"{loss!r} takes logits")


def _bounded(organ: Organ) -> bool:
    return organ.layer.bounds[1] < math.inf or isinstance(organ.layer, Softmax | LogSoftmax)  # type: ignore[attr-defined]


@rule(
    Symptom.OUTPUT_OUT_OF_REACH,
    Cause.WRONG_OUTPUT_ACTIVATION,
    source="Bishop 2006, section 5.2: outputs, losses and targets belong together",
    remedies=("output",),
    needs="rows",
    certain=True,
)
def output_out_of_reach(chart: Chart, *, outside: float = 0.01) -> Iterator[Sign]:
    """The last activation cannot give what the loss compares: its range does not hold the targets, or it gives no probabilities.

    For numbers: share of the distance between least and greatest target that lies outside of the activation's range. For
    losses on probabilities: whether the outputs lie in 0 to 1, and with several classes whether they sum to one.
    """
    design, facts = chart.design, chart.facts
    assert facts is not None
    closing, loss = design.anatomy.closing, design.loss
    if design.anatomy.head is None or loss is None or (closing and _squashes_one(closing[-1])):
        return
    last = closing[-1] if closing else None
    place = (last or design.anatomy.head).label
    low, high = (-math.inf, math.inf) if last is None else last.layer.bounds  # type: ignore[attr-defined]
    if facts.task == "numbers":
        least, most = facts.target_range
        missed = max(low - least, most - high, 0.0) / max(most - least, 1e-30)
        if missed > outside and not math.isinf(missed):
            words = f"targets go from {least:.3g} to {most:.3g}, {_name(last)} gives {low:g} to {high:g}"
            yield Sign(missed, outside, "of the targets' range", place, severity=Severity.ERROR, words=words)
        return
    several = facts.task == "labels" and _softmax(last)
    if several:
        yield Sign(1, 0, "labels share", place, severity=Severity.ERROR, words="labels need not sum to one")
    elif loss.takes == "probabilities" and (low < 0.0 or high > 1.0):
        words = f"{loss!r} takes probabilities, {_name(last)} gives {low:g} to {high:g}"
        yield Sign(high if high < math.inf else low, 1.0, "", place, words=words, others=_of_dead(last))
    elif loss.takes == "probabilities" and facts.classes > 2 and not _softmax(last):
        yield Sign(1, 0, "", place, words=f"{loss!r} takes probabilities that sum to one")
    elif loss.takes == "values" and (low == 0.0 and high > 1.0):
        words = f"the classes are 0 and 1, {_name(last)} gives 0 to {high:g} and has no gradient below"
        yield Sign(high, 1.0, "", place, words=words, others=(Cause.WRONG_LOSS, Cause.DEAD_RELU))


def _of_dead(last: Organ | None) -> tuple[Cause, ...]:
    return (Cause.DEAD_RELU,) if last is not None and last.layer.mortal else ()  # type: ignore[attr-defined]


def _squashes_one(last: Organ) -> bool:
    return _softmax(last) and last.after[-1] == 1


def _softmax(last: Organ | None) -> bool:
    return last is not None and isinstance(last.layer, Softmax | LogSoftmax)


def _name(last: Organ | None) -> str:
    return "a linear output" if last is None else type(last.layer).__name__


@rule(
    Symptom.LOSS_FOR_NUMBERS,
    Cause.WRONG_LOSS,
    source="Golik, Doetsch and Ney 2013, Cross-entropy vs. squared error training",
    remedies=("output",),
    needs="rows",
)
def loss_for_numbers(chart: Chart) -> Iterator[Sign]:
    """A distance such as the squared error is made small, but the targets are classes or labels.

    Behind a sigmoid or softmax its gradient vanishes where the network is most wrong. Networks do learn with it, so it
    counts only where the score is bad. Read from the recipe.
    """
    assert chart.facts is not None
    if chart.facts.task != "numbers" and isinstance(chart.design.loss, Distance):
        others = (Cause.WRONG_OUTPUT_ACTIVATION, Cause.LR_TOO_LOW)
        yield Sign(1, 0, place="loss", words=f"{chart.design.loss!r} on {chart.facts.task}", others=others)


@rule(
    Symptom.LINEAR_STACK,
    Cause.MISSING_NONLINEARITY,
    source="Minsky and Papert 1969: a product of matrices is a matrix",
    remedies=("missing_activation",),
    needs="recipe",
)
def linear_stack(chart: Chart) -> Iterator[Sign]:
    """Two layers with weights follow each other with nothing but dropout, batch norm or a reshape between them.

    Together they can do no more than one. A bottleneck of fewer units is meant and stays silent if something non-linear stands
    elsewhere. Read from the network.
    """
    anatomy = chart.design.anatomy
    dense = [pair for pair in anatomy.pairs() if all(type(o.layer).__name__ in ("Dense", "Conv") for o in pair)]
    bare = [first for first, second in dense if not any(_bends(o) for o in anatomy.between(first, second))]
    if bare:
        words = ", ".join(organ.label for organ in bare)
        severity = Severity.ERROR if len(bare) == len(list(anatomy.pairs())) else Severity.WARNING
        yield Sign(len(bare), 0, "layers", bare[0].label, severity=severity, words=words, others=(Cause.UNDERFITTING,))


def _bends(organ: Organ) -> bool:
    """Whether a layer between two others makes them more than one."""
    if organ.role == "activation":
        return not is_identity(organ.layer)
    return organ.role == "other" and type(organ.layer).__name__ not in ("Flatten", "Reshape", "Scale")


@rule(
    Symptom.SQUASHED_INSIDE,
    Cause.BAD_ACTIVATION,
    source="Goodfellow, Bengio and Courville 2016, section 6.2.2: softmax is for outputs",
    remedies=("activation",),
    needs="recipe",
)
def squashed_inside(chart: Chart) -> Iterator[Sign]:
    """A softmax is the activation of a hidden layer: its units share one sum, and the signal shrinks with their number."""
    for organ in chart.design.anatomy.hidden_activations:
        if isinstance(organ.layer, Softmax | LogSoftmax):
            yield Sign(1, 0, place=organ.label, others=(Cause.VANISHING_GRADIENT,))


@rule(
    Symptom.DROPOUT_BEFORE_NORM,
    Cause.DROPOUT_BEFORE_NORM,
    source="Li, Chen, Hu and Yang 2019, Understanding the disharmony between dropout and batch normalization",
    remedies=("dropout",),
    needs="recipe",
)
def dropout_before_norm(chart: Chart, *, most: float = 0.2) -> Iterator[Sign]:
    """Dropout stands in front of a batch norm: the variance that the norm has learned in training is not that of inference."""
    organs = chart.design.anatomy.organs
    for first, second in zip(organs, organs[1:], strict=False):
        dropped = float(getattr(first.layer, "rate", 0.0) or 0.0) if first.role == "dropout" else 0.0
        if isinstance(second.layer, BatchNorm | BatchRenorm) and dropped > most:
            yield Sign(dropped, most, "dropped", first.label, others=(Cause.BATCH_NORM_STATISTICS,))


@rule(
    Symptom.TINY_BATCHES,
    Cause.BATCH_NORM_STATISTICS,
    source="Ioffe 2017; Wu and He 2018, Group Normalization, figure 1",
    remedies=("batch_size", "layer_norm"),
    needs="recipe",
)
def tiny_batches(chart: Chart, *, least: int = 8) -> Iterator[Sign]:
    """A batch norm takes mean and variance over fewer than 8 values a feature: rows of a batch times positions."""
    for organ in chart.design.anatomy.having("norm"):
        seen = chart.design.batch_size * math.prod(organ.before[:-1])
        if isinstance(organ.layer, BatchNorm) and seen < least:
            yield Sign(seen, least, "values", organ.label)


@rule(
    Symptom.USELESS_BIAS,
    Cause.USELESS_BIAS,
    source="Ioffe and Szegedy 2015, section 3.2",
    remedies=(),
    needs="recipe",
)
def useless_bias(chart: Chart) -> Iterator[Sign]:
    """A layer with a bias that was asked for stands right in front of a norm that takes the mean off. Harmless but wasted."""
    organs = chart.design.anatomy.organs
    for first, second in zip(organs, organs[1:], strict=False):
        if first.role == "weighted" and getattr(first.layer, "bias", None) is True and second.layer.centers:
            yield Sign(1, 0, place=first.label, severity=Severity.NOTE)


@rule(
    Symptom.DECAYED_NORMS,
    Cause.DECAY_ON_NORMS,
    source="He et al. 2019, Bag of tricks, section 3.1: no bias decay",
    remedies=("decay",),
    needs="recipe",
)
def decayed_norms(chart: Chart) -> Iterator[Sign]:
    """A penalty or decoupled decay goes over biases and norm scales, too. Costs little, and is seldom meant."""
    recipe = chart.design.recipe
    if recipe is not None and getattr(recipe.penalty, "on", "kernels") == "all":
        yield Sign(1, 0, place="penalty.on", severity=Severity.NOTE)
