"""What a run says of the rows held out: confusions or residuals, calibration, and where it is most wrong."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from kilter.data.dataset import Dataset, Part
from kilter.metrics import describe
from kilter.report import charts
from kilter.report.blocks import Block, Chart, Pictures, Section, Table, Text
from kilter.report.calibration import calibration_error, reliability
from kilter.report.charts import counts, points
from kilter.report.learned import measured
from kilter.train.run import Run

Array = np.ndarray[Any, Any]
# Classes that a confusion matrix has room for, pairs of them and labels in a table, points of a scatter, wrong examples.
_CLASSES, _PAIRS, _LABELS, _POINTS, _WRONG = 40, 20, 100, 2000, 12


def predictions(run: Run, data: Dataset) -> Section:
    """The section."""
    name, part = measured(data)
    makers = {"classes": _of_classes, "labels": _of_labels, "numbers": _of_numbers}
    title, told = f"Predictions on the {name} rows", run.moments(part)[0]
    if not np.isfinite(told).all():
        return Section(title, (Text("They are not finite: the run has diverged.", "lead"),))
    return Section(title, tuple(makers[run.target.task](run, part)))


def _of_classes(run: Run, part: Part) -> Iterator[Block]:
    chances = run.predict_proba(part)
    names = [str(each) for each in run.classes]
    yield confusion(chances.argmax(-1), part.y, names)
    pairs = _mixed_up(chances.argmax(-1), part.y, names)
    if len(names) > 2 and pairs.rows:
        yield pairs
    yield calibration(chances, part.y)
    wrong = np.flatnonzero(chances.argmax(-1) != part.y)
    worst = wrong[np.argsort(chances[wrong, part.y[wrong]], kind="stable")][:_WRONG]
    if len(worst):
        yield _pictured(part, chances, worst, names) or _listed(part, chances, worst, names)


def confusion(told: Array, truth: Array, names: list[str]) -> Chart:
    """Rows of each class by predicted class; of many classes those that are mixed up most."""
    table = np.zeros((len(names), len(names)), int)
    np.add.at(table, (truth, told), 1)
    right = int(np.trace(table))
    words = f"True class down, predicted class across: {right} of {len(truth)} rows are on the diagonal."
    if len(names) > _CLASSES:
        mixed = table.sum(0) + table.sum(1) - 2 * np.diag(table)
        chosen = np.sort(np.argsort(-mixed, kind="stable")[:_CLASSES])
        table, names = table[np.ix_(chosen, chosen)], [names[place] for place in chosen]
        words += f" Shown are the {_CLASSES} of {len(mixed)} classes that are mixed up most."
    rows = [[name, *map(str, line)] for name, line in zip(names, table, strict=True)]
    side = min(120 + 34 * len(names), 640)
    return Chart(
        counts(table, names, "predicted", "true"),
        words,
        height=side,
        width=max(side + 60, 420),
        table=Table(["true", *names], rows, "Rows"),
    )


def _mixed_up(told: Array, truth: Array, names: list[str]) -> Table:
    """Pairs of classes by how often one is taken for the other."""
    wrong = told != truth
    pairs, often = np.unique(np.stack([truth[wrong], told[wrong]]), axis=1, return_counts=True)
    count = np.bincount(truth, minlength=len(names))
    order = np.argsort(-often, kind="stable")[:_PAIRS]
    rows = [
        [names[true], names[read], str(often[place]), f"{often[place] / count[true]:.1%}"]
        for place, (true, read) in zip(order, pairs.T[order], strict=True)
    ]
    return Table(["true", "read as", "rows", "of its class"], rows, "Mixed up most often", folded=True)


def calibration(chances: Array, truth: Array) -> Chart:
    """How often the likeliest class is right, by how sure the network is of it; Guo et al. 2017."""
    bins = np.stack(reliability(chances, truth), 1)
    share, sure, right = bins[bins[:, 0] > 0].T
    error = describe(calibration_error(chances, truth))
    words = "How sure the network is, and how often it is right then; a larger point stands for more rows. "
    words += f"The expected calibration error is {error}."
    rows = [[describe(a), describe(b), f"{part:.1%}"] for part, a, b in zip(share, sure, right, strict=True)]
    table = Table(["mean confidence", "share right", "of the rows"], rows, "Calibration")
    return Chart(charts.reliability(sure, right, share), words, height=340, width=460, table=table)


def _listed(part: Part, chances: Array, worst: Array, names: list[str]) -> Table:
    rows = [
        [str(row), names[part.y[row]], names[chances[row].argmax()], describe(chances[row, part.y[row]])]
        for row in worst
    ]
    return Table(["row", "true", "predicted", "probability of the true class"], rows, "Most wrong")


def _pictured(part: Part, chances: Array, worst: Array, names: list[str]) -> Pictures | None:
    pictures = [_picture(part.x[row]) for row in worst]
    if any(each is None for each in pictures):
        return None
    words = [
        f"{names[part.y[row]]} read as {names[chances[row].argmax()]}, {chances[row].max():.0%} sure" for row in worst
    ]
    shown = [(each, told) for each, told in zip(pictures, words, strict=True) if each is not None]
    return Pictures(shown, "Most wrong: the true class was given the least chance.")


def _picture(x: Array) -> bytes | None:
    """An example as a PNG where it is a picture: height, width, one or three channels; or a square that was laid flat."""
    side = round(x.size**0.5)
    if x.ndim == 1:
        if side * side != x.size or side < 6:
            return None
        x = x.reshape(side, side, 1)
    if x.ndim != 3 or x.shape[-1] not in (1, 3):
        return None
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    shade = (x - low) / max(high - low, 1e-12)
    rgb = np.repeat(1 - shade, 3, -1) if x.shape[-1] == 1 else shade
    from matplotlib import image  # takes long to import

    stream = io.BytesIO()
    image.imsave(stream, np.clip(np.nan_to_num(rgb), 0, 1), format="png")
    return stream.getvalue()


def _of_labels(run: Run, part: Part) -> Iterator[Block]:
    chances, truth = run.predict_proba(part), part.y > 0.5
    told = chances > 0.5
    counts = [(truth & told).sum(0), (~truth & ~told).sum(0), (truth & ~told).sum(0), (~truth & told).sum(0)]
    rows = [[f"label {place}", *map(str, row)] for place, row in enumerate(np.stack(counts, 1).tolist(), 1)]
    yield Table(["", "yes, found", "no, found", "yes, missed", "no, taken for yes"], rows[:_LABELS], "Rows by label")
    # Each label is a choice of two.
    yield calibration(np.stack([1 - chances, chances], -1).reshape(-1, 2), truth.ravel().astype(int))
    given = np.where(truth, chances, 1 - chances)
    worst = np.argsort(given.ravel(), kind="stable")[:_WRONG]
    places = [np.unravel_index(place, given.shape) for place in worst]
    rows = [
        [str(row), f"label {label + 1}", "yes" if truth[row, label] else "no", describe(given[row, label])]
        for row, label in places
    ]
    yield Table(["row", "label", "true", "probability of it"], rows, "Most wrong")


def _of_numbers(run: Run, part: Part) -> Iterator[Block]:
    truth, told = (np.asarray(each, float).reshape(len(part), -1) for each in (part.y, run.predict(part)))
    chosen = np.unique(np.linspace(0, len(part) - 1, min(len(part), _POINTS)).astype(int))
    clouds = {f"output {place + 1}": (truth[chosen, place], told[chosen, place]) for place in range(truth.shape[1])}
    if len(clouds) == 1:
        clouds = {"rows": next(iter(clouds.values()))}
    words = f"Predicted against true values of {len(chosen)} rows; perfect ones lie on the dashed line."
    yield Chart(points(clouds, "true", "predicted", diagonal=True), words, height=420, width=560)
    off = {name: (ys, ys - xs) for name, (xs, ys) in clouds.items()}
    yield Chart(
        points(off, "predicted", "predicted minus true"), "Residuals; a shape in them is what the network misses."
    )
    worst = np.argsort(-np.abs(told - truth).max(1), kind="stable")[:_WRONG]
    rows = [[str(row), ", ".join(map(describe, truth[row])), ", ".join(map(describe, told[row]))] for row in worst]
    yield Table(["row", "true", "predicted"], rows, "Most wrong")
