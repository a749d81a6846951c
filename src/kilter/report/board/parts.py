"""What pages of runs are made of: charts with a sentence, and tables."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """A chart: an option of Apache ECharts, what it shows in a sentence, and its height in pixels."""

    option: dict[str, Any]
    told: str
    height: int


@dataclass(frozen=True)
class Table:
    """Names of columns, the first rows, and how many there are."""

    head: list[str]
    rows: list[list[str]]
    total: int


def chart(option: dict[str, Any], told: str, height: int = 320) -> Part:
    """A chart with a legend only where there is more than one thing to tell apart."""
    if len(option["series"]) == 1:
        option = option | {"legend": {"show": False}, "grid": option["grid"] | {"top": 14}}
    return Part(option, told, height)


def wordy(settings: Any) -> str:
    """Settings as people read them."""
    if not isinstance(settings, dict):
        return ""
    return ", ".join(f"{name} {shown(value)}" for name, value in settings.items())


def shown(value: Any) -> str:
    """One value of a setting."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
