"""One trial of a study: what was tried, how it ended and what it scored; plain data."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from kilter.search.dimension import Point
from kilter.search.strategies.state import Ask


@dataclass(frozen=True)
class Trial:
    """A trial that has ended.

    Attributes:
        id: number of the trial, from 0, in the order in which the strategy asked.
        point: what was tried, by name of the dimension.
        epochs: epochs behind it, with those of its parents.
        parent: the trial that it went on from, or None.
        scores: of the deciding metric on the validation rows, at the best epoch, one a seed; empty where nothing was
            trained.
        outcome: how it ended; for one that failed, why.
        seconds: its share of the time that its fleet took, with those of its parents.
        latest: as scores, but at the last epoch.
        kept: the epochs whose weights are kept, counted from 1, one a seed.
        parameters: of its network; 0 where none was built.
    """

    id: int
    point: Point
    epochs: int
    parent: int | None
    scores: tuple[float, ...]
    outcome: str
    seconds: float
    latest: tuple[float, ...] = ()
    kept: tuple[int, ...] = ()
    parameters: int = 0

    @classmethod
    def failed(cls, ask: Ask, reason: str, seconds: float = 0.0) -> "Trial":
        """A trial that could not be trained."""
        return cls(ask.id, ask.point, 0, ask.parent, (), f"failed: {reason}", seconds)

    @property
    def score(self) -> float:
        """Mean over the seeds; NaN for a trial that failed."""
        return _mean(self.scores)

    @property
    def last(self) -> float:
        """Mean over the seeds at the last epoch, as good as the networks are now; NaN for a trial that failed."""
        return _mean(self.latest)

    @property
    def ok(self) -> bool:
        """Whether it has a score."""
        return math.isfinite(self.score)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> "Trial":
        """Read a trial from plain data."""
        given: dict[str, Any] = {each.name: entry[each.name] for each in fields(cls)}
        for name in ("scores", "latest", "kept"):
            given[name] = tuple(math.nan if value is None else value for value in entry[name])
        return cls(**given)


def _mean(scores: tuple[float, ...]) -> float:
    return sum(scores) / len(scores) if scores else math.nan
