"""A rule: one symptom, how it is told, and what helps; stated once, beside the function that looks for it."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kilter.doctor.finding import Finding
from kilter.doctor.words import Cause, Severity, Symptom

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sign:
    """What a rule has seen; the rule makes a `Finding` of it.

    Attributes:
        value: measured.
        threshold: that it is beyond.
        unit: of both.
        place: path of the layer or field.
        share: of the seeds that show it.
        severity: a `Severity`.
        cause: where it is not the rule's own.
        others: other causes that would explain it, likeliest first.
        words: what to add to the symptom's sentence.
        evidence: arrays by name.
    """

    value: float
    threshold: float
    unit: str = ""
    place: str = ""
    share: float = 1.0
    severity: Severity = Severity.WARNING
    cause: Cause | None = None
    others: tuple[Cause, ...] = ()
    words: str = ""
    evidence: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """One thing that is looked for.

    Attributes:
        symptom: that it tells.
        cause: its usual reason.
        source: where rule and threshold come from.
        remedies: kinds of `kilter.doctor.remedies` that help, best first.
        needs: what of a chart it looks at: ``"recipe"``, ``"rows"``, ``"start"``, ``"steps"``,
            ``"drill"``, ``"course"`` or ``"reference"``.
        certain: whether it is a mistake whatever the score, rather than a trouble only where the score is bad.
        look: the function.
    """

    symptom: Symptom
    cause: Cause
    source: str
    remedies: tuple[str, ...]
    needs: str
    certain: bool
    look: Callable[..., Iterator[Sign]]

    @property
    def name(self) -> str:
        """Name of the rule, as of its function."""
        return self.look.__name__

    @property
    def thresholds(self) -> dict[str, Any]:
        """Thresholds with their defaults."""
        given = inspect.signature(self.look).parameters.values()
        return {each.name: each.default for each in given if each.kind is each.KEYWORD_ONLY}

    @property
    def explanation(self) -> str:
        """What it is and how it is measured."""
        return inspect.getdoc(self.look) or ""

    def __call__(self, chart: Any, **thresholds: Any) -> list[Finding]:
        """Findings in a `Chart`; none where it lacks what the rule looks at."""
        if not chart.has(self.needs):
            return []
        with np.errstate(all="ignore"):
            return [self._finding(sign) for sign in self.look(chart, **thresholds)]

    def _finding(self, sign: Sign) -> Finding:
        return Finding(
            symptom=self.symptom,
            cause=sign.cause or self.cause,
            alternatives=sign.others,
            place=sign.place,
            value=float(sign.value),
            threshold=float(sign.threshold),
            unit=sign.unit,
            evidence=sign.evidence,
            share=float(sign.share),
            severity=sign.severity,
            reference=self.source,
            remedies=self.remedies,
            rule=self.name,
            words=sign.words,
        )


def rule(
    symptom: Symptom, cause: Cause, *, source: str, remedies: tuple[str, ...], needs: str, certain: bool = False
) -> Callable[[Callable[..., Iterator[Sign]]], Rule]:
    """Make a rule of a function from a chart to signs; its thresholds are keyword arguments."""
    return lambda look: Rule(symptom, cause, source, remedies, needs, certain, look)
