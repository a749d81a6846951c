"""Rules on the end of the network: whether outputs, loss and targets belong together. Nothing is run."""

import math
from collections.abc import Iterator

from kilter.doctor.anatomy import Organ
from kilter.doctor.chart import Chart
from kilter.doctor.facts import Facts
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import facts_of
from kilter.doctor.words import Cause, Severity, Symptom
from kilter.losses import Loss
from kilter.losses.distances import Distance
from kilter.nn.activation import Bounds
from kilter.nn.sigmoids import Sigmoid
from kilter.nn.softmaxes import LogSoftmax, Softmax


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
        if _of_one(organ):
            yield Sign(1, 2, place=organ.label, severity=Severity.ERROR, others=(Cause.DEAD_RELU,))


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
    loss = chart.design.loss
    if len(squashing) > 1:
        words = " and ".join(type(organ.layer).__name__ for organ in squashing)
        yield Sign(len(squashing), 1, place=squashing[-1].label, severity=Severity.ERROR, words=words)
    elif squashing and loss is not None and loss.takes == "logits":
        causes = (Cause.DOUBLE_SOFTMAX, Cause.WRONG_OUTPUT_ACTIVATION)
        double = isinstance(squashing[0].layer, Softmax | Sigmoid)
        cause, other = causes if double else causes[::-1]
        yield Sign(1, 0, place=squashing[0].label, cause=cause, others=(other,), words=f"{loss!r} takes logits")


def _bounded(organ: Organ) -> bool:
    return _reach(organ)[1] < math.inf or _softmax(organ)


@rule(
    Symptom.OUTPUT_OUT_OF_REACH,
    Cause.WRONG_OUTPUT_ACTIVATION,
    source="Bishop 2006, section 5.2: outputs, losses and targets belong together",
    remedies=("output",),
    needs="rows",
    certain=True,
)
def output_out_of_reach(chart: Chart, *, outside: float = 0.01) -> Iterator[Sign]:
    """The last activation cannot give what the loss compares: targets in its range, or probabilities.

    For numbers: share of the distance between least and greatest target that lies outside of the activation's range. For
    losses on probabilities: whether the outputs lie in 0 to 1, and with several classes whether they sum to one.
    """
    facts, anatomy, loss = facts_of(chart), chart.design.anatomy, chart.design.loss
    last = anatomy.closing[-1] if anatomy.closing else None
    if anatomy.head is None or loss is None or (last is not None and _of_one(last)):
        return
    place = (last or anatomy.head).label
    if facts.task != "numbers":
        yield from _classes(last, place, facts, loss)
    elif loss.takes == "values":
        yield from _numbers(last, place, facts, outside)


def _numbers(last: Organ | None, place: str, facts: Facts, outside: float) -> Iterator[Sign]:
    """Whether the targets are within reach."""
    (low, high), (least, most) = _reach(last), facts.target_range
    missed = max(low - least, most - high, 0.0) / max(most - least, 1e-30)
    if outside < missed < math.inf:
        words = f"targets go from {least:.3g} to {most:.3g}, {_name(last)} gives {low:g} to {high:g}"
        yield Sign(missed, outside, "of the targets' range", place, severity=Severity.ERROR, words=words)


def _classes(last: Organ | None, place: str, facts: Facts, loss: Loss) -> Iterator[Sign]:
    """Whether the outputs are what the loss takes."""
    low, high = _reach(last)
    given = f"{_name(last)} gives {low:g} to {high:g}"
    dead = (Cause.DEAD_RELU,) if last is not None and last.layer.mortal else ()  # type: ignore[attr-defined]
    if facts.task == "labels" and _softmax(last):
        words = "several labels may be on, but shares sum to one"
        yield Sign(1, 0, place=place, severity=Severity.ERROR, words=words)
    elif loss.takes == "probabilities" and (low < 0.0 or high > 1.0):
        yield Sign(1, 0, place=place, words=f"{loss!r} takes probabilities, {given}", others=dead)
    elif loss.takes == "probabilities" and facts.classes > 2 and not _softmax(last):
        words = f"{loss!r} takes probabilities that sum to one, those of {_name(last)} do not"
        yield Sign(1, 0, place=place, words=words)
    elif loss.takes == "values" and low == 0.0 and high > 1.0:
        words = f"the classes are 0 and 1, {given} and has no gradient below"
        yield Sign(1, 0, place=place, words=words, others=(Cause.WRONG_LOSS, *dead))


def _reach(last: Organ | None) -> Bounds:
    """Least and greatest output."""
    return (-math.inf, math.inf) if last is None else last.layer.bounds  # type: ignore[attr-defined]


def _softmax(last: Organ | None) -> bool:
    return last is not None and isinstance(last.layer, Softmax | LogSoftmax)


def _of_one(organ: Organ) -> bool:
    return _softmax(organ) and organ.after[-1] == 1


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
    facts = facts_of(chart)
    if facts.task != "numbers" and isinstance(chart.design.loss, Distance):
        others = (Cause.WRONG_OUTPUT_ACTIVATION, Cause.LR_TOO_LOW)
        yield Sign(1, 0, place="loss", words=f"{chart.design.loss!r} on {facts.task}", others=others)
