"""The examination: stage by stage, from what costs nothing to the whole training, then the rules over all that was seen."""

import time
import warnings
from dataclasses import replace
from typing import Any, Literal

from kilter.core.errors import DoubtWarning, InputError
from kilter.core.paths import walk
from kilter.data.dataset import Dataset
from kilter.doctor import rules
from kilter.doctor.anatomy import Anatomy
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
# Seeds, and operations that may be spent on the training (a second of a core is some thousand million).
_DEPTHS: dict[str, tuple[int, float]] = {"quick": (3, 6e10), "full": (5, 1e13)}


def examine(recipe: Recipe | Run, data: Dataset, *, depth: Depth = "quick", seed: int = 0) -> Checkup:
    """Say whether a training is healthy, and what is wrong with it and where.

    In stages: what was chosen, and the rows, without running anything; the untrained network on one batch; its first updates;
    the training, on several seeds as one fleet, beside a recipe that is known to work at the same cost. What a rule sees counts
    where the training is worse than that reference, or where it is a mistake whatever the score.

    Args:
        recipe: to be examined, or a run of one.
        data: that it trains on.
        depth: ``"quick"``: three seeds and about a minute of a core at most, so that a long training is looked at in its first epochs
            only, and what is hopeless before is not trained; ``"full"``: five seeds and the whole training.
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
    recipe = recipe.recipe if isinstance(recipe, Run) else recipe
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtWarning)  # what is doubtful is a finding here
        check(recipe, data)
        chart = observed(recipe, data, depth, seed)
    return diagnosed(chart, data.title, time.perf_counter() - began)


def observed(recipe: Recipe, data: Dataset, depth: Depth, seed: int) -> Chart:
    """All that is seen of a training at this depth."""
    count, budget = _DEPTHS[depth]
    seeds = tuple(range(seed, seed + count))
    scaling = scalings(recipe, data)
    rows = Facts.of(data, scaling[0].apply(data.train.x), scaling[1].apply(data.train.y))
    chart = Chart(design_of(recipe, data), rows)
    if depth == "quick" and hopeless(chart):
        return chart
    patient = Patient(recipe, data, seeds, scaling)
    chart = replace(chart, start=patient.start(chart.design.anatomy))
    chart = replace(chart, steps=patient.steps())
    reference = overhaul(recipe, data)
    part = extent(recipe, data, count, budget)
    whole = trained([recipe, reference], part.data, seeds, part.until)
    own, other = (course_of(runs, part.data, part.whole) for runs in whole)
    chart = replace(chart, course=own, reference=other)
    if depth == "full" or unwell(chart):
        chart = replace(chart, course=with_organs(own, whole[0], chart.design.anatomy, patient.x))
    return chart


def design_of(recipe: Recipe, data: Dataset) -> Design:
    """What a recipe says, as the rules read it."""
    batch = min(recipe.batch_size, len(data.train))
    anatomy = Anatomy.of(recipe, data.shape)
    return Design(anatomy, recipe.loss, recipe.optimizer, batch, recipe.epochs, pull(recipe), recipe.shuffle, recipe)


def pull(recipe: Recipe) -> float:
    """Strength of what pulls weights to zero: lambda where the gradient of the penalty is lambda w, and decoupled decay."""
    penalty = recipe.penalty
    coupled = {ElasticNet: "l2", L2: "strength"}.get(type(penalty), "")
    decays = [value.weight_decay for _, value in walk(recipe.optimizer) if hasattr(value, "weight_decay")]
    return max([float(getattr(penalty, coupled, 0.0)), *map(float, decays)])


def hopeless(chart: Chart) -> bool:
    """Whether there is a mistake with which no training can be of use."""
    return any(f.severity is Severity.ERROR and r.certain for r, f in seen(chart))


def seen(chart: Chart) -> list[tuple[Rule, Finding]]:
    """What each rule sees in a chart, in the order of the rules."""
    return [(rule, finding) for rule in rules.ALL for finding in rule(chart)]


def diagnosed(chart: Chart, title: str, seconds: float) -> Checkup:
    """What the rules make of a chart: findings that matter, worst first, and notes."""
    bad = unwell(chart)
    findings, notes = [], []
    for rule, finding in seen(chart):
        counts = finding.severity is not Severity.NOTE and (rule.certain or bad is not False)
        (findings if counts else notes).append(finding)
    findings = ranked(findings)
    why = "" if findings else undecided(chart)
    return Checkup(tuple(findings), tuple(notes), why, chart, title, seconds)


def ranked(findings: list[Finding]) -> list[Finding]:
    """Worst first; of each cause the first finding before the others of the same, so that the next cause is seen at once."""
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
