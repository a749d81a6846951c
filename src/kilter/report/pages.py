"""The pages: what is shown of a run, of several, of a checkup, a cure and a study, in the order of a reader's questions."""

from collections.abc import Sequence

import numpy as np

from kilter.data.dataset import Dataset
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import Cure
from kilter.doctor.examine import examine
from kilter.metrics import describe
from kilter.report.blocks import Chart, Section, Table, Text
from kilter.report.charts import lines
from kilter.report.evidence import curves, signal, weights
from kilter.report.health import advice, health
from kilter.report.learned import learned
from kilter.report.predictions import predictions
from kilter.report.repeat import facts, recipe, script
from kilter.report.report import Report
from kilter.report.searched import searched
from kilter.search.study import Study
from kilter.train.run import Run
from kilter.train.runs import differences

# Runs whose curves are drawn over each other.
_OVERLAID = 40


def of_run(run: Run, data: Dataset | None, checkup: Checkup | None, cure: Cure | None) -> Report:
    """Did it learn, is it healthy, what to do, and the evidence."""
    checkup = examine(run) if checkup is None else checkup
    sections = [
        learned(run, data),
        health(checkup),
        advice(checkup, run.recipe, data, cure),
        curves(run),
        None if run.vitals is None else signal(run.vitals, run.recipe.net),
        None if data is None else predictions(run, data),
        weights(run),
        recipe(run.recipe, script(run, data)),
        facts(run, data),
    ]
    return _page(run.title, sections)


def of_runs(runs: Sequence[Run], data: Dataset | None) -> Report:
    """The best, all scores, all curves, and what differs."""
    metric = runs[0].metric
    sign = 1.0 if metric.higher_is_better else -1.0
    ranked = sorted(runs, key=lambda run: -np.nan_to_num(sign * run.score, nan=-np.inf))
    best = ranked[0]
    middle = describe(_middle(runs))
    words = f"The best of {len(runs)} runs has {metric.key} {describe(best.score)}; the middle one {middle}."
    own = dict(zip(map(id, runs), differences([run.recipe for run in runs]), strict=True))
    names = list(dict.fromkeys(name for each in own.values() for name in each))
    rows = [
        [
            str(place + 1),
            describe(run.score),
            run.outcome.name.lower(),
            str(run.seed),
            *(str(own[id(run)].get(n, "")) for n in names),
        ]
        for place, run in enumerate(ranked)
    ]
    table = Table(["rank", metric.key, "outcome", "seed", *names], rows, "All runs, best first")
    shown = ranked[:_OVERLAID]
    overlay = [
        Chart(
            lines(_overlaid(shown, name), "epoch", name), f"{name} by epoch of the {len(shown)} best runs.", height=380
        )
        for name in ("loss", f"val_{metric.key}")
        if name in best.history and len(best.history[name])
    ]
    sections = [
        Section("Did they learn?", (Text(words, "lead"), table)),
        Section("How they learned", tuple(overlay)) if overlay else None,
        recipe(best.recipe, script(best, data)),
        facts(best, data),
    ]
    return _page(f"{len(runs)} runs on {best.title}", sections)


def _middle(runs: Sequence[Run]) -> float:
    return (
        float(np.nanmedian([run.score for run in runs]))
        if any(run.score == run.score for run in runs)
        else float("nan")
    )


def _overlaid(runs: Sequence[Run], name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {
        f"{place + 1}: seed {run.seed}": (np.arange(1, len(run.history[name]) + 1), run.history[name])
        for place, run in enumerate(runs)
    }


def of_checkup(checkup: Checkup, data: Dataset | None) -> Report:
    """Is it healthy, what to do, and the curves that were looked at."""
    design, course, reference = checkup.chart.design, checkup.chart.course, checkup.chart.reference
    drawn = None
    if course is not None and course.epochs:
        each = {
            "this network, median": course,
            **({"an ordinary one, median": reference} if reference is not None else {}),
        }
        middles = {name: np.nanmedian(one.history["loss"], 0) for name, one in each.items()}
        curves_of = {name: (np.arange(1, len(line) + 1), line) for name, line in middles.items()}
        told = f"Loss of training by epoch, median of {len(course.seeds)} seeds."
        drawn = Section("What was looked at", (Chart(lines(curves_of, "epoch", "loss"), told), _scores(checkup)))
    given = design.recipe
    sections = [health(checkup), advice(checkup, given, data, None), drawn, None if given is None else recipe(given)]
    return _page(f"checkup of {checkup.title}", sections)


def _scores(checkup: Checkup) -> Table:
    course, reference = checkup.chart.course, checkup.chart.reference
    assert course is not None
    each = {"this network": course, **({"an ordinary one": reference} if reference is not None else {})}
    rows = [[name, *(describe(score) for score in one.score)] for name, one in each.items()]
    return Table([course.metric.key, *(f"seed {seed}" for seed in course.seeds)], rows, "Scores")


def of_cure(cure: Cure, data: Dataset | None) -> Report:
    """What helps, what was wrong before, and the recipe."""
    sections = [advice(cure.checkup, cure.original, data, cure), health(cure.checkup), recipe(cure.recipe)]
    return _page(f"cure of {cure.checkup.title}", sections)


def of_study(study: Study) -> Report:
    """The best trial, and what the search found out."""
    return _page(f"search on {study.data.title}", [*searched(study), recipe(study.best.recipe)])


def _page(title: str, sections: Sequence[Section | None]) -> Report:
    return Report(f"Kilter: {title}", tuple(section for section in sections if section is not None))
