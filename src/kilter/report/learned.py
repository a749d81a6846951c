"""Did it learn? The scores of a run beside those of guessing and of a linear model."""

import numpy as np

from kilter.data.dataset import Dataset, Part
from kilter.metrics import describe, for_task
from kilter.report.baseline import baselines
from kilter.report.blocks import Section, Table, Text
from kilter.report.linear import numbers, probabilities
from kilter.train.run import Run

# Rows that a linear model is fitted to; more would only make it slower.
_ROWS = 3000


def learned(run: Run, data: Dataset | None) -> Section:
    """The section."""
    if data is None:
        rows = [[name, describe(value)] for name, value in run.metrics.items()]
        words = f"{_named(run.metric.key)} {describe(run.score)} on the rows that decide. The run {run.outcome}."
        return Section("Did it learn?", (Text(words, "lead"), Table(["metric", "value"], rows, "Scores")))
    simple = linear(run, data)
    head, *rows = score_rows(run, data, simple)
    words = "Guessing looks at no input: it gives every row the class shares or the mean of the training rows."
    blocks = (
        Text(lead(run, data, simple), "lead"),
        Table(head, rows, "Scores by part of the data"),
        Text(words, "quiet"),
    )
    return Section("Did it learn?", blocks)


def lead(run: Run, data: Dataset, simple: dict[str, float] | None = None) -> str:
    """One sentence: the score on the rows held out, against guessing and a ``simple`` model."""
    name, _ = measured(data)
    key = run.metric.key if name == deciding(data) else f"{name}_{run.metric.key}"
    guess = baselines(run, data).get(run.metric.key)
    against = "" if guess is None else f"; guessing gets {describe(guess)}"
    if simple and run.metric.key in simple:
        against += f", a linear model {describe(simple[run.metric.key])}"
    return f"{_named(run.metric.key)} {describe(run.metrics[key])} on the {name} rows{against}. The run {run.outcome}."


def _named(key: str) -> str:
    return key[0].upper() + key[1:]


def score_rows(run: Run, data: Dataset, simple: dict[str, float] | None = None) -> list[list[str]]:
    """Every metric by part of the data, and what guessing and a ``simple`` model get, as text with a head."""
    parts, guess = list(data.parts), baselines(run, data)
    keys = [key for key in run.metrics if not key.startswith(("train_", "test_"))]
    others = [("guessing", guess), *([("linear model", simple)] if simple else [])]
    rows = [["", *parts, *(name for name, _ in others)]]
    for key in keys:
        values = [run.metrics[key if part == deciding(data) else f"{part}_{key}"] for part in parts]
        known = [describe(scores[key]) if key in scores else "" for _, scores in others]
        rows.append([key, *map(describe, values), *known])
    return rows


def deciding(data: Dataset) -> str:
    """The part that decides."""
    return "train" if data.validation is None else "validation"


def measured(data: Dataset) -> tuple[str, Part]:
    """The rows that say most about new ones."""
    if data.test is not None:
        return "test", data.test
    return ("validation", data.validation) if data.validation is not None else ("train", data.train)


def linear(run: Run, data: Dataset) -> dict[str, float]:
    """Metrics, by name, of a linear model on standardized inputs; none for targets and rows that it is not for."""
    _, part = measured(data)
    train = data.train.take(np.arange(min(len(data.train), _ROWS)))
    x, rows = (each.x.reshape(len(each), -1).astype(float) for each in (train, part))
    if run.target.task == "labels" or not (np.isfinite(x).all() and np.isfinite(rows).all()):
        return {}
    told = probabilities(x, train.y, rows, data.classes) if data.classes else numbers(x, train.y, rows)
    if told is None:
        return {}
    weights = np.ones(len(part))
    return {metric.key: float(metric(told, part.y, weights)) for metric in for_task(run.target.task)}
