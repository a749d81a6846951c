"""Charts without a training: what was chosen, the rows, the untrained network; and trainings made by hand."""

import importlib
from dataclasses import replace

import numpy as np

import kilter as kl
from kilter import metrics
from kilter.doctor.chart import Chart, Course
from kilter.doctor.facts import Facts
from kilter.doctor.probe import Patient
from kilter.train.rows import scalings

# The function of that name stands in front of the module.
EXAMINE = importlib.import_module("kilter.doctor.examine")
SEEDS = (0, 1, 2)


def chart_of(recipe, data, *, start=False, **facts):
    """What is known before the training; with ``start`` the untrained network, too; ``facts`` that are put in place."""
    scaling = scalings(recipe, data)
    rows = Facts.of(data, *scaling)
    chart = Chart(EXAMINE.design_of(recipe, data.shape, len(data.train)), replace(rows, **facts))
    if not start:
        return chart
    patient = Patient(recipe, data, SEEDS, scaling)
    return replace(chart, start=patient.start(chart.design.anatomy))


def course(loss=None, val_loss=None, score=0.95, train=0.97, **given):
    """A healthy training of ten classes, but for what is given; curves are the same for all seeds."""
    loss = 2.3 * 0.8 ** np.arange(30) if loss is None else np.asarray(loss, float)
    val_loss = loss + 0.1 if val_loss is None else np.asarray(val_loss, float)
    each = np.zeros(len(SEEDS))
    made = {
        "seeds": SEEDS,
        "metric": metrics.Accuracy(),
        "chance": 0.1,
        "history": {"loss": loss + each[:, None], "val_loss": val_loss + each[:, None]},
        "score": score + each,
        "last": score + each,
        "train_score": train + each,
        "diverged": each > 0,
        "recall": np.zeros((len(SEEDS), 0)),
    }
    return Course(**(made | given))


def found(chart, rule):
    """What a rule of that name sees."""
    return [finding for each, finding in EXAMINE.seen(chart) if each.name == rule]


def causes(chart):
    """Likeliest causes of all that is seen; a chart without a reference is of a training that is known to be bad."""
    bad = True if chart.reference is None else None
    return EXAMINE.diagnosed(chart, "planted", 0.0, bad=bad).causes


def data_of(x, y, held=None, **given):
    """A dataset of arrays; the validation rows are the last fourth unless they are given."""
    cut = len(x) - len(x) // 4
    held = held or (x[cut:], y[cut:])
    return kl.data.from_arrays(x[:cut], y[:cut], validation=held, **given)
