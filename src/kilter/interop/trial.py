"""A short training of a copy of another framework's network, as the rules see it."""

import math
from typing import Any, Literal, Protocol

import numpy as np

from kilter.doctor.chart import Course, Steps
from kilter.interop.judging import Judge
from kilter.metrics import gain
from kilter.train.order import permutation

Array = np.ndarray[Any, Any]
Part = Literal["train", "validation"]
# First updates that are looked at one by one.
FIRST = 50


class Trainee(Protocol):
    """A copy of a network, its loss and its optimizer, on rows that are already there."""

    def epoch(self, order: Array, changes: int) -> tuple[list[float], list[float]]:
        """Go once through training rows in an order; stop where a loss is not finite.

        Args:
            order: numbers of the rows.
            changes: number of updates of which the size is wanted.

        Returns:
            Losses before the updates, and the sizes of the first of these over that of the weights.
        """
        ...

    def outputs(self, part: Part) -> Array:
        """Outputs at inference, ``(rows, ...)``."""
        ...

    def loss(self, part: Part) -> float:
        """Mean loss at inference."""
        ...

    def weights(self) -> Any:
        """A copy of all weights and state."""
        ...

    def restore(self, weights: Any) -> None:
        """Take weights and state back."""
        ...


def trial(
    trainee: Trainee, judge: Judge | None, rows: int, epochs: int, *, shuffle: bool, seed: int, whole: bool
) -> tuple[Steps, Course]:
    """Train for some epochs.

    Args:
        trainee: what is trained.
        judge: of its outputs; None where they cannot be told good from bad.
        rows: number of training rows.
        epochs: passes over them.
        shuffle: whether they come in a new order in each.
        seed: of the orders.
        whole: whether these are all epochs that were asked for.
    """
    lines: dict[str, list[float]] = {"loss": []}
    losses: list[float] = []
    changes: list[float] = []
    scores: list[float] = []
    best, kept = -math.inf, trainee.weights()
    held = judge is not None and judge.data.validation is not None
    part: Part = "validation" if held else "train"
    for epoch in range(epochs):
        order = permutation(seed, epoch, rows) if shuffle else np.arange(rows)
        each, moved = trainee.epoch(order, FIRST - len(changes))
        losses, changes = losses + each[: max(FIRST - len(losses), 0)], changes + moved
        lines["loss"].append(float(np.mean(each)))
        if not np.isfinite(each).all():
            break
        if held:
            lines.setdefault("val_loss", []).append(trainee.loss("validation"))
        if judge is not None:
            scores.append(judge.score(trainee.outputs(part), judge.deciding))
            if gain(judge.metric, scores[-1]) > best:
                best, kept = gain(judge.metric, scores[-1]), trainee.weights()
    diverged = not np.isfinite(lines["loss"]).all()
    if judge is not None and not diverged:
        trainee.restore(kept)
    steps = Steps(np.array([losses]), np.array([changes]))
    return steps, _course(trainee, judge, lines, scores, part, diverged, seed, whole)


def _course(
    trainee: Trainee, judge: Judge | None, lines: dict[str, list[float]], scores: list[float], part: Part, diverged: bool,
    seed: int, whole: bool,
) -> Course:  # fmt: skip
    longest = max(map(len, lines.values()))
    history = {
        name: np.array([[*line, *(longest - len(line)) * [math.nan]]], np.float64) for name, line in lines.items()
    }
    nothing = np.array([math.nan])
    if judge is None:
        from kilter.metrics import R2

        return Course(
            (seed,),
            R2(),
            math.nan,
            history,
            nothing,
            nothing,
            nothing,
            np.array([diverged]),
            np.zeros((1, 0)),
            {},
            whole=whole,
        )
    best = max(scores, key=lambda score: gain(judge.metric, score), default=math.nan)
    known = not diverged and bool(scores)
    return Course(
        seeds=(seed,),
        metric=judge.metric,
        chance=judge.chance,
        history=history,
        score=np.array([math.nan if diverged else best]),
        last=np.array([scores[-1] if known else math.nan]),
        train_score=np.array([judge.score(trainee.outputs("train"), judge.data.train) if known else math.nan]),
        diverged=np.array([diverged]),
        recall=judge.recall(trainee.outputs(part)) if known else np.zeros((1, 0)),
        dead={},
        whole=whole,
    )
