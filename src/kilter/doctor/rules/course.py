"""Rules on the training: how loss and score went, against chance and against a training that is known to work."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kilter.doctor.chart import Chart, Course
from kilter.doctor.remedies.rates import rate, usual
from kilter.doctor.rule import Sign, rule
from kilter.doctor.verdict import floor, shortfall
from kilter.doctor.words import Cause, Severity, Symptom
from kilter.losses import SoftmaxCrossEntropy, SquaredError

Array = np.ndarray[Any, Any]


def _course(chart: Chart) -> Course:
    assert chart.course is not None
    return chart.course


def _share(mask: Array) -> float:
    return float(np.mean(mask))


def _of_rate(chart: Chart) -> float:
    """Learning rate over what is usual for the optimizer and the target; NaN where it is not known."""
    optimizer, numbers = chart.design.optimizer, chart.facts is not None and chart.facts.task == "numbers"
    if optimizer is None:
        return float("nan")
    now, common = rate(optimizer), usual(optimizer, SquaredError() if numbers else SoftmaxCrossEntropy())
    return float("nan") if now is None or common is None else now / common


def _updates(chart: Chart) -> int:
    rows = chart.facts.rows if chart.facts is not None else chart.design.batch_size
    return chart.design.epochs * -(-rows // chart.design.batch_size)


@rule(
    Symptom.DIVERGED,
    Cause.LR_TOO_HIGH,
    source="LeCun, Simard and Pearlmutter 1993: above 2 / curvature the loss grows",
    remedies=("learning_rate", "inputs", "targets", "clip", "initializer", "activation"),
    needs="course",
    certain=True,
)
def diverged(chart: Chart) -> Iterator[Sign]:
    """Share of the seeds whose loss or weights became infinite or not a number.

    The cause is the learning rate where it is ten times the usual or more, otherwise inputs or targets that are far too
    large, otherwise signals that exploded before the first update.
    """
    gone = _course(chart).diverged
    if gone.any():
        causes = _of_divergence(chart)
        yield Sign(
            _share(gone),
            0.0,
            "of the seeds",
            share=_share(gone),
            severity=Severity.ERROR,
            cause=causes[0],
            others=causes[1:],
        )


def _of_divergence(chart: Chart) -> tuple[Cause, ...]:
    scale = chart.facts.size if chart.facts is not None else 1.0
    spread = chart.facts.target_spread if chart.facts is not None else np.zeros(0)
    order = [
        (Cause.LR_TOO_HIGH, _of_rate(chart) >= 5),
        (Cause.UNNORMALISED_INPUT, scale > 5),
        (Cause.UNNORMALISED_TARGET, bool(len(spread)) and float(spread.max()) > 10),
        (Cause.EXPLODING_GRADIENT, _explodes(chart)),
    ]
    if _explodes(chart):
        order.insert(0, order.pop())
    found = [cause for cause, holds in order if holds]
    rest = [cause for cause, holds in order if not holds]
    return tuple(found + rest)


def _explodes(chart: Chart) -> bool:
    if chart.start is None:
        return False
    signals = chart.start.vitals.signals
    return bool((np.asarray(signals.infs) + np.asarray(signals.nans)).sum() > 0 or np.asarray(signals.rms).max() > 1e4)


@rule(
    Symptom.FIRST_STEPS,
    Cause.LR_TOO_HIGH,
    source="LeCun, Simard and Pearlmutter 1993; a network trains with updates of about a thousandth of its weights",
    remedies=("learning_rate", "inputs", "targets", "clip", "schedule"),
    needs="steps",
)
def first_steps(chart: Chart, *, of_chance: float = 10.0) -> Iterator[Sign]:
    """The loss after the first updates (50) over the larger of the first loss and that of a constant: above 10, or not finite."""
    assert chart.steps is not None
    loss = chart.steps.loss
    level = np.fmax(loss[:, 0], chart.start.chance if chart.start is not None else 0.0)
    late = loss[:, len(loss.T) // 2 :].mean(1) / np.maximum(level, 1e-12)
    found = ~(late < of_chance)
    if found.any():
        causes = _of_divergence(chart)
        value = float(np.median(np.where(np.isfinite(late), late, 1e38)))
        evidence = {"loss": loss, "change": chart.steps.change}
        yield Sign(
            value, of_chance, "of the loss", "", _share(found), Severity.ERROR, causes[0], causes[1:], evidence=evidence
        )


@rule(
    Symptom.RATE_TOO_HIGH,
    Cause.LR_TOO_HIGH,
    source="LeCun, Bottou, Orr and Mueller 1998, section 4.7; Smith 2017",
    remedies=("learning_rate", "schedule", "optimizer", "clip"),
    needs="course",
)
def rate_too_high(chart: Chart, *, of_chance: float = 1.5, most: float = 9.0) -> Iterator[Sign]:
    """The loss in training ends above one and a half times that of a constant prediction or of the first epoch, or jumps, at a rate
    above the usual.

    A network that only learns too little stays at or below the loss of a constant; one that ends above it was thrown there.
    """
    course = _course(chart)
    loss = course.history["loss"]
    last = np.nan_to_num(_last(loss), nan=np.inf)
    level = chart.start.chance if chart.start is not None else float(np.median(np.nan_to_num(loss[:, 0])))
    above = last > of_chance * max(level, 1e-12)
    jumps = _jumps(loss) > 0.5
    ratio = _of_rate(chart)
    thrown = (above | jumps) & (ratio > 1.0)
    if thrown.any() or ratio > most:
        showing = _share(thrown) if thrown.any() else 1.0
        causes = (Cause.LOSS_OSCILLATION, Cause.DIVERGING_LOSS, Cause.DEAD_RELU)
        words = f"learning rate {ratio:.3g} times the usual"
        yield Sign(
            float(np.median(last / max(level, 1e-12)).clip(max=1e38)),
            of_chance,
            "of chance",
            "optimizer.lr",
            showing,
            words=words,
            others=causes,
        )


def _last(lines: Array) -> Array:
    """Last number of each line."""
    kept = np.isfinite(lines)
    where = np.where(kept.any(1), lines.shape[1] - 1 - kept[:, ::-1].argmax(1), 0)
    return lines[np.arange(len(lines)), where]


def _jumps(loss: Array) -> Array:
    """Share of the epochs in which the loss rises by more than a tenth of all that it fell."""
    if loss.shape[1] < 4:
        return np.zeros(len(loss))
    fallen = _top(loss) - _bottom(loss)
    return np.mean(np.diff(loss, axis=1) > 0.1 * np.maximum(fallen, 1e-12)[:, None], 1)


@rule(
    Symptom.OSCILLATING_LOSS,
    Cause.LOSS_OSCILLATION,
    source="Zhang, Zhai, Ma and Shen 2021, AUTOTRAINER: moves of the score in a fifth of the epochs",
    remedies=("learning_rate", "optimizer", "batch_size", "schedule", "clip"),
    needs="course",
)
def oscillating_loss(chart: Chart, *, share: float = 0.2) -> Iterator[Sign]:
    """Share of the epochs, in the second half, in which the loss in training rises by more than a tenth of all that it fell."""
    loss = _course(chart).history["loss"]
    jumps = _jumps(loss[:, loss.shape[1] // 2 :]) * _unsettled(loss)
    if (jumps > share).any():
        others = (Cause.LR_TOO_HIGH, Cause.NOT_SHUFFLED)
        yield Sign(float(np.median(jumps)), share, "of the epochs", "", _share(jumps > share), others=others)


def _unsettled(loss: Array) -> Array:
    """Whether the second half still varies by a good part of the first loss, rather than by rounding."""
    half = loss[:, loss.shape[1] // 2 :]
    return _top(half) - _bottom(half) > 0.05 * np.maximum(_top(loss), 1e-12)


def _top(lines: Array) -> Array:
    """Largest finite number of each line."""
    return np.where(np.isfinite(lines), lines, -np.inf).max(1, initial=-np.inf).clip(min=-1e38)


def _bottom(lines: Array) -> Array:
    """Smallest finite number of each line."""
    return np.where(np.isfinite(lines), lines, np.inf).min(1, initial=np.inf).clip(max=1e38)


@rule(
    Symptom.RATE_TOO_LOW,
    Cause.LR_TOO_LOW,
    source="Bengio 2012, Practical recommendations, section 3.1.1; updates of about a thousandth of the weights",
    remedies=("learning_rate", "optimizer", "epochs", "batch_size"),
    needs="course",
)
def rate_too_low(chart: Chart, *, least: float = 0.15, falling: float = 0.02) -> Iterator[Sign]:
    """The loss in training still falls at the end, in its last tenth by 2 % or more of its first value, or has hardly moved, at a rate below the usual."""
    loss, ratio = _course(chart).history["loss"], abs(_of_rate(chart))
    slow = _slow(loss, falling)
    if ratio < least and slow.any():
        words = f"learning rate {ratio:.3g} times the usual"
        others = (Cause.TOO_FEW_EPOCHS, Cause.UNDERFITTING)
        severity = Severity.ERROR if ratio < least / 10 else Severity.WARNING
        yield Sign(
            float(np.median(_fall(loss))),
            falling,
            "of the loss",
            "optimizer.lr",
            _share(slow),
            severity,
            others=others,
            words=words,
        )


def _fall(loss: Array) -> Array:
    """How much of its first value the loss loses in its last tenth."""
    last = max(loss.shape[1] // 10, 1)
    return (
        (loss[:, -last - 1 :].max(1) - loss[:, -1]) / np.maximum(np.abs(loss[:, 0]), 1e-12)
        if loss.shape[1] > 1
        else np.ones(len(loss))
    )


def _slow(loss: Array, falling: float) -> Array:
    """Whether the loss still falls at the end, or has kept nine tenths of its first value."""
    return (_fall(loss) > falling) | (loss[:, -1] > 0.9 * loss[:, 0])


@rule(
    Symptom.BATCH_TOO_LARGE,
    Cause.BATCH_TOO_LARGE,
    source="Hoffer, Hubara and Soudry 2017, Train longer, generalize better",
    remedies=("batch_size", "epochs", "learning_rate"),
    needs="course",
)
def batch_too_large(chart: Chart, *, updates: int = 200, share: float = 0.2) -> Iterator[Sign]:
    """Fewer than 200 updates in all, of batches of a fifth of the rows or more, and the loss still falls at the end."""
    loss, rows = _course(chart).history["loss"], chart.facts.rows if chart.facts is not None else 0
    large = rows > 0 and chart.design.batch_size >= share * rows and rows > 64
    slow = _slow(loss, 0.01)
    if large and _updates(chart) < updates and slow.any():
        others = (Cause.TOO_FEW_EPOCHS, Cause.LR_TOO_LOW)
        yield Sign(_updates(chart), updates, "updates", "batch_size", _share(slow), others=others)


@rule(
    Symptom.FEW_UPDATES,
    Cause.TOO_FEW_EPOCHS,
    source="Bengio 2012, section 3.1.2: as long as the loss falls, go on",
    remedies=("epochs", "learning_rate", "batch_size", "optimizer"),
    needs="course",
)
def few_updates(chart: Chart, *, falling: float = 0.01) -> Iterator[Sign]:
    """The loss of training, and that of validation where there is one, still falls at the end: by 1 % of its first value in the last tenth."""
    course = _course(chart)
    lines = [course.history[name] for name in ("loss", "val_loss") if name in course.history]
    found = np.all([_fall(line) > falling for line in lines], 0)
    if found.any() and course.whole:
        others = (Cause.LR_TOO_LOW, Cause.BATCH_TOO_LARGE, Cause.UNDERFITTING)
        yield Sign(float(np.median(_fall(lines[0]))), falling, "of the loss", "epochs", _share(found), others=others)


@rule(
    Symptom.DEATH_BY_SEED,
    Cause.DEAD_RELU,
    source="Lu, Shin, Su and Karniadakis 2019, Dying ReLU and initialization",
    remedies=("activation", "initializer", "batch_norm", "depth", "width"),
    needs="course",
)
def death_by_seed(chart: Chart, *, dead: float = 0.9) -> Iterator[Sign]:
    """Share of the seeds that end with a rectifier layer whose units are all but never active on any training row."""
    found = _course(chart).dead
    if not found:
        return
    places = list(found)
    shares = np.stack([found[place] for place in places], 1)
    lost = shares.max(1) > dead
    if lost.any():
        others = (Cause.VANISHING_GRADIENT, Cause.LR_TOO_HIGH, Cause.BAD_INIT_TOO_SMALL)
        place = places[int(shares.mean(0).argmax())]
        yield Sign(
            float(shares.max(1).mean()),
            dead,
            "of the units",
            place,
            _share(lost),
            others=others,
            evidence={"dead": shares},
        )


@rule(
    Symptom.NORM_STATISTICS,
    Cause.BATCH_NORM_STATISTICS,
    source="Ioffe and Szegedy 2015, section 3.1; Wu and Johnson 2021, Rethinking Batch in BatchNorm",
    remedies=("batch_size", "dropout", "layer_norm"),
    needs="course",
)
def norm_statistics(chart: Chart, *, apart: float = 0.5) -> Iterator[Sign]:
    """Distance of a batch norm's moving mean and deviation from those of all training rows, in deviations; above a half it counts."""
    for place, column in _course(chart).drift.items():
        found = column > apart
        if found.any():
            yield Sign(float(np.median(column)), apart, "deviations", place, _share(found), evidence={"drift": column})


@rule(
    Symptom.OVER_REGULARIZED,
    Cause.OVER_REGULARISATION,
    source="Krogh and Hertz 1992; a pull of 0.01 or more is beyond what networks are trained with",
    remedies=("decay", "dropout"),
    needs="course",
)
def over_regularized(chart: Chart, *, strong: float = 0.01) -> Iterator[Sign]:
    """Strength of the pull on the weights, lambda in the gradient lambda w, while training rows are not learned, either."""
    decay, course = chart.design.decay, _course(chart)
    if decay >= strong and _unlearned(chart, course).any():
        severity = Severity.ERROR if decay >= 5 * strong else Severity.WARNING
        found = _share(_unlearned(chart, course))
        yield Sign(decay, strong, "lambda", "penalty", found, severity, others=(Cause.UNDERFITTING,))


def _unlearned(chart: Chart, course: Course) -> Array:
    """Seeds that are clearly worse on the training rows than the reference is on validation."""
    if chart.reference is None:
        return np.ones(len(course.score), bool)
    sign = 1.0 if course.metric.higher_is_better else -1.0
    wanted = float(np.median(chart.reference.gains)) - floor(chart.reference)
    return ~(sign * course.train_score > wanted)


@rule(
    Symptom.DROPOUT_TOO_HIGH,
    Cause.DROPOUT_TOO_HIGH,
    source="Srivastava et al. 2014, section A.4: 0.5 for hidden units, 0.2 for inputs",
    remedies=("dropout", "width", "epochs"),
    needs="course",
)
def dropout_too_high(chart: Chart, *, most: float = 0.6) -> Iterator[Sign]:
    """The highest rate of dropout, above 0.6, while training rows are not learned, either."""
    dropped = {o.label: float(getattr(o.layer, "rate", 0.0) or 0.0) for o in chart.design.anatomy.having("dropout")}
    unlearned = _unlearned(chart, _course(chart))
    if dropped and max(dropped.values()) > most and unlearned.any():
        place = max(dropped, key=lambda each: dropped[each])
        severity = Severity.ERROR if dropped[place] >= 0.8 else Severity.WARNING
        others = (Cause.OVER_REGULARISATION, Cause.UNDERFITTING)
        yield Sign(dropped[place], most, "dropped", place, _share(unlearned), severity, others=others)


@rule(
    Symptom.CLASS_IMBALANCE,
    Cause.CLASS_IMBALANCE,
    source="Buda, Maki and Mazurowski 2018, A systematic study of the class imbalance problem",
    remedies=("class_weights",),
    needs="course",
)
def class_imbalance(chart: Chart, *, ratio: float = 5.0, recall: float = 0.6) -> Iterator[Sign]:
    """Share of the most over that of the least frequent class among the training rows, where that class is recognized less than 60 % of the time."""
    facts, course = chart.facts, _course(chart)
    if facts is None or facts.classes < 2 or not course.recall.size or (facts.shares > 0).sum() < 2:
        return
    rare = int(np.where(facts.shares > 0, facts.shares, 2).argmin())
    apart = float(facts.shares.max() / facts.shares[rare])
    missed = ~(course.recall[:, rare] >= recall)
    if apart > ratio and missed.any():
        words = f"class {rare} is recognized in {np.nanmean(course.recall[:, rare]):.0%} of its rows"
        evidence = {"shares": facts.shares, "recall": course.recall}
        yield Sign(apart, ratio, "times as frequent", "", _share(missed), words=words, evidence=evidence)


@rule(
    Symptom.OVERFITTING,
    Cause.OVERFITTING,
    source="Geman, Bienenstock and Doursat 1992; Prechelt 1998, Early stopping, but when?",
    remedies=("dropout", "decay", "stopping", "width", "batch_norm"),
    needs="course",
)
def overfitting(chart: Chart, *, apart: float = 0.1, rise: float = 1.3) -> Iterator[Sign]:
    """Score on the training rows over that on validation rows by 0.1 or more, while the loss on validation has risen by 30 % from its least.

    Both, as a network that is right on all training rows may well be right on the others.
    """
    course = _course(chart)
    if "val_loss" not in course.history:
        return
    loss = course.history["val_loss"]
    risen = _last(loss) / np.maximum(_bottom(loss), 1e-12)
    sign = 1.0 if course.metric.higher_is_better else -1.0
    gap = sign * (course.train_score - course.last)
    found = (gap > apart * max(abs(course.metric.perfect - course.chance), 1e-12)) & (risen > rise)
    if found.any():
        words = f"loss on validation rose to {float(np.median(risen)):.3g} times its least"
        others = (Cause.LABEL_ERROR,)
        yield Sign(float(np.median(gap)), apart, course.metric.key, "", _share(found), words=words, others=others)


@rule(
    Symptom.PLATEAU,
    Cause.UNDERFITTING,
    source="Goodfellow, Bengio and Courville 2016, section 8.2",
    remedies=("learning_rate", "activation", "initializer", "optimizer", "inputs", "batch_norm"),
    needs="course",
)
def plateau(chart: Chart, *, moved: float = 0.02) -> Iterator[Sign]:
    """The loss of training ends within 2 % of that of a constant prediction: the network sees nothing of its inputs."""
    loss = _last(_course(chart).history["loss"])
    if chart.start is None:
        return
    level = chart.start.chance
    found = np.abs(loss - level) <= moved * abs(level)
    if found.any():
        others = (Cause.VANISHING_GRADIENT, Cause.DEAD_RELU, Cause.LR_TOO_LOW)
        yield Sign(float(np.median(loss / max(level, 1e-12))), 1 - moved, "of chance", "", _share(found), others=others)


@rule(
    Symptom.UNDERFITTING,
    Cause.UNDERFITTING,
    source="against a recipe that is known to work, trained at the same cost",
    remedies=(
        "width",
        "depth",
        "epochs",
        "learning_rate",
        "optimizer",
        "output",
        "inputs",
        "activation",
        "initializer",
        "decay",
        "dropout",
    ),
    needs="reference",
)
def underfitting(chart: Chart) -> Iterator[Sign]:
    """Score of an ordinary, well-behaved network of the same size and cost, less that of this one, mean over seeds."""
    course, reference = chart.course, chart.reference
    if course is None or reference is None:
        return
    lost = shortfall(course, reference)
    if lost > floor(reference):
        words = f"{course.metric.key} {float(np.median(course.score)):.3g}, an ordinary network {float(np.median(reference.score)):.3g}"
        yield Sign(
            lost, floor(reference), course.metric.key, words=words, others=(Cause.LR_TOO_LOW, Cause.TOO_FEW_EPOCHS)
        )
