"""A finding: something that is wrong, where, by how much, why, and what helps."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kilter.doctor.words import Cause, Severity, Symptom

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        symptom: what is seen; its value is a sentence.
        cause: the likeliest reason.
        alternatives: other reasons, likeliest first.
        place: path of the layer or of the field, such as ``net.layers[2]``; empty for the whole training.
        value: measured.
        threshold: beyond which it counts.
        unit: of value and threshold.
        evidence: what it was read from: arrays by name.
        share: of the seeds that show it, 0 to 1.
        severity: warning or error; notes are no findings.
        reference: source of the rule.
        remedies: kinds of remedies that help, best first (see `kilter.doctor.remedies.ALL`).
        rule: name of the rule.
        words: details of this case.
    """

    symptom: Symptom
    cause: Cause
    alternatives: tuple[Cause, ...] = ()
    place: str = ""
    value: float = float("nan")
    threshold: float = float("nan")
    unit: str = ""
    evidence: dict[str, Array] = field(default_factory=dict, compare=False, repr=False)
    share: float = 1.0
    severity: Severity = Severity.WARNING
    reference: str = ""
    remedies: tuple[str, ...] = ()
    rule: str = ""
    words: str = ""

    def __str__(self) -> str:
        return f"{self.severity}: {self.told}"

    @property
    def told(self) -> str:
        """The sentence without its severity."""
        where = f"{self.place}: " if self.place else ""
        words = f" ({self.words})" if self.words else ""
        seeds = "" if self.share >= 1.0 else f", in {self.share:.0%} of the seeds"
        return f"{where}{self.symptom}{words}{self._measured}{seeds} [{self.cause}]"

    @property
    def _measured(self) -> str:
        if not self.unit:
            return ""
        return f": {self.value:.3g} {self.unit}, threshold {self.threshold:.3g}"
