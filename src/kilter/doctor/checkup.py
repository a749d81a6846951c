"""What an examination found."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kilter.core import files
from kilter.core.plotted import Plotted
from kilter.doctor.chart import Chart
from kilter.doctor.finding import Finding
from kilter.doctor.words import Cause


@dataclass(frozen=True)
class Checkup(Plotted):
    """What an examination found, worst first.

    Attributes:
        findings: what is wrong: warnings and errors; of two of one severity that which is nearer to the root comes first.
        notes: what was seen and does no harm.
        undecided: why nothing can be said within this budget; empty where something can.
        chart: what the rules looked at.
        title: what was examined.
        seconds: that it took.
    """

    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    undecided: str
    chart: Chart
    title: str = ""
    seconds: float = 0.0

    @property
    def healthy(self) -> bool:
        """Whether all that was looked at is well."""
        return not self.findings and not self.undecided

    @property
    def verdict(self) -> str:
        """``"healthy"``, ``"findings"`` or ``"cannot tell"``."""
        if self.findings:
            return "findings"
        return "cannot tell" if self.undecided else "healthy"

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Root causes, likeliest first: those of the findings, then what else would explain them."""
        first = [finding.cause for finding in self.findings]
        others = [cause for finding in self.findings for cause in finding.alternatives]
        return tuple(dict.fromkeys(first + others))

    @property
    def cause(self) -> Cause | None:
        """The likeliest root cause; None where nothing is wrong."""
        return self.causes[0] if self.findings else None

    def frame(self) -> Any:
        """A pandas frame with a row a finding."""
        import pandas as pd  # takes long to import

        return pd.DataFrame([_plain(finding) for finding in self.findings])

    def facts(self) -> dict[str, Any]:
        """Verdict, findings and notes as plain values."""
        return {
            "title": self.title,
            "verdict": self.verdict,
            "undecided": self.undecided,
            "findings": [_plain(finding) for finding in self.findings],
            "notes": [_plain(finding) for finding in self.notes],
        }

    def save(self, file: str | Path) -> Path:
        """Write verdict, findings and notes as JSON, whole or not at all."""
        files.write(Path(file), json.dumps(self.facts(), indent=2).encode())
        return Path(file)

    def __str__(self) -> str:
        if self.findings:
            return "\n".join(map(str, self.findings))
        return f"cannot tell: {self.undecided}" if self.undecided else "healthy: nothing is wrong with this training"

    def __repr__(self) -> str:
        notes = [f"  note: {note.told}" for note in self.notes]
        head = f"Checkup({self.title}: {self.verdict}, {len(self.findings)} findings, {self.seconds:.1f} s)"
        return "\n".join([head, *(f"  {line}" for line in str(self).splitlines()), *notes])


def _plain(finding: Finding) -> dict[str, Any]:
    number = {
        name: value if value == value and abs(value) < 1e300 else None for name, value in _numbers(finding).items()
    }
    return {
        "symptom": finding.symptom.name.lower(),
        "sentence": str(finding),
        "cause": str(finding.cause),
        "alternatives": [str(cause) for cause in finding.alternatives],
        "place": finding.place,
        **number,
        "unit": finding.unit,
        "severity": str(finding.severity),
        "reference": finding.reference,
        "remedies": list(finding.remedies),
        "rule": finding.rule,
    }


def _numbers(finding: Finding) -> dict[str, float]:
    return {"value": finding.value, "threshold": finding.threshold, "share": finding.share}
