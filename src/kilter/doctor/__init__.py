"""The doctor: says what is wrong with a training, and proves what helps."""

from kilter.doctor.attendant import FindingWarning
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import Cure, cure
from kilter.doctor.examine import examine
from kilter.doctor.finding import Finding
from kilter.doctor.healing import train
from kilter.doctor.words import Cause, Severity, Symptom

__all__ = ["Cause", "Checkup", "Cure", "Finding", "FindingWarning", "Severity", "Symptom", "cure", "examine", "train"]
