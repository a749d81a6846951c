"""Rules on the rows: inputs, targets and labels, as they reach the network. Nothing is run."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.facts import Facts
from kilter.doctor.rule import Sign, rule
from kilter.doctor.words import Cause, Severity, Symptom


def _facts(chart: Chart) -> Facts:
    assert chart.facts is not None
    return chart.facts


@rule(
    Symptom.INPUT_NOT_FINITE,
    Cause.UNNORMALISED_INPUT,
    source="IEEE 754: not a number in, not a number out",
    remedies=(),
    needs="rows",
    certain=True,
)
def input_not_finite(chart: Chart) -> Iterator[Sign]:
    """Share of the input values that are infinite or not a number. One of them makes all weights not a number."""
    share = 1.0 - _facts(chart).finite
    if share > 0.0:
        yield Sign(share, 0.0, "of the values", severity=Severity.ERROR, others=(Cause.DIVERGING_LOSS,))


@rule(
    Symptom.ONE_CLASS,
    Cause.LABEL_ERROR,
    source="Humbatova et al. 2020, taxonomy of faults: wrong labels",
    remedies=(),
    needs="rows",
    certain=True,
)
def one_class(chart: Chart) -> Iterator[Sign]:
    """All training rows have one class, though there are more: labels were scaled, cut or cast. Counted."""
    facts = _facts(chart)
    if facts.classes > 1 and (facts.shares > 0).sum() == 1:
        words = f"{facts.classes} classes are known"
        yield Sign(1, 2, "class", severity=Severity.ERROR, words=words, others=(Cause.CLASS_IMBALANCE,))


@rule(
    Symptom.LABELS_DISAGREE,
    Cause.LABEL_ERROR,
    source="total variation distance against the spread that samples of these sizes have",
    remedies=(),
    needs="rows",
)
def labels_disagree(chart: Chart, *, apart: float = 0.2, deviations: float = 5.0) -> Iterator[Sign]:
    """Half the sum of the differences of the classes' shares between training and validation rows.

    It counts above 0.2, and above five standard deviations of what samples of these sizes give. Where the training rows alone
    are uneven it is imbalance, a rule of its own.
    """
    facts = _facts(chart)
    if facts.held_shares is None or facts.classes < 2 or (facts.shares > 0).sum() < 2:
        return
    distance = float(np.abs(facts.shares - facts.held_shares).sum() / 2)
    by_chance = float(np.sqrt(facts.held_shares * (1 - facts.held_shares)).sum() / 2)
    by_chance *= np.sqrt(1 / facts.rows + 1 / max(facts.held, 1))
    if distance > max(apart, deviations * by_chance):
        uneven = facts.shares.max() > 3 * facts.held_shares.max()
        cause, other = Cause.LABEL_ERROR, Cause.CLASS_IMBALANCE
        cause, other = (other, cause) if uneven or facts.shares.min() < facts.held_shares.min() / 3 else (cause, other)
        evidence = {"train": facts.shares, "validation": facts.held_shares}
        yield Sign(distance, apart, "apart", cause=cause, others=(other,), evidence=evidence)


@rule(
    Symptom.LABEL_NOISE,
    Cause.LABEL_ERROR,
    source="Cover and Hart 1967, nearest neighbors; Wilson 1972, edited neighbors",
    remedies=("loss",),
    needs="rows",
)
def label_noise(chart: Chart, *, missed: float = 0.15, deviations: float = 4.0) -> Iterator[Sign]:
    """Share of rows whose five nearest training rows vote for their own label, on training rows and on validation rows.

    Where labels are right both are alike; wrong training labels disagree with their neighbors, clean validation labels do not.
    It counts where validation rows agree by 0.15 more, and by four standard deviations.
    """
    agreement = _facts(chart).agreement
    if agreement is None:
        return
    own, held = agreement
    error = np.sqrt(own * (1 - own) / _facts(chart).rows + held * (1 - held) / max(_facts(chart).held, 1))
    if held - own > max(missed, deviations * error):
        words = f"{own:.0%} of the training rows and {held:.0%} of the validation rows agree with their neighbors"
        yield Sign(held - own, missed, "apart", words=words, others=(Cause.OVERFITTING,))


@rule(
    Symptom.BADLY_SCALED_TARGET,
    Cause.UNNORMALISED_TARGET,
    source="LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.3, for targets",
    remedies=("targets", "loss"),
    needs="rows",
)
def badly_scaled_target(chart: Chart, *, large: float = 10.0, small: float = 0.01) -> Iterator[Sign]:
    """Standard deviation, or mean, of the target as the loss sees it: far from 1 and 0, as outputs of a fresh network are not.

    Numbers only. Counts above 10 and below 0.01.
    """
    facts = _facts(chart)
    if facts.task != "numbers":
        return
    spread, center = float(facts.target_spread.max()), float(np.abs(facts.target_center).max())
    others = (Cause.LR_TOO_LOW, Cause.UNNORMALISED_INPUT)
    if max(spread, center) > large:
        words = f"mean {center:.3g}, standard deviation {spread:.3g}"
        yield Sign(max(spread, center), large, place="targets", words=words, others=others)
    elif 0.0 < spread < small:
        yield Sign(spread, small, place="targets", others=others)


@rule(
    Symptom.BADLY_SCALED_INPUT,
    Cause.UNNORMALISED_INPUT,
    source="LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.3",
    remedies=("inputs", "batch_norm"),
    needs="rows",
)
def badly_scaled_input(chart: Chart, *, large: float = 5.0, small: float = 0.05, apart: float = 20.0) -> Iterator[Sign]:
    """Root mean square of the inputs as they reach the network, and how far columns differ in it.

    Initial weights are drawn for inputs of about 1. Counts above 5, below 0.05, and where columns that vary are 20 times apart.
    """
    facts = _facts(chart)
    spreads = np.sqrt(facts.spread**2 + facts.center**2)
    varying = spreads[facts.spread > 0]
    ratio = float(varying.max() / varying.min()) if len(varying) and len(facts.spread) < 1000 else 1.0
    evidence = {"mean": facts.center, "std": facts.spread}
    others = (Cause.LR_TOO_HIGH,) if facts.size > large else (Cause.LR_TOO_LOW, Cause.VANISHING_GRADIENT)
    if facts.size > large or facts.size < small:
        threshold = large if facts.size > large else small
        yield Sign(facts.size, threshold, "rms", "inputs", others=others, evidence=evidence)
    elif ratio > apart and float(varying.max()) > 1.0 / small**0.5:
        yield Sign(ratio, apart, "times apart", "inputs", others=(Cause.LR_TOO_HIGH,), evidence=evidence)


@rule(
    Symptom.OUTLIERS,
    Cause.OUTLIERS,
    source="Tukey 1977, fences at 1.5 and 3 times the distance of the quartiles",
    remedies=("inputs", "clip"),
    needs="rows",
)
def outliers(chart: Chart, *, far: float = 100.0) -> Iterator[Sign]:
    """Distance of the farthest value of a column from its median, in distances of its quartiles; above 100 it counts."""
    farthest = _facts(chart).farthest
    if len(farthest) and farthest.max() > far:
        column = int(farthest.argmax())
        words = f"column {column}"
        yield Sign(float(farthest[column]), far, "quartile distances", "inputs", words=words)


@rule(
    Symptom.CONSTANT_INPUTS,
    Cause.CONSTANT_INPUT,
    source="a column that never changes is a second bias",
    remedies=("inputs",),
    needs="rows",
)
def constant_inputs(chart: Chart, *, share: float = 0.5) -> Iterator[Sign]:
    """Share of the columns that have one value in all training rows; images have such pixels, so above a half it is noted."""
    facts = _facts(chart)
    flat = float((facts.spread == 0).mean())
    if flat == 1.0:
        yield Sign(flat, share, "of the columns", "inputs", severity=Severity.ERROR)
    elif flat > share:
        yield Sign(flat, share, "of the columns", "inputs", severity=Severity.NOTE)


@rule(
    Symptom.LEAKED_VALIDATION,
    Cause.LEAKED_VALIDATION,
    source="Kaufman, Rosset and Perlich 2012, Leakage in data mining",
    remedies=(),
    needs="rows",
)
def leaked_validation(chart: Chart, *, share: float = 0.05) -> Iterator[Sign]:
    """Share of the validation rows that are training rows, too, beyond the share of training rows that have a twin.

    A note where all are: then validation was meant to be the training rows.
    """
    facts = _facts(chart)
    if facts.leaked - facts.twins > share:
        whole = facts.leaked == 1.0
        severity = Severity.NOTE if whole or facts.rows < 50 else Severity.WARNING
        yield Sign(facts.leaked, share, "of the validation rows", severity=severity)


@rule(
    Symptom.NOT_SHUFFLED,
    Cause.NOT_SHUFFLED,
    source="Bengio 2012, Practical recommendations, section 3.1.1",
    remedies=("shuffle",),
    needs="rows",
)
def not_shuffled(chart: Chart, *, more: float = 2.0) -> Iterator[Sign]:
    """How often the next training row has the same class, over how often it would by chance, in recipes that do not shuffle."""
    runs = _facts(chart).runs
    if not chart.design.shuffle and runs > more:
        yield Sign(runs, more, "times chance", place="shuffle", others=(Cause.LOSS_OSCILLATION,))
