"""The effect of a change: mean of paired differences with its confidence interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Effect:
    """Difference between two trainings, paired by seed and by the order of the rows.

    Attributes:
        mean: of the differences; above 0 is better.
        low: lower end of the confidence interval.
        high: upper end.
        pairs: number of seeds.
        level: of confidence.
    """

    mean: float
    low: float
    high: float
    pairs: int
    level: float = 0.95

    @classmethod
    def of(cls, after: Array, before: Array, level: float = 0.95) -> "Effect":
        """Student's interval of the mean difference; with one pair it reaches from minus to plus infinity.

        >>> import numpy as np
        >>> Effect.of(np.array([0.9, 0.8, 0.85]), np.array([0.5, 0.5, 0.5]))
        Effect(+0.35, 0.226 to 0.474 at 95 %, 3 seeds)
        """
        differences = np.asarray(after, float) - np.asarray(before, float)
        mean, count = float(differences.mean()), len(differences)
        if count < 2:
            return cls(mean, -np.inf, np.inf, count, level)
        from scipy import special  # takes long to import

        width = float(special.stdtrit(count - 1, (1 + level) / 2) * differences.std(ddof=1) / np.sqrt(count))
        return cls(mean, mean - width, mean + width, count, level)

    def helps(self, least: float = 0.0) -> bool:
        """Whether the mean is above what counts and the interval above zero."""
        return self.mean > least and self.low > 0.0

    def harms(self) -> bool:
        """Whether the interval lies below zero."""
        return self.high < 0.0

    def __repr__(self) -> str:
        interval = f"{self.low:.3g} to {self.high:.3g} at {100 * self.level:g} %"
        return f"Effect({self.mean:+.3g}, {interval}, {self.pairs} seeds)"
