"""Training with a doctor beside it: what goes wrong is said while it happens, and a lost run is cured and begun again."""

import json
import warnings
from dataclasses import replace
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
from kilter.train.notes import joined, note_ends, noted
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.task import Task
from kilter.train.watching import check_watch
from kilter.vitals.watch import Watch, watch_of


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
        with noted(replace(task, keeper=keeper), log) as task:
            run, hopeless = _attended(task, heal, progress)
            note_ends(task, [0], [run], outcome="lost" if hopeless else None)
            if hopeless is not None:
                run = _begun_again(task, run, hopeless, log, progress, kept)
            if keeper is not None:
                keeper.end([0], [run], task.journal)
    return run


def _attended(task: Task, heal: bool, progress: bool | None) -> tuple[Run, Checkup | None]:
    """One training that is looked at on its way, and what is wrong with it where it is to be healed and lost."""
    attendant = Attendant(task, heal)
    ((_, fleet),) = launch.fleets(replace(task, visitor=attendant))
    with interruptible() as stop:
        (run,) = fleet.run(progress, stop)
    if attendant.hopeless is None:
        attendant.discharge(run, fleet)
    return run, attendant.hopeless


def _begun_again(
    task: Task, run: Run, checkup: Checkup, log: str | Path | None, progress: bool | None, kept: dict[str, Any]
) -> Run:
    """The run of the cured recipe; the lost one where no cure was found. The cure has a journal beside that of the run."""
    _told(task, "the run is lost, and a cure is looked for")
    recipe, sentence = _cured(run, checkup, task, None if log is None else f"{log}-cure", progress)
    words = "the run is lost, and was not healed" if recipe is None else "the run was lost and is begun again"
    _told(task, f"{words}: {sentence}")
    warn(f"{words}: {sentence}", FindingWarning)
    return run if recipe is None else _anew(joined(task, recipe, run.seed), progress, kept)


def _cured(run: Run, checkup: Checkup, task: Task, log: str | None, progress: bool | None) -> tuple[Recipe | None, str]:
    """The proved recipe, if any, and what there is to say of it; a keeper keeps both."""
    file = None if task.keeper is None else task.keeper.folder / "cure.json"
    if file is not None and file.exists():
        facts = json.loads(files.read(file))
        return facts["recipe"] and Recipe.from_json(facts["recipe"]), facts["sentence"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtWarning)
        found = cure(run.recipe, task.data, checkup=checkup, seed=run.seed, log=log, progress=progress)
    recipe = found.recipe if found.healed else None
    if file is not None and not found.stopped:
        facts = {"recipe": recipe and recipe.to_json(), "sentence": found.sentence}
        files.write(file, json.dumps(facts).encode())
    return recipe, found.sentence


def _anew(task: Task, progress: bool | None, kept: dict[str, Any]) -> Run:
    """The run of a task of one member, kept in a folder of its own inside that of the lost one."""
    if task.watch is not None:
        check_watch(task.watch, [task.members[0][0]], task.data)
    folder = None if task.keeper is None else task.keeper.folder / "healed"
    with Keeper.held(folder, task, **kept) as keeper:
        if keeper is not None and keeper.runs:
            return keeper.runs[0]
        ((_, fleet),) = launch.fleets(replace(task, keeper=keeper))
        with interruptible() as stop:
            (run,) = fleet.run(progress, stop)
        note_ends(task, [0], [run])
        if keeper is not None:
            keeper.end([0], [run], task.journal)
    return run


def _told(task: Task, words: str) -> None:
    if task.journal is not None:
        task.journal.add(told=words)
