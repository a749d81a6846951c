"""Rules on trainings that blow up: in their first updates, or later on."""

from collections.abc import Iterator

import numpy as np

from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import course_of, middle, relative_rate, share
from kilter.doctor.words import Cause, Severity, Symptom

# Root mean square of a signal above which, in an untrained network, it has exploded.
_EXPLODED = 1e4
# Beyond these a rate (times the usual), inputs (root mean square) and targets (standard deviation) make a loss diverge.
_RATE, _INPUTS, _TARGETS = 5.0, 5.0, 10.0


@rule(
    Symptom.DIVERGED,
    Cause.LR_TOO_HIGH,
    source="LeCun, Simard and Pearlmutter 1993: above 2 / curvature the loss grows",
    remedies=("learning_rate", "inputs", "targets", "clip", "initializer", "activation"),
    needs="course",
    certain=True,
)
def diverged(chart: Chart) -> Iterator[Sign]:
    """Share of the seeds whose loss or weights became infinite or not a number.

    The cause is the untrained network where its signals explode; else the rate where it is five times the usual or more,
    inputs of a root mean square above 5, or targets of a standard deviation above 10, whichever of them comes first. The
    place is that of the first number that was not finite: the training is gone through again up to it.
    """
    gone = course_of(chart).diverged
    if gone.any():
        cause, *others = _causes(chart)
        found, broke = share(gone), course_of(chart).broke
        yield Sign(
            found, 0.0, place="" if broke is None else f"net.{broke.place}".rstrip("."), share=found,
            severity=Severity.ERROR, cause=cause, others=tuple(others), words="" if broke is None else f"first {broke}",
        )  # fmt: skip


@rule(
    Symptom.FIRST_STEPS,
    Cause.LR_TOO_HIGH,
    source="LeCun, Simard and Pearlmutter 1993: above 2 / curvature the loss grows",
    remedies=("learning_rate", "inputs", "targets", "clip", "schedule"),
    needs="steps",
)
def first_steps(chart: Chart, *, growth: float = 10.0) -> Iterator[Sign]:
    """Mean loss of updates 25 to 50 over that of the first, or of a constant prediction where that is larger.

    Counts above 10, and where it is not finite; causes as for `diverged`.
    """
    assert chart.steps is not None
    loss = chart.steps.loss
    level = np.fmax(loss[:, 0], chart.start.chance if chart.start is not None else 0.0)
    late = loss[:, loss.shape[1] // 2 :].mean(1) / np.maximum(level, 1e-12)
    found = ~(late < growth)
    if found.any():
        cause, *others = _causes(chart)
        evidence = {"loss": loss, "change": chart.steps.change}
        yield Sign(
            middle(late[found]), growth, "times the first loss", "", share(found), Severity.ERROR, cause, tuple(others),
            evidence=evidence,
        )  # fmt: skip


def _causes(chart: Chart) -> tuple[Cause, ...]:
    """What makes losses explode: what holds first, then the rest."""
    facts = chart.facts
    spread = facts.target_spread if facts is not None else np.zeros(0)
    order = [
        (Cause.EXPLODING_GRADIENT, _explodes(chart)),
        (Cause.LR_TOO_HIGH, relative_rate(chart) >= _RATE),
        (Cause.UNNORMALISED_INPUT, facts is not None and facts.size > _INPUTS),
        (Cause.UNNORMALISED_TARGET, bool(len(spread)) and float(spread.max()) > _TARGETS),
    ]
    found = [cause for cause, holds in order if holds]
    rest = [cause for cause, holds in order[1:] + order[:1] if not holds]
    return tuple(found + rest)


def _explodes(chart: Chart) -> bool:
    if chart.start is None:
        return False
    signals = chart.start.vitals.signals
    broken = np.asarray(signals.infs) + np.asarray(signals.nans)
    return bool(broken.sum() > 0 or np.asarray(signals.rms).max() > _EXPLODED)
