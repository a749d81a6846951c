"""What was measured of a row: kept as JSON, a file a row, and read as ratios."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Self

from contest import OWN

FOLDER = Path(__file__).parent / "results"


class Spread(NamedTuple):
    """Median, lowest and highest."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: list[float]) -> Self | None:
        """Of values, if there are any."""
        return cls(median(values), min(values), max(values)) if values else None

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lowest:.2f} to {self.highest:.2f})"


@dataclass(frozen=True)
class Measured:
    """A row's record: what `contest.hold` tells, and what it was measured on."""

    record: dict[str, Any]

    @classmethod
    def read(cls, name: str, folder: Path = FOLDER) -> Self | None:
        """Of a row, if there is one."""
        path = folder / f"{name}.json"
        return cls(json.loads(path.read_text())) if path.exists() else None

    def write(self, name: str, folder: Path = FOLDER) -> None:
        """Keep for a row, in place of what there was."""
        folder.mkdir(exist_ok=True)
        half = folder / f"{name}.part"
        half.write_text(json.dumps(self.record, indent=1) + "\n")
        half.replace(folder / f"{name}.json")

    @property
    def sides(self) -> dict[str, dict[str, Any]]:
        """All contestants."""
        return self.record.get("sides", {})

    @property
    def peers(self) -> list[str]:
        """Those that are not Kilter in one form or another."""
        return [name for name in self.sides if not name.startswith(OWN)]

    @property
    def errors(self) -> dict[str, str]:
        """By contestant, and of the row as a whole."""
        found = {name: side["error"] for name, side in self.sides.items() if "error" in side}
        return found | ({"row": self.record["error"]} if "error" in self.record else {})

    @property
    def each(self) -> float | None:
        """Median seconds of Kilter for one update, row or call."""
        times = self._times(OWN)
        return median(times) / self.record["updates"] if times else None

    @property
    def share(self) -> Spread | None:
        """Kilter's part of the machine's best matrix product."""
        flops, rates = self.record.get("flops"), self.record.get("rates")
        if not flops or not rates or OWN not in self.sides:
            return None
        pairs = zip(self.sides[OWN]["work"], rates, strict=False)
        return Spread.of([flops / own / rate for own, rate in pairs if own is not None])

    def ratio(self, name: str, kind: str = "work") -> Spread | None:
        """Times of a contestant over Kilter's, of its work or of its whole call, within rounds."""
        if name not in self.sides or OWN not in self.sides:
            return None
        pairs = zip(self.sides[name]["work"], self.sides[OWN][kind], strict=False)
        return Spread.of([other / own for other, own in pairs if other is not None and own is not None])

    @property
    def best(self) -> str | None:
        """The fastest peer."""
        ratios = {name: found.median for name in self.peers if (found := self.ratio(name)) is not None}
        return min(ratios, key=lambda name: ratios[name]) if ratios else None

    def compiling(self, name: str) -> float | None:
        """Seconds of the first call beyond those of the later ones."""
        times, first = self._times(name), self.sides.get(name, {}).get("first")
        return max(0.0, first - median(times)) if times and first is not None else None

    def _times(self, name: str) -> list[float]:
        return [value for value in self.sides.get(name, {}).get("work", []) if value is not None]
