"""A chart: all that is known of one training when the rules look at it, whichever framework it runs in."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kilter.doctor.anatomy import Anatomy
from kilter.doctor.facts import Facts
from kilter.losses import Loss
from kilter.metrics import Metric
from kilter.optim.optimizer import Optimizer
from kilter.train.recipe import Recipe
from kilter.vitals import NonFinite, Places, Vitals

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Design:
    """What was chosen before anything ran.

    Attributes:
        anatomy: the network's layers.
        loss: or None where it is none that Kilter knows.
        optimizer: the same.
        batch_size: rows of an update.
        epochs: passes over the rows.
        decay: strength of the pull on the weights, as the factor lambda of lambda w in the gradient.
        shuffle: whether rows come in a new order in every epoch.
        recipe: all of it, where there is one.
    """

    anatomy: Anatomy
    loss: Loss | None
    optimizer: Optimizer | None
    batch_size: int
    epochs: int
    decay: float = 0.0
    shuffle: bool = True
    recipe: Recipe | None = None


@dataclass(frozen=True)
class Start:
    """The untrained network on one batch; leading axis: seeds.

    Attributes:
        places: of the tapped layers and of the weights.
        vitals: of them; no update is made, so that its size is NaN.
        alike: for each layer with a kernel, in the order of `Anatomy.weighted`, the share of its units that have the
            incoming weights of another unit, ``(seeds, layers)``.
        strength: for each, standard deviation of its weights over the one that keeps the signal.
        chance: loss of the best constant prediction.
    """

    places: Places
    vitals: Vitals
    alike: Array
    strength: Array
    chance: float


@dataclass(frozen=True)
class Steps:
    """Updates of the untrained network; leading axis: seeds.

    Attributes:
        loss: of the batch before each update, ``(seeds, steps)``.
        change: size of the update over that of all weights, ``(seeds, steps)``.
    """

    loss: Array
    change: Array


@dataclass(frozen=True)
class Course:
    """A training from its first epoch on; leading axis: seeds.

    Attributes:
        seeds: of the runs.
        metric: that decides.
        chance: score of the best constant prediction.
        history: lines by name, ``(seeds, epochs)``; NaN behind the end of a run.
        score: on the rows that decide, of the weights that were kept, ``(seeds,)``.
        last: the same of the last epoch.
        train_score: the same on the training rows, of the weights that were kept.
        diverged: which seeds did.
        recall: share of each class that is recognized, ``(seeds, classes)``; empty where there are none.
        dead: for each mortal activation, by place, share of its units never active on any training row, ``(seeds,)``.
        drift: for each batch norm, by place, distance of its moving statistics from those of all training rows, in standard
            deviations, ``(seeds,)``.
        broke: where the first number arose that was not finite, for the first seed that diverged; or None.
        whole: whether it is all that was asked for, rather than the first part of it.
    """

    seeds: tuple[int, ...]
    metric: Metric
    chance: float
    history: dict[str, Array]
    score: Array
    last: Array
    train_score: Array
    diverged: Array
    recall: Array
    dead: dict[str, Array] = field(default_factory=dict)
    drift: dict[str, Array] = field(default_factory=dict)
    broke: NonFinite | None = None
    whole: bool = True

    @property
    def epochs(self) -> int:
        """Epochs of the longest run."""
        return self.history["loss"].shape[1]

    @property
    def gains(self) -> Array:
        """Scores of which more is better; those of diverged runs count as chance at best."""
        return self._better(self.score)

    @property
    def last_gains(self) -> Array:
        """The same of the last epoch."""
        return self._better(self.last)

    def _better(self, scores: Array) -> Array:
        sign = 1.0 if self.metric.higher_is_better else -1.0
        chance = sign * self.chance
        return np.where(np.isfinite(scores), sign * scores, -np.inf).clip(min=min(chance, chance - abs(chance)))


@dataclass(frozen=True)
class Chart:
    """What is known of a training; what is None was not looked at.

    Attributes:
        design: what was chosen.
        facts: the rows, as they reach the network.
        start: the untrained network.
        steps: its first updates.
        drill: updates on one batch, again and again.
        course: the training.
        reference: a training at the same cost of a recipe that is known to work, to compare with.
    """

    design: Design
    facts: Facts | None = None
    start: Start | None = None
    steps: Steps | None = None
    drill: Steps | None = None
    course: Course | None = None
    reference: Course | None = None

    @property
    def updates(self) -> int:
        """Number of updates in all; of epochs where the rows are not known."""
        rows = self.design.batch_size if self.facts is None else self.facts.rows
        return self.design.epochs * -(-rows // self.design.batch_size)

    def has(self, needed: str) -> bool:
        """Whether it holds what a rule looks at; a training of no epochs is none."""
        if needed == "course":
            return self.course is not None and self.course.epochs > 0
        return needed == "recipe" or getattr(self, {"rows": "facts"}.get(needed, needed)) is not None
