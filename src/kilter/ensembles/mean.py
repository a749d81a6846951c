"""An ensemble: runs that predict as one, by the weighted mean of what each of them predicts."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kilter.core.errors import InputError
from kilter.core.plotted import Plotted
from kilter.data import arrays
from kilter.data.dataset import Dataset, Door, Part
from kilter.data.targets import Target
from kilter.metrics import Metric, describe
from kilter.train import Prediction, Run, scores

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Ensemble(Plotted):
    """What `kilter.ensemble` returns.

    Attributes:
        runs: the members.
        weights: of the members in the mean, summing to 1.
        metric: that decides.
        metrics: all metrics of the ensemble by name, on the data it was made with, named as in `Run.metrics`; empty
            without data.
        members: metrics of each member on the same rows; empty without data.
    """

    runs: tuple[Run, ...]
    weights: tuple[float, ...]
    metric: Metric
    metrics: dict[str, float] = field(default_factory=dict)
    members: tuple[dict[str, float], ...] = ()

    @property
    def score(self) -> float:
        """The deciding metric on the validation rows (training rows without such) of the data; NaN without data."""
        return self.metrics.get(self.metric.key, float("nan"))

    @property
    def target(self) -> Target:
        """What is predicted."""
        return self.runs[0].target

    @property
    def classes(self) -> tuple[Any, ...]:
        """Class values in the order of the columns of `predict_proba`."""
        return self.target.classes

    @property
    def door(self) -> Door | None:
        """How rows of a table come in; None for plain arrays."""
        return self.runs[0].door

    def spread(self, x: Any) -> Prediction:
        """Mean of the members' predictions, how far they are apart, and the noise that they have learned.

        Args:
            x: as for `Run.predict`.

        Raises:
            InputError: rows of another shape, missing columns, values that are not finite.
        """
        return Prediction.of(
            self.target, ((weight, *run.moments(x)) for weight, run in zip(self.weights, self.runs, strict=True))
        )

    def predict(self, x: Any) -> Array:
        """Class values, 0 and 1 for labels, or numbers in the target's own unit."""
        return self.spread(x).value

    def predict_proba(self, x: Any) -> Array:
        """Weighted mean of the members' probabilities, ``(rows, classes)`` or ``(rows, labels)``.

        Raises:
            InputError: the target is a number; otherwise as for `spread`.
        """
        if self.target.task == "numbers":
            raise InputError("predict_proba is for classes, but this ensemble predicts numbers; use predict or spread")
        return self.spread(x).mean

    def evaluate(self, x: Any, y: Any) -> dict[str, float]:
        """All metrics on rows of one's own; there is no loss, since members may have different ones."""
        mean = self._mean(x)
        arrays.same_length(mean, y)
        return scores.scores(mean, self.target.encode(y), np.ones(len(mean)), self.target.task, self.metric)

    def measured(self, data: Dataset) -> "Ensemble":
        """A copy with the metrics of the ensemble and of its members on a dataset."""

        def measure(part: Part) -> dict[str, float]:
            weights = scores.weights_of(part)
            return scores.scores(self._mean(part), part.y, weights, self.target.task, self.metric)

        members = tuple(replace(run, metric=self.metric).measured(data).metrics for run in self.runs)
        return replace(self, metrics=scores.by_part(data, measure), members=members)

    def save(self, folder: str | Path) -> Path:
        """Write a folder with one folder a member, whole or not at all, and return its path; `kilter.load` reads it.

        Raises:
            FileError: the folder cannot be written, or holds something else.
        """
        from kilter.ensembles.store import save  # the store builds ensembles, and one must be able to save itself

        return save(self, Path(folder))

    def __repr__(self) -> str:
        kinds = len({run.recipe for run in self.runs})
        told = f"{len(self.runs)} runs of {kinds} recipe{'s' if kinds > 1 else ''}"
        if not self.metrics:
            return f"Ensemble({told})"
        each = [member[self.metric.key] for member in self.members]
        span = f"its members {describe(min(each))} to {describe(max(each))}"
        return f"Ensemble({told}: {self.metric.key} {describe(self.score)}, {span})"

    def _mean(self, x: Any) -> Array:
        mean = self.spread(x).mean
        return mean.reshape(len(mean), -1)
