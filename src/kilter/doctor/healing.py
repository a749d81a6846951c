"""Training with a doctor beside it: what goes wrong is said while it happens, and a lost run is cured and begun again."""

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kilter.core import files, job
from kilter.core.checks import check_seed
from kilter.core.devices import check_devices
from kilter.core.doubts import warn
from kilter.core.errors import DoubtWarning
from kilter.data.dataset import Dataset
from kilter.doctor.attendant import Attendant, FindingWarning
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import cure
from kilter.train import launch
from kilter.train.check import check
from kilter.train.interrupt import interruptible
from kilter.train.keeper import Keeper
from kilter.train.launch import train_fleet
from kilter.train.notes import joining, note_ends, note_joined, noted
from kilter.train.outcome import Outcome
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.task import Task
from kilter.train.watching import check_watch
from kilter.vitals.watch import Watch, watch_of

_FOUND = "cure.json"


def train(
    recipe: Recipe,
    data: Dataset,
    *,
    seed: int = 0,
    start: Run | None = None,
    watch: Watch | str | None = None,
    heal: bool = False,
    checkpoint: str | Path | None = None,
    every: str | float = "5min",
    keep: int = 3,
    devices: int | str | None = None,
    shard: bool | None = None,
    log: str | Path | None = None,
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
        heal: whether a run that is lost (it diverges, or has learned nothing after three tenths of its epochs and
            100 updates) is stopped, cured (`kl.cure`) and begun again with the proved recipe, which a warning says; the
            run's recipe is then that.
        checkpoint: folder in which the training is kept on its way: when the process has ended, however that came about,
            the same call goes on from the last checkpoint and gives the same run, bit for bit; when all is done, at once.
        every: how often a checkpoint is due: seconds, or words such as ``"30s"``, ``"5min"``, ``"1h"``, ``"10 epochs"``.
        keep: how many of the last checkpoints stay, besides the one of the best score.
        devices: that every batch is spread over, or ``"all"``; left open, one, or all of a job (`kl.distributed`). The
            network is the one that a single device trains, within rounding: batch norm sees the whole batch, masks are
            the same; a batch that they do not divide is padded and the padding masked.
        shard: whether the devices keep the optimizer's state and the best weights in shards rather than whole; left
            open, where memory asks for it.
        log: path to which ``.log.jsonl`` is added for a file that epochs and findings are noted in as they
            come, and how a lost run is begun again; `kilter board` shows it.
        progress: show a progress line; left open, if standard error is a terminal.

    Raises:
        InputError: the recipe does not fit the data, there are fewer devices, or the folder is of another training. Raised
            before anything compiles.
        FileError: the folder cannot be written or read, or another process trains in it.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(3))
    >>> recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=30)
    >>> run = kl.train(recipe, kl.data.iris())
    >>> run.score > 0.9
    True
    """
    watch = watch_of(watch)
    kept: dict[str, Any] = {"every": every, "keep": keep}
    if devices is None and job.processes() > 1:
        devices = "all"
    if watch is None and not heal:
        runs = train_fleet(
            [recipe], data, seeds=[seed], start=start, checkpoint=checkpoint, devices=devices, shard=shard, log=log,
            progress=progress, **kept,
        )  # fmt: skip
        return runs[0]
    seed = check_seed(seed)
    check(recipe, data)
    if watch is not None:
        check_watch(watch, [recipe], data)
    task = Task([(recipe, seed)], data, start, watch=watch, devices=check_devices(devices), shard=shard)
    with Keeper.held(checkpoint, task, heal=heal, **kept) as keeper:
        if keeper is not None and keeper.runs:
            return keeper.runs[0]
        run = _healthy(replace(task, keeper=keeper), heal, log, progress, kept)
        if keeper is not None:
            keeper.end([0], [run], None)
    return run


def _healthy(task: Task, heal: bool, log: str | Path | None, progress: bool | None, kept: dict[str, Any]) -> Run:
    """The run of a task, or where it is lost and to be healed that of the proved recipe, if there is one."""
    found = Found.kept(task.keeper)
    if found.recipe is None:
        run, found = _tended(task, heal, log, progress)
        if found.recipe is None:
            return replace(run, outcome=Outcome.INTERRUPTED) if found.stopped else run
    return _anew(task, found, log, progress, kept)


@dataclass(frozen=True)
class Found:
    """What was found for a lost run.

    Attributes:
        recipe: that is proved to be better; None where none is.
        sentence: that says so.
        journal: its position behind what was noted of the lost run.
        stopped: whether someone has asked to stop before it was clear.
    """

    recipe: Recipe | None = None
    sentence: str = ""
    journal: int | None = None
    stopped: bool = False

    @classmethod
    def kept(cls, keeper: Keeper | None) -> "Found":
        """What a keeper has of it; nothing where none has looked."""
        file = None if keeper is None else keeper.folder / _FOUND
        if file is None or not file.exists():
            return cls()
        facts = json.loads(files.read(file))
        return cls(facts["recipe"] and Recipe.from_json(facts["recipe"]), facts["sentence"], facts["journal"])

    def keep(self, keeper: Keeper | None) -> None:
        """Leave it with a keeper, unless it was stopped."""
        if keeper is not None and not self.stopped:
            facts = {
                "recipe": self.recipe and self.recipe.to_json(),
                "sentence": self.sentence,
                "journal": self.journal,
            }
            files.write(keeper.folder / _FOUND, json.dumps(facts).encode())


def _tended(task: Task, heal: bool, log: str | Path | None, progress: bool | None) -> tuple[Run, Found]:
    """One training that is looked at on its way and, where it is to be healed and lost, what is found for it."""
    with noted(task, log) as task:
        attendant = Attendant(task, heal)
        ((_, fleet),) = launch.fleets(replace(task, visitor=attendant))
        with interruptible() as stop:
            (run,) = fleet.run(progress, stop)
        if attendant.hopeless is None:
            attendant.discharge(run, fleet)
        note_ends(task, [0], [run], outcome="lost" if attendant.hopeless else None)
        if attendant.hopeless is None:
            return run, Found()
        return run, _found(task, run, attendant.hopeless, log, progress)


def _found(task: Task, run: Run, checkup: Checkup, log: str | Path | None, progress: bool | None) -> Found:
    """What there is for a lost run; the cure has a journal beside that of the run."""
    _told(task, "the run is lost, and a cure is looked for")
    found = Found.kept(task.keeper)
    if not found.sentence:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DoubtWarning)
            own = None if log is None else f"{log}-cure"
            made = cure(run.recipe, task.data, checkup=checkup, seed=run.seed, log=own, progress=progress)
        found = Found(made.recipe if made.healed else None, made.sentence, stopped=made.stopped)
    words = "the run is lost, and was not healed" if found.recipe is None else "the run was lost and is begun again"
    _told(task, f"{words}: {found.sentence}")
    warn(f"{words}: {found.sentence}", FindingWarning)
    if found.recipe is not None:
        note_joined(task, found.recipe, run.seed)
    found = replace(found, journal=task.journal and task.journal.position)
    found.keep(task.keeper)
    return found


def _anew(task: Task, found: Found, log: str | Path | None, progress: bool | None, kept: dict[str, Any]) -> Run:
    """The run of the proved recipe, kept in a folder of its own inside that of the lost one, in the same journal."""
    assert found.recipe is not None
    own = joining(task, found.recipe)
    if own.watch is not None:
        check_watch(own.watch, [found.recipe], own.data)
    folder = None if task.keeper is None else task.keeper.folder / "healed"
    with Keeper.held(folder, own, **kept) as keeper:
        if keeper is not None and keeper.runs:
            return keeper.runs[0]
        before = [found.journal, None if keeper is None else keeper.position]
        since = max((each for each in before if each is not None), default=None)
        with noted(task, log, since=since) as told:
            own = replace(own, journal=told.journal, keeper=keeper)
            ((_, fleet),) = launch.fleets(own)
            with interruptible() as stop:
                (run,) = fleet.run(progress, stop)
            note_ends(own, [0], [run])
            if keeper is not None:
                keeper.end([0], [run], own.journal)
    return run


def _told(task: Task, words: str) -> None:
    if task.journal is not None:
        task.journal.add(told=words)
