"""The attendant: looks at a training while it goes on, says what goes wrong at once, and ends what is lost."""

from collections.abc import Mapping
from dataclasses import replace

from kilter.core.doubts import warn
from kilter.doctor.alone import lost
from kilter.doctor.anatomy import Anatomy
from kilter.doctor.chart import Chart, Course, Start
from kilter.doctor.checkup import Checkup
from kilter.doctor.courses import chance_score, course_of
from kilter.doctor.examine import design_of, diagnosed, still
from kilter.doctor.facts import Facts
from kilter.doctor.finding import Finding
from kilter.doctor.glimpse import glimpse_of
from kilter.doctor.probe import Patient, start_of
from kilter.train.fleet import Fleet
from kilter.train.outcome import Outcome
from kilter.train.run import Run
from kilter.train.task import Task
from kilter.vitals.taps import places_of


class FindingWarning(UserWarning):
    """Something is going wrong in a training that is being watched."""


class Attendant:
    """The visitor of one training, with a journal and a keeper where the task has them.

    Args:
        task: of one member.
        heal: whether the training is to end where it is lost.

    Attributes:
        hopeless: what is wrong with it, once it is lost and to be healed; else None.
    """

    def __init__(self, task: Task, heal: bool) -> None:
        ((recipe, _),) = task.members
        self.hopeless: Checkup | None = None
        self._task, self._heal, self._epochs = task, heal, recipe.epochs
        self._chart: Chart | None = None
        self._known: Mapping[str, list[Finding]] = {}
        self._chance = chance_score(recipe, task.data)
        self._said = set() if task.keeper is None else set(map(tuple, task.keeper.more.get("said", ())))

    def __call__(self, fleet: Fleet) -> bool:
        """Look at the training between two epochs; whether it is lost and to be healed."""
        return self._look(glimpse_of(fleet, self._chance), fleet)

    def discharge(self, run: Run, fleet: Fleet) -> None:
        """Look at the training that has ended."""
        interrupted = run.outcome is Outcome.INTERRUPTED
        self._look(course_of([run], self._task.data, not interrupted), fleet, interrupted=interrupted)

    def _look(self, course: Course, fleet: Fleet, interrupted: bool = False) -> bool:
        if self._chart is None:
            self._chart = _before(fleet)
            self._known = still(self._chart)
        chart = replace(self._chart, course=course)
        bad = lost(chart, self._epochs)
        checkup = diagnosed(chart, self._task.data.title, 0.0, bad=bad, known=self._known)
        if self._say(checkup, course.epochs) and not interrupted:
            fleet.keep()  # so that it is not said again
        if bad and self._heal and not interrupted:
            self.hopeless = checkup
        return self.hopeless is not None

    def _say(self, checkup: Checkup, epochs: int) -> bool:
        """Say what was not said before; whether there was anything."""
        fresh = [finding for finding in checkup.findings if (finding.rule, finding.place) not in self._said]
        for finding in fresh:
            told = f"after epoch {epochs}: {finding.told}"
            warn(told, FindingWarning)
            if self._task.journal is not None:
                self._task.journal.add(found=told)
            self._said.add((finding.rule, finding.place))
        if self._task.keeper is not None:
            self._task.keeper.more["said"] = sorted(self._said)
        return bool(fresh)


def _before(fleet: Fleet) -> Chart:
    """What there was to see before the first epoch."""
    ((recipe, _),), data = fleet.task.members, fleet.data
    design = design_of(recipe, data.shape, len(data.train))
    return Chart(design, Facts.of(data, *fleet.scaling), _start(fleet, design.anatomy))


def _start(fleet: Fleet, anatomy: Anatomy) -> Start:
    """The untrained network: as it was recorded where all of it is watched, else looked at for this."""
    ((recipe, seed),), data = fleet.task.members, fleet.data
    places, trace = places_of(recipe.net, data.shape), fleet.watcher.trace(0)
    if trace is None or not trace.tells_all(places):
        return Patient(recipe, data, (seed,), fleet.scaling).start(anatomy)
    chance = recipe.loss.chance(fleet.scaling[1].apply(data.train.y), data.classes)
    return start_of(places, trace[:1].vitals, fleet.began_with(), anatomy, chance)
