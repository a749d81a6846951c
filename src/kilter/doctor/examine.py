"""The examination: stage by stage, from what costs nothing to the whole training, then the rules over all that was seen."""

import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

from kilter.core.errors import DoubtWarning, InputError
from kilter.core.paths import walk
from kilter.data.dataset import Dataset
from kilter.doctor import rules
from kilter.doctor.alone import lost
from kilter.doctor.anatomy import Anatomy
from kilter.doctor.broke import broken
from kilter.doctor.chart import Chart, Design
from kilter.doctor.checkup import Checkup
from kilter.doctor.courses import course_of, extent, trained, with_organs
from kilter.doctor.facts import Facts
from kilter.doctor.finding import Finding
from kilter.doctor.probe import Patient
from kilter.doctor.remedies import overhaul
from kilter.doctor.rule import Rule
from kilter.doctor.verdict import undecided, unwell
from kilter.doctor.words import Severity
from kilter.losses import L2, ElasticNet
from kilter.train.check import check
from kilter.train.recipe import Recipe
from kilter.train.rows import scalings
from kilter.train.run import Run

Depth = Literal["quick", "full"]
Known = Mapping[str, list[Finding]]
# Seeds, and operations that may be spent on the training (a second of a core is some thousand million).
_DEPTHS: dict[str, tuple[int, float]] = {"quick": (3, 6e10), "full": (5, 1e13)}


def examine(recipe: Recipe | Run, data: Dataset | None = None, *, depth: Depth = "quick", seed: int = 0) -> Checkup:
    """Say whether a training is healthy, and what is wrong with it and where.

    In stages: what was chosen, and the rows, without running anything; the untrained network on one batch; its first
    updates; the training, on several seeds as one fleet, beside a recipe that is known to work at the same cost. What a
    rule sees counts where the training is worse than that reference, or where it is a mistake whatever the score.

    Args:
        recipe: to be examined; or a run, whose own course is looked at in place of trainings.
        data: that it trains on, of a stream its sample; a run can do without, with little then said of inputs and signals.
        depth: ``"quick"``: three seeds and about a minute of a core at most, so that a long training is looked at in its
            first epochs only, and what is hopeless before is not trained; ``"full"``: five seeds and the whole training.
        seed: of the first of the seeds.

    Raises:
        InputError: the recipe does not fit the data.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(3))
    >>> recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(-0.01), epochs=20)
    >>> check = kl.examine(recipe, kl.data.iris())
    >>> check.verdict, str(check.cause)
    ('findings', 'lr_negative')
    """
    if depth not in _DEPTHS:
        raise InputError(f"depth must be 'quick' or 'full', got {depth!r}")
    began = time.perf_counter()
    if isinstance(recipe, Run):
        return _of_run(recipe, None if data is None else data.sample, depth)
    if data is None:
        raise InputError("examine(recipe) needs the data that it trains on: kl.examine(recipe, data)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtWarning)  # what is doubtful is a finding here
        check(recipe, data)
        chart = observed(recipe, data.sample, depth, seed)
    return diagnosed(chart, data.title, time.perf_counter() - began)


def observed(recipe: Recipe, data: Dataset, depth: Depth, seed: int) -> Chart:
    """All that is seen of a training at this depth."""
    count, budget = _DEPTHS[depth]
    seeds = tuple(range(seed, seed + count))
    scaling = scalings(recipe, data)
    rows = Facts.of(data, *scaling)
    chart = Chart(design_of(recipe, data.shape, len(data.train)), rows)
    if depth == "quick" and hopeless(chart):
        return chart
    patient = Patient(recipe, data, seeds, scaling)
    chart = replace(chart, start=patient.start(chart.design.anatomy))
    part = extent(recipe, data, count, budget)
    if not part.whole:  # a short training shows by itself what its first updates do
        chart = replace(chart, steps=patient.steps())
        if depth == "quick" and hopeless(chart):
            return chart
    reference = overhaul(recipe, data)
    whole = trained([recipe, reference], part.data, seeds, part.until)
    own, other = (course_of(runs, part.data, part.whole) for runs in whole)
    own = broken(own, recipe, part.data)
    chart = replace(chart, course=own, reference=other)
    if depth == "quick" and not unwell(chart):
        return chart
    own = with_organs(own, whole[0], chart.design.anatomy, patient.x)
    return replace(chart, course=own, drill=patient.drill())


def _of_run(run: Run, data: Dataset | None, depth: Depth) -> Checkup:
    """The examination of a run: its own course, beside a reference where there are rows and they can be trained on."""
    began, recipe = time.perf_counter(), run.recipe
    chart = Chart(design_of(recipe, run.shape), course=course_of([run], data, whole=True))
    if data is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DoubtWarning)
            chart = _with_rows(chart, run, data, depth)
    bad = unwell(chart) if chart.reference is not None else lost(chart, recipe.epochs)
    return diagnosed(chart, run.title, time.perf_counter() - began, bad=bad)


def _with_rows(chart: Chart, run: Run, data: Dataset, depth: Depth) -> Chart:
    check(run.recipe, data)
    inputs, targets = run.inputs, run.targets
    rows = Facts.of(data, inputs, targets)
    patient = Patient(run.recipe, data, (run.seed,), (inputs, targets))
    assert chart.course is not None
    course = with_organs(chart.course, [run], chart.design.anatomy, patient.x)
    chart = replace(chart, facts=rows, start=patient.start(chart.design.anatomy), course=course)
    count, budget = _DEPTHS[depth]
    reference = overhaul(run.recipe, data)
    part = extent(reference, data, count, budget)
    if not part.whole:
        return chart
    runs = trained([reference], data, range(run.seed, run.seed + count))[0]
    return replace(chart, reference=course_of(runs, data, whole=True))


def design_of(recipe: Recipe, shape: tuple[int, ...], rows: int | None = None) -> Design:
    """What a recipe says of examples of a shape, as the rules read it."""
    batch = recipe.batch_size if rows is None else min(recipe.batch_size, rows)
    anatomy = Anatomy.of(recipe, shape)
    return Design(anatomy, recipe.loss, recipe.optimizer, batch, recipe.epochs, pull(recipe), recipe.shuffle, recipe)


def pull(recipe: Recipe) -> float:
    """Strength of what pulls weights to zero: lambda where the gradient of the penalty is lambda w, and decoupled decay."""
    penalty = recipe.penalty
    coupled = {ElasticNet: "l2", L2: "strength"}.get(type(penalty), "")
    decays = [value.weight_decay for _, value in walk(recipe.optimizer) if hasattr(value, "weight_decay")]
    return max([float(getattr(penalty, coupled, 0.0)), *map(float, decays)])


def hopeless(chart: Chart) -> bool:
    """Whether there is a mistake with which no training can be of use, or the loss has exploded at once."""
    return any(f.severity is Severity.ERROR and (r.certain or r.needs == "steps") for r, f in seen(chart))


def seen(chart: Chart, known: Known = MappingProxyType({})) -> list[tuple[Rule, Finding]]:
    """What each rule sees in a chart, in the order of the rules; of those in ``known`` that is known."""
    each = ((rule, known[rule.name] if rule.name in known else rule(chart)) for rule in rules.ALL)
    return [(rule, finding) for rule, findings in each for finding in findings]


def still(chart: Chart) -> Known:
    """What rules see that look at something else than the course of the training."""
    return {rule.name: rule(chart) for rule in rules.ALL if rule.needs != "course"}


def diagnosed(
    chart: Chart, title: str, seconds: float, *, bad: bool | None = None, known: Known = MappingProxyType({})
) -> Checkup:
    """What the rules make of a chart: findings that matter, worst first, and notes.

    Args:
        chart: what was seen.
        title: of what was examined.
        seconds: that it took.
        bad: whether the training is worse than it should be; left open, it is told from the chart.
        known: what rules have seen in it before, by their names.
    """
    bad = unwell(chart) if bad is None else bad
    findings, notes = [], []
    for rule, finding in seen(chart, known):
        counts = finding.severity is not Severity.NOTE and (rule.certain or bad is not False)
        (findings if counts else notes).append(finding)
    findings = ranked(findings)
    alone = chart.reference is None and bad is False  # judged by its own course: it has learned something
    why = "" if findings or alone else undecided(chart)
    return Checkup(tuple(findings), tuple(notes), why, chart, title, seconds)


def ranked(findings: list[Finding]) -> list[Finding]:
    """Worst first; of each cause the first finding before the others of it, so that the next cause is seen at once."""
    ordered = sorted(findings, key=lambda finding: -finding.severity)
    met: set[Any] = set()
    first, again = [], []
    for finding in ordered:
        (again if finding.cause in met else first).append(finding)
        met.add(finding.cause)
    return _linked(first) + again


def _linked(findings: list[Finding]) -> list[Finding]:
    """Each finding with the causes of those behind it in front of its other explanations."""
    causes = [finding.cause for finding in findings]
    return [
        replace(finding, alternatives=tuple(dict.fromkeys((*causes[index + 1 :], *finding.alternatives))))
        for index, finding in enumerate(findings)
    ]
