"""Rules on classes: labels that are wrong, and classes that are rare."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.facts import Facts
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import course_of, facts_of, share
from kilter.doctor.words import Cause, Severity, Symptom


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
    facts = facts_of(chart)
    if facts.classes > 1 and (facts.shares > 0).sum() == 1:
        words = f"{facts.classes} classes are known"
        yield Sign(1, 2, severity=Severity.ERROR, words=words, others=(Cause.CLASS_IMBALANCE,))


@rule(
    Symptom.LABELS_DISAGREE,
    Cause.LABEL_ERROR,
    source="total variation distance against the spread that samples of these sizes have",
    remedies=(),
    needs="rows",
    certain=True,
)
def labels_disagree(chart: Chart, *, apart: float = 0.2, deviations: float = 5.0) -> Iterator[Sign]:
    """Half the sum of the differences of the classes' shares between training and validation rows.

    It counts above 0.2, and five standard deviations above the mean of what samples of these sizes give. Where a class
    has less than a third of its share among the validation rows, the cause is imbalance rather than wrong labels, unless
    it is missing altogether.
    """
    facts = facts_of(chart)
    if facts.held_shares is None or facts.classes < 2 or (facts.shares > 0).sum() < 2:
        return
    distance = float(np.abs(facts.shares - facts.held_shares).sum() / 2)
    mean, deviation = _by_chance(facts)
    if distance > max(apart, mean + deviations * deviation):
        rare = (facts.shares > 0) & (facts.shares < facts.held_shares / 3)
        causes = (Cause.CLASS_IMBALANCE, Cause.LABEL_ERROR)
        cause, other = causes if rare.any() else causes[::-1]
        evidence = {"train": facts.shares, "validation": facts.held_shares}
        yield Sign(distance, apart, "apart", cause=cause, others=(other,), evidence=evidence)


def _by_chance(facts: Facts) -> tuple[float, float]:
    """Mean and standard deviation of that distance where both parts are samples of the same rows.

    Half a sum of the sizes of normal numbers; that the numbers sum to zero widens it by K / (K - 1) for K classes.
    """
    held = np.zeros(0) if facts.held_shares is None else facts.held_shares
    share = (facts.rows * facts.shares + facts.held * held) / (facts.rows + facts.held)
    variance = share * (1 - share) * (1 / facts.rows + 1 / facts.held)
    wider = facts.classes / (facts.classes - 1)
    mean = np.sqrt(2 / np.pi) * np.sqrt(variance).sum() / 2
    return float(mean), float(np.sqrt((1 - 2 / np.pi) * wider * variance.sum()) / 2)


@rule(
    Symptom.LABEL_NOISE,
    Cause.LABEL_ERROR,
    source="Cover and Hart 1967, nearest neighbors; Wilson 1972, edited neighbors",
    remedies=("loss",),
    needs="rows",
    certain=True,
)
def label_noise(chart: Chart, *, missed: float = 0.15, deviations: float = 4.0) -> Iterator[Sign]:
    """Share of rows whose five nearest neighbors vote for their own label, of training rows and of validation rows.

    Where labels are right both are alike; wrong training labels disagree with their neighbors, clean validation labels do
    not, neither with training rows nor with each other. It counts where validation rows agree by 0.15 more, and by four
    standard deviations.
    """
    facts = facts_of(chart)
    if facts.agreement is None:
        return
    own, held = facts.agreement
    error = np.sqrt(own * (1 - own) / facts.rows + held * (1 - held) / max(facts.held, 1))
    if held - own > max(missed, deviations * error):
        words = f"{own:.0%} of the training rows and {held:.0%} of the validation rows agree with their neighbors"
        yield Sign(held - own, missed, "apart", words=words, others=(Cause.OVERFITTING,))


@rule(
    Symptom.CLASS_IMBALANCE,
    Cause.CLASS_IMBALANCE,
    source="Buda, Maki and Mazurowski 2018, A systematic study of the class imbalance problem",
    remedies=("class_weights",),
    needs="course",
)
def class_imbalance(chart: Chart, *, ratio: float = 5.0, recall: float = 0.6) -> Iterator[Sign]:
    """How many times as frequent as the least frequent class the most frequent one is.

    Counts above 5, where the rare class is recognized in less than 60 % of its rows.
    """
    facts, course = chart.facts, course_of(chart)
    if facts is None or facts.classes < 2 or not course.recall.size or (facts.shares > 0).sum() < 2:
        return
    rare = int(np.where(facts.shares > 0, facts.shares, 2).argmin())
    apart = float(facts.shares.max() / facts.shares[rare])
    missed = ~(course.recall[:, rare] >= recall)
    if apart > ratio and missed.any():
        words = f"class {rare} is recognized in {np.nanmean(course.recall[:, rare]):.0%} of its rows"
        evidence = {"shares": facts.shares, "recall": course.recall}
        yield Sign(apart, ratio, "times as frequent", "", share(missed), words=words, evidence=evidence)
