"""The pages: what is shown of a run, of several, of a checkup, a cure and a study, in the order of a reader's questions."""

from collections.abc import Mapping, Sequence

import numpy as np

from kilter.data.dataset import Dataset
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import Cure
from kilter.doctor.examine import examine
from kilter.metrics import describe
from kilter.report import several
from kilter.report.blocks import Chart, Section, Table, Text
from kilter.report.charts import lines
from kilter.report.evidence import curves, weights
from kilter.report.health import advice, health, helped
from kilter.report.learned import learned
from kilter.report.predictions import predictions
from kilter.report.repeat import facts, recipe, script
from kilter.report.report import Report
from kilter.report.searched import found, searched
from kilter.report.signals import signal
from kilter.search.study import Study
from kilter.train.run import Run


def of_run(run: Run, data: Dataset | None, checkup: Checkup | None, cure: Cure | None) -> Report:
    """Did it learn, is it healthy, what to do, and the evidence."""
    checkup = examine(run) if checkup is None else checkup
    sections = [
        learned(run, data),
        health(checkup.facts()),
        advice(checkup, run.recipe, data, cure),
        curves(run),
        None if run.vitals is None else signal(run.vitals, run.recipe.net),
        None if data is None else predictions(run, data),
        weights(run),
        recipe(run.recipe, script(run, data)),
        facts(run, data),
    ]
    return page(run.title, sections)


def of_runs(runs: Sequence[Run], data: Dataset | None, names: Mapping[int, str] | None = None) -> Report:
    """All scores, the health of the best, all curves, and what differs."""
    runs = several.ranked(runs)
    best = runs[0]
    checkup = examine(best)
    sections = [
        several.scores(runs, names or {}),
        health(checkup.facts(), "Is the best healthy?"),
        advice(checkup, best.recipe, data, None),
        several.overlaid(runs),
        None if data is None else predictions(best, data),
        recipe(best.recipe, script(best, data)),
        facts(best, data),
    ]
    return page(f"{len(runs)} run{'s' if len(runs) > 1 else ''} on {best.title}", sections)


def of_checkup(checkup: Checkup, data: Dataset | None) -> Report:
    """Did it learn, is it healthy, what to do, and the curves that were looked at."""
    given = checkup.chart.design.recipe
    sections = [
        _compared(checkup),
        health(checkup.facts()),
        advice(checkup, given, data, None),
        _looked_at(checkup),
        None if given is None else recipe(given),
    ]
    return page(f"checkup of {checkup.title}", sections)


def _compared(checkup: Checkup) -> Section | None:
    """The scores of what was examined beside those of the reference; None where nothing was trained."""
    course, reference = checkup.chart.course, checkup.chart.reference
    if course is None:
        return None
    each = {"this network": course, **({"an ordinary one": reference} if reference is not None else {})}
    middles = [
        f"{name} {describe(np.nanmedian(one.score))}" for name, one in each.items() if np.isfinite(one.score).any()
    ]
    middles.append(f"guessing {describe(course.chance)}")
    words = f"Median {course.metric.key} over {len(course.seeds)} seeds: {', '.join(middles)}."
    rows = [[name, *map(describe, one.score)] for name, one in each.items()]
    table = Table(
        ["", *(f"seed {seed}" for seed in course.seeds)], rows, f"{course.metric.key} on the rows that decide"
    )
    return Section("Did it learn?", (Text(words, "lead"), table))


def _looked_at(checkup: Checkup) -> Section | None:
    course, reference = checkup.chart.course, checkup.chart.reference
    if course is None or not course.epochs:
        return None
    each = {"this network": course, **({"an ordinary one": reference} if reference is not None else {})}
    middles = {
        name: np.ma.median(np.ma.masked_invalid(one.history["loss"]), 0).filled(np.nan) for name, one in each.items()
    }
    drawn = {name: (np.arange(1, len(line) + 1), line) for name, line in middles.items()}
    told = f"Loss of training by epoch, median of {len(course.seeds)} seeds."
    return Section("How it learned", (Chart(lines(drawn, "epoch", "loss"), told),))


def of_cure(cure: Cure, data: Dataset | None) -> Report:
    """Did it help, what was wrong before, what to do, and the recipe."""
    sections = [
        helped(cure.facts()),
        health(cure.checkup.facts(), "What was wrong before?"),
        advice(cure.checkup, cure.original, data, cure),
        _looked_at(cure.checkup),
        recipe(cure.recipe),
    ]
    return page(f"cure of {cure.checkup.title}", sections)


def of_study(study: Study) -> Report:
    """The best trial, its health, and what the search found out."""
    run, data = study.best.run, study.data if len(study.data.train) else None
    checkup = examine(run)
    sections = [
        found(study),
        health(checkup.facts(), "Is the best healthy?"),
        advice(checkup, run.recipe, data, None),
        *searched(study),
        recipe(study.best.recipe, script(run, data)),
        facts(run, data),
    ]
    return page(f"search on {study.data.title}", sections)


def page(title: str, sections: Sequence[Section | None]) -> Report:
    """A report of the sections that there are."""
    return Report(f"Kilter: {title}", tuple(section for section in sections if section is not None))
