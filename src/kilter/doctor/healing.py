"""Training with a doctor beside it: what goes wrong is said while it happens, and a lost run is cured and begun again."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kilter.core.errors import DoubtWarning
from kilter.data.dataset import Dataset
from kilter.doctor.alone import lost
from kilter.doctor.chart import Chart
from kilter.doctor.checkup import Checkup
from kilter.doctor.courses import course_of
from kilter.doctor.cure import cure
from kilter.doctor.examine import design_of, diagnosed
from kilter.doctor.facts import Facts
from kilter.doctor.finding import Finding
from kilter.doctor.probe import Patient
from kilter.train import launch
from kilter.train.check import check
from kilter.train.interrupt import interruptible
from kilter.train.outcome import Outcome
from kilter.train.recipe import Recipe
from kilter.train.rows import scalings
from kilter.train.run import Run
from kilter.train.task import Task
from kilter.vitals.watch import Watch, watch_of


class FindingWarning(UserWarning):
    """Something is going wrong in a training that is being watched."""


def train(
    recipe: Recipe,
    data: Dataset,
    *,
    seed: int = 0,
    start: Run | None = None,
    watch: Watch | str | None = None,
    heal: bool = False,
    progress: bool | None = None,
) -> Run:
    """Train one network.

    The same recipe, data and seed give the same run, bit for bit, on the same machine, watched or not.

    Args:
        recipe: what to train and how.
        data: made by `kilter.data`.
        seed: of the initial weights, the order of the rows and dropout.
        start: a run whose weights to go on from, rather than fresh ones, on the scale that its inputs and targets had;
            the optimizer begins anew.
        watch: what is measured of layers, gradients and weights on the way, for ``run.vitals``: a `kl.Watch`, or
            ``"default"``. What goes wrong is then said at once, in a `FindingWarning` of one sentence.
        heal: whether a run that is lost (it diverges, or has learned nothing after three tenths of its epochs) is stopped,
            cured (`kl.cure`) and begun again with the proved recipe, which a warning says; the run's recipe is then that.
        progress: show a progress line; left open, if standard error is a terminal.

    Raises:
        InputError: the recipe does not fit the data; raised before anything compiles.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(3))
    >>> recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=30)
    >>> run = kl.train(recipe, kl.data.iris())
    >>> run.score > 0.9
    True
    """
    if watch is None and not heal:
        return launch.train(recipe, data, seed=seed, start=start, progress=progress)
    attended = _Attended(recipe, data, seed, start, watch_of(watch), progress)
    run = attended.run()
    if not heal or not attended.lost:
        return run
    return _begun_again(run, attended.checkup, watch, progress, data)


class _Attended:
    """One training, looked at after 1, 2, 4, 8, ... epochs."""

    def __init__(
        self, recipe: Recipe, data: Dataset, seed: int, start: Run | None, watch: Watch | None, progress: bool | None
    ) -> None:
        self.recipe, self.data, self.seed, self.start, self.watch, self.progress = (
            recipe,
            data,
            seed,
            start,
            watch,
            progress,
        )
        self.said: set[Any] = set()
        self.lost = False
        self.checkup: Checkup | None = None

    def run(self) -> Run:
        """Train until the end, or until it is lost."""
        check(self.recipe, self.data)
        chart = self._before()
        run = None
        for run in self._parts():
            course = course_of([run], self.data, run.outcome is not Outcome.PAUSED)
            self.lost = lost(replace(chart, course=course), self.recipe.epochs)
            self.checkup = self._told(replace(chart, course=course))
            if self.lost or run.outcome is Outcome.INTERRUPTED:
                break
        assert run is not None
        return run

    def _before(self) -> Chart:
        """What there is to see before the first epoch."""
        scaling = scalings(self.recipe, self.data)
        facts = Facts.of(self.data, scaling[0].apply(self.data.train.x), scaling[1].apply(self.data.train.y))
        chart = Chart(design_of(self.recipe, self.data.shape, len(self.data.train)), facts)
        patient = Patient(self.recipe, self.data, (self.seed,), scaling)
        return replace(chart, start=patient.start(chart.design.anatomy))

    def _parts(self) -> Iterator[Run]:
        """The run after 1, 2, 4, ... epochs, and at its end; it goes on where it paused, bit for bit."""
        ends = [1 << power for power in range(max(self.recipe.epochs - 1, 0).bit_length())]
        task = Task([(self.recipe, self.seed)], self.data, self.start, watch=self.watch)
        with interruptible() as stop:
            for end in [*(end for end in ends if end < self.recipe.epochs), None]:
                ((_, fleet),) = launch.fleets(replace(task, until=end))
                (run,) = fleet.run(self.progress, stop)
                yield run
                if run.outcome is not Outcome.PAUSED:
                    return
                task = replace(task, start=None, paused=fleet.paused())

    def _told(self, chart: Chart) -> Checkup:
        """What the rules say; each finding is said once."""
        check = diagnosed(chart, self.data.title, 0.0, bad=self.lost)
        for finding in check.findings:
            if (finding.rule, finding.place) not in self.said:
                self.said.add((finding.rule, finding.place))
                warnings.warn(_sentence(finding, chart), FindingWarning, stacklevel=4)
        return check


def _sentence(finding: Finding, chart: Chart) -> str:
    course = chart.course
    epochs = 0 if course is None else course.history["loss"].shape[1]
    return f"after epoch {epochs}: {finding.told}"


def _begun_again(run: Run, checkup: Checkup | None, watch: Any, progress: bool | None, data: Dataset) -> Run:
    """The run of the cured recipe; the lost one where no cure was found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtWarning)
        found = cure(run.recipe, data, checkup=checkup, seed=run.seed, progress=progress)
    if not found.healed:
        warnings.warn(f"the run is lost, and was not healed: {found.sentence}", FindingWarning, stacklevel=3)
        return run
    warnings.warn(f"the run was lost and is begun again: {found.sentence}", FindingWarning, stacklevel=3)
    return launch.train(found.recipe, data, seed=run.seed, watch=watch, progress=progress)
