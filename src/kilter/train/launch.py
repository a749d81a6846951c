"""Training one network, or every recipe with every seed: recipes of one structure make one fleet."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from kilter.core.checks import check_seed
from kilter.core.devices import check_devices, usable_cores
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.data.stream import Stream
from kilter.train.check import check_all
from kilter.train.fleet import Fleet
from kilter.train.interrupt import Interrupt, interruptible
from kilter.train.keeper import Keeper
from kilter.train.notes import note_ends, noted
from kilter.train.plan import Group, plan_of
from kilter.train.program import let_go
from kilter.train.recipe import Recipe
from kilter.train.rows import loader
from kilter.train.run import Run
from kilter.train.runs import Runs
from kilter.train.streaming import Streamed, StreamError
from kilter.train.task import Task
from kilter.train.watching import check_watch
from kilter.vitals.watch import Watch, watch_of

# Structures whose programs are held in memory. Each takes about 470 memory maps on a CPU, of which Linux grants a process
# 65,530: beyond these LLVM says that it cannot allocate memory.
_HELD = 32


def train_fleet(
    recipes: Sequence[Recipe],
    data: Dataset,
    *,
    seeds: Sequence[int] = (0,),
    start: Run | None = None,
    bootstrap: bool = False,
    watch: Watch | str | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = "5min",
    keep: int = 3,
    devices: int | str | None = None,
    shard: bool | None = None,
    log: str | Path | None = None,
    progress: bool | None = None,
) -> Runs:
    """Train every recipe with every seed; recipes of one structure, or cast in one mold, share one compiled program.

    A network of a fleet makes the same decisions as alone, and its numbers are the same within rounding: it does not matter
    which others train beside it, on how many devices, or whether these diverge.

    Args:
        recipes: any; those that differ in numbers and epochs alone train together, and those that differ in widths,
            activations, optimizers or batch sizes where that takes less than another compile (`kl.plan` tells).
        data: shared by all.
        seeds: one run a recipe and seed; runs of one seed see the same order of rows and the same dropout.
        start: a run whose weights all go on from, rather than fresh ones.
        bootstrap: train each seed on its own sample of the training rows, as many, drawn with replacement from the seed
            alone (bagging: Breiman 1996). Preprocessing and the metrics of the training part still see all rows.
        watch: what is measured of each network on the way; members that are watched share a program where their
            structures are the same, and are not cast in molds.
        checkpoint: folder in which the training is kept on its way: when the process has ended, however that came about,
            the same call goes on from the last checkpoint and gives the same runs, bit for bit; of those that have ended it
            gives what is kept. Members then are gathered by epochs rather than by seconds.
        every: how often a checkpoint is due: seconds, or words such as ``"30s"``, ``"5min"``, ``"1h"``, ``"10 epochs"``. Of
            rows in memory one is left at the end of an epoch, of a stream also within one.
        keep: how many of the last checkpoints stay, besides the one of the best score.
        devices: that the batches of each network are spread over, or ``"all"``; left open, one. Members are spread over
            all devices, those of all processes of a job, in groups of so many.
        shard: whether devices that share a batch keep the optimizer's state in shards; left open, where memory asks for it.
        log: path to which ``.log.jsonl`` is added for a file that epochs are noted in as they end; `kilter board` shows it.
        progress: show a progress line; left open, if standard error is a terminal.

    Returns:
        Runs in order: all seeds of the first recipe, then of the second, and so on; their ``frame()`` is a table.

    Raises:
        InputError: a recipe does not fit the data; the folder is of another training. Raised before anything compiles.
        FileError: the folder cannot be written or read, or another process trains in it.
    """
    if not recipes or not seeds:
        raise InputError(f"at least one recipe and one seed are needed, got {len(recipes)} and {len(seeds)}")
    seeds = tuple(map(check_seed, seeds))
    check_all(recipes, data)
    watch = watch_of(watch)
    if watch is not None:
        check_watch(watch, recipes, data)
    if bootstrap and isinstance(data, Stream):
        raise InputError(
            "bootstrap needs all rows in memory, but these are a stream; use kl.data.from_table or from_arrays"
        )
    if bootstrap:
        data = replace(data, title=f"{data.title}, bootstrap sample")
    members, ways = [(recipe, seed) for recipe in recipes for seed in seeds], check_devices(devices)
    task = Task(members, data, start, bootstrap, watch=watch, devices=ways, shard=shard)
    with Keeper.held(checkpoint, task, every=every, keep=keep) as keeper:
        runs = _trained(replace(task, keeper=keeper), log, progress)
    return Runs((runs[index] for index in range(len(task.members))), seeds=len(seeds))


def _trained(task: Task, log: str | Path | None, progress: bool | None) -> dict[int, Run]:
    """The runs by place; those that the task's keeper has are not trained again."""
    runs = {} if task.keeper is None else dict(task.keeper.runs)
    if len(runs) == len(task.members):
        return runs
    with noted(task, log) as task, interruptible() as stop:
        for indices, fleet in fleets(task):
            found = _run(fleet, progress, stop, runs)
            note_ends(task, indices, found)
            if task.keeper is not None:
                task.keeper.end(indices, found, task.journal)
            runs |= dict(zip(indices, found, strict=True))
    return runs


def _run(fleet: Fleet, progress: bool | None, stop: Interrupt, before: dict[int, Run]) -> list[Run]:
    """The runs of a fleet; where its stream breaks off, those before it are not lost either."""
    try:
        return fleet.run(progress, stop)
    except StreamError as error:
        error.runs = Runs([*before.values(), *error.runs])
        raise


def fleets(task: Task) -> Iterator[tuple[Sequence[int], Fleet]]:
    """The fleets that a task takes, ready to run, with the places of their members in it.

    While one runs the programs of the next are compiled, as many beside each other as there are cores: XLA leaves other
    threads alone while it works. Members that memory cannot hold at once follow in a fleet of their own.
    """
    load, cast = loader(task.data, task.start), task.watch is None and not isinstance(task.data, Stream)
    free = None if task.keeper is None else task.keeper.free
    groups = plan_of(
        task.members, task.data, task.foresight, cast=cast, free=free, ways=task.devices, shard=task.shard
    ).groups
    turns = [(group, left) for group in groups if (left := _turns(group, task.keeper))]
    kind = Streamed if isinstance(task.data, Stream) else Fleet

    def launch(group: Group, indices: Sequence[int]) -> Fleet:
        return kind.launch(task.take(indices), group.layout, load, group.mold)

    for first in range(0, len(turns), _HELD):
        let_go(_HELD)
        yield from _side_by_side(turns[first : first + _HELD], launch)


def _turns(group: Group, keeper: Keeper | None) -> list[Sequence[int]]:
    """The members of a group that train together, one set after the other, without those that have ended before."""
    starts = range(0, len(group.members), group.together)
    turns = [group.members[start : start + group.together] for start in starts]
    return [turn for turn in turns if keeper is None or not keeper.ended(turn)]


def _side_by_side(
    turns: Sequence[tuple[Group, list[Sequence[int]]]], launch: Callable[[Group, Sequence[int]], Fleet]
) -> Iterator[tuple[Sequence[int], Fleet]]:
    pool = ThreadPoolExecutor(usable_cores())
    try:
        ready = [pool.submit(lambda g=group, i=first: launch(g, i).compile()) for group, (first, *_) in turns]
        for group, (first, *others) in turns:
            yield first, ready.pop(0).result()
            for waiting in others:
                yield waiting, launch(group, waiting)
    finally:
        pool.shutdown(cancel_futures=True)
