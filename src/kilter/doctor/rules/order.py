"""Rules on how rows were split and ordered. Nothing is run."""

from collections.abc import Iterator

from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import facts_of
from kilter.doctor.words import Cause, Severity, Symptom

# With fewer rows than this, the same rows are often meant to be both.
_FEW = 50


@rule(
    Symptom.LEAKED_VALIDATION,
    Cause.LEAKED_VALIDATION,
    source="Kaufman, Rosset and Perlich 2012, Leakage in data mining",
    remedies=(),
    needs="rows",
    certain=True,
)
def leaked_validation(chart: Chart, *, part: float = 0.05) -> Iterator[Sign]:
    """Share of the validation rows that are training rows, too, beyond the share of training rows that have a twin.

    A note where all are: then validation was meant to be the training rows.
    """
    facts = facts_of(chart)
    if facts.leaked - facts.twins > part:
        severity = Severity.NOTE if facts.leaked == 1.0 or facts.rows < _FEW else Severity.WARNING
        yield Sign(facts.leaked, part, "of the validation rows", severity=severity)


@rule(
    Symptom.NOT_SHUFFLED,
    Cause.NOT_SHUFFLED,
    source="Bengio 2012, Practical recommendations, section 3.1.1",
    remedies=("shuffle",),
    needs="rows",
)
def not_shuffled(chart: Chart, *, more: float = 2.0) -> Iterator[Sign]:
    """How often the next training row has the same class, over how often by chance, in recipes that do not shuffle."""
    runs = facts_of(chart).runs
    if not chart.design.shuffle and runs > more:
        yield Sign(runs, more, "times chance", place="shuffle", others=(Cause.LOSS_OSCILLATION,))
