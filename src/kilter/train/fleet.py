"""The engine: members of one structure on their way through training, a stack of them at a time."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any

import jax
import numpy as np

from kilter.core import job, trees
from kilter.core.kept import made
from kilter.data.dataset import Dataset
from kilter.nn.precision import arrays_in
from kilter.train import batches, carried, pace, snapshot, visits
from kilter.train.checkpoints import Saved
from kilter.train.ending import run_of
from kilter.train.epoch import Member, Rows
from kilter.train.interrupt import Interrupt
from kilter.train.layout import Layout
from kilter.train.mold import Mold
from kilter.train.notes import note_epochs
from kilter.train.order import orders
from kilter.train.outcome import Outcome
from kilter.train.paused import Paused
from kilter.train.placing import abstract, fetched, to_all, to_shares
from kilter.train.predict import Told
from kilter.train.program import calibrated, drawing
from kilter.train.progress import Line
from kilter.train.recipe import structure
from kilter.train.regrouping import gather, regroup, stride
from kilter.train.roster import Roster
from kilter.train.rows import Load, spread
from kilter.train.run import Run
from kilter.train.stack import Stack
from kilter.train.starting import check_start, from_run
from kilter.train.step import Batch
from kilter.train.task import Task
from kilter.train.watching import Watcher

# Row numbers of at most this many examples are sent to the device at once; enough to make its calls rare.
_ORDERED = 1 << 20
# Seconds between looks at the progress and at Ctrl-C, once the speed is known.
_LOOK = 0.25


def _precisely(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that makes arrays in the precision of the fleet."""

    @wraps(method)
    def inside(fleet: "Fleet", *arguments: Any) -> Any:
        with arrays_in(fleet.task.members[0][0].precision):
            return method(fleet, *arguments)

    return inside


@dataclass
class Fleet:
    """Members of one structure: a recipe and a seed each."""

    task: Task
    roster: Roster
    rows: Rows
    scaling: Any
    layout: Layout
    load: Load
    judged: dict[str, Batch]
    watcher: Watcher
    mold: Mold | None = None
    saved: Saved | None = None
    like: Any = None
    done: int = 0
    began: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    stacks: list[Stack] = field(default_factory=list)
    ended: dict[int, Member] = field(default_factory=dict)
    told: dict[int, dict[str, Told]] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    stack_epochs: int = 0

    @classmethod
    def launch(cls, task: Task, layout: Layout, load: Load, mold: Mold | None = None) -> "Fleet":
        """Stack the numbers of the recipes and load the rows, to be trained in stacks of this layout."""
        saved = None if task.keeper is None else task.keeper.found(task)
        layout = snapshot.layout_of(saved, layout)
        recipe, mesh = task.members[0][0], layout.mesh
        if task.start is not None:
            check_start(task.start, recipe, task.data)
        scaling, on_device, judged = load(recipe, mesh)
        return cls(task, Roster.of(task, mold), on_device, scaling, layout, load, judged, Watcher(task), mold, saved)

    @_precisely
    def compile(self) -> "Fleet":
        """Make the programs ready; nothing is drawn or trained, so that this can be done beside another fleet."""
        began = time.perf_counter()
        mesh = self.layout.mesh
        slots = self.roster.take(np.resize(np.arange(self.size), self.layout.size))
        drawn = drawing(self.layout.quickly).lower(*self._drawing(slots, mesh))
        self.like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), drawn.out_info)
        self._remember_past(self.like)
        members = abstract(drawn.out_info, mesh)
        stack = Stack(np.arange(self.size), to_shares(slots, mesh), members, mesh, self.layout.quickly)
        with ThreadPoolExecutor() as pool:  # XLA leaves other threads alone while it works
            jobs = [] if self.task.paused or self.saved else [pool.submit(made, drawn)]
            jobs += [pool.submit(made, lowered) for lowered in self._training(stack)]
            jobs.append(pool.submit(made, stack.judge.lower(*stack.judging(self.judged, bool(self.data.classes)))))
            jobs += [pool.submit(made, lowered) for lowered in self.watcher.lowered(stack, self.rows.train)]
            if self.task.visitor is not None:
                jobs.append(pool.submit(made, stack.glance.lower(*self._glancing(stack, ()))))
            for each in jobs:
                each.result()
        self.seconds["compile"] = time.perf_counter() - began
        return self

    @_precisely
    def run(self, progress: bool | None, stop: Interrupt) -> list[Run]:
        """Train to the end, to the epoch where the task pauses, or until someone asks to stop."""
        if "compile" not in self.seconds:
            self.compile()
        layout = self.layout
        self._fill()
        self.began = time.perf_counter() - self.seconds.get("train", 0.0)
        with Line(self.most, self.data.rows, self.size, progress) as line:
            outcome = self._epochs(line, stop)
        self.settle()
        self.seconds = self.spent
        lasted = np.isfinite(self.history["lr"]).sum(1)
        if self.layout == layout and self.stack_epochs and self.task.watch is None:
            self._remember_pace()
        return [run_of(self, index, int(lasted[index]), int(lasted.sum()), outcome) for index in range(self.size)]

    def keep(self) -> None:
        """Leave a checkpoint with the task's keeper, to go on from here."""
        if self.task.keeper is not None and self.done:
            self.task.keeper.keep(*snapshot.taken(self), snapshot.score(self), self.task)

    @property
    def spent(self) -> dict[str, float]:
        """Seconds that compiling and training have taken so far."""
        return self.seconds | {"train": time.perf_counter() - self.began}

    def paused(self) -> list[Paused]:
        """All members as they are, to go on later; after `run`."""
        lines = {name: column[:, : self.most] for name, column in self.history.items()}
        return [
            Paused.of(
                self._onward(index),
                {name: column[index].copy() for name, column in lines.items()},
                self.watcher.trace(index),
            )
            for index in range(self.size)
        ]

    def _onward(self, index: int) -> Member:
        """A member as it goes on, where all that ended it is the epoch at which the task pauses."""
        member = self.member(index)
        return member._replace(outcome=np.int32(0)) if self.task.pauses(index, member.outcome) else member

    def member(self, index: int) -> Member:
        """A member that has ended, out of the mold."""
        member, recipe = self.ended[index], self.task.members[index][0]
        return member if self.mold is None else carried.out(self.mold, member, recipe)

    def _remember_past(self, like: Member) -> None:
        """What paused members bring along, each of which looks ``like`` this."""
        for index, paused in enumerate(self.task.paused):
            recipe, _ = self.task.members[index]
            self.ended[index] = (
                paused.member(like) if self.mold is None else carried.back(self.mold, paused, like, recipe)
            )
            for name, line in paused.lines.items():
                self.column(name)[index, : len(line)] = line

    def _remember_pace(self) -> None:
        alike = structure(self.task.members[0][0]) if self.mold is None else self.mold
        pace.remember(alike, self.data.rows, self.layout, self.seconds["train"] / self.stack_epochs)

    def _fill(self) -> None:
        """Draw all members, or take the paused, or those of a checkpoint, which stand as they stood."""
        if self.saved is not None:
            snapshot.put_back(self, self.saved, self.like)
            self.saved = None  # the arrays have been copied
            return
        # Those of most epochs and updates stand together, to end together.
        sizes = self.roster.epochs if self.roster.batches is None else self.roster.batches
        queue = np.lexsort((sizes, -self.roster.epochs))
        if self.task.paused:
            gather(self, list(queue), self.layout)
        else:
            self._draw_all(queue)
        self._begin()

    def _draw_all(self, queue: Any) -> None:
        mesh = self.layout.mesh
        for start in range(0, self.size, self.layout.size):
            chosen = queue[start : start + self.layout.size]
            self.stacks.append(Stack.of(chosen, self.roster, lambda slots: self._draw(slots, mesh), self.layout))

    def _drawing(self, slots: Roster, mesh: Any) -> tuple[Any, ...]:
        judged = self.rows.validation is not None
        sample = spread(self.rows.train) if calibrated(slots.parts.net) else None
        return slots.parts, slots.seeds, sample, self.data.shape, judged, mesh

    def _draw(self, slots: Roster, mesh: Any) -> Member:
        members = drawing(self.layout.quickly)(*self._drawing(slots, mesh))
        return members if self.task.start is None else from_run(members, self.task.start)

    def _epochs(self, line: Line, stop: Interrupt) -> Outcome:
        """Run epochs, a chunk at a time, every stack in turn, until all members have ended."""
        keeper, visitor, chunk = self.task.keeper, self.task.visitor, 1
        while self.stacks:
            if visitor is not None and visits.due(self.done) and visitor(self):
                return Outcome.PAUSED
            if keeper is not None and job.most(stop.asked)[0]:
                self.keep()
                return Outcome.INTERRUPTED
            began, first = time.perf_counter(), self.done
            made = self._advance(first, min(chunk, self.longest, self._next() - first), line, stop)
            if not made:
                self.keep()
                return Outcome.INTERRUPTED
            self.done += made
            note_epochs(self.task, first, {name: column[:, first : self.done] for name, column in self.history.items()})
            self.stack_epochs += made * len(self.stacks)
            (seconds,) = job.most((time.perf_counter() - began) / made)
            chunk = max(1, int(_LOOK / seconds))
            line.advance(self.done, {name: each[:, self.done - 1 : self.done].T for name, each in self.history.items()})
            self.watcher.look(self.stacks, self.rows.train, self.done, self.history["lr"], self._draw)
            regroup(self, seconds)
            if keeper is not None and job.most(keeper.due(self.done))[0]:
                self.keep()
        return Outcome.FINISHED

    def _begin(self) -> None:
        """What comes before the first epoch: the names of the history, the first look, leaving out who has no epochs."""
        self.done = self.task.first
        self._name_columns(self.stacks[0], self.done)
        self.watcher.look(self.stacks, self.rows.train, self.done, self.history["lr"], self._draw)
        regroup(self, 0.0)

    def _next(self) -> int:
        """The next epoch after which something else than training is to be done, at most the last one."""
        keeper, ends = self.task.keeper, [self.watcher.next(self.stacks, self.done, self.most)]
        if self.task.visitor is not None:
            ends.append(visits.following(self.done))
        if keeper is not None:
            looks = stride(self.size, self.most)
            ends += [keeper.next(self.done, self.most), self.done + looks - self.done % looks]
        return min(ends)

    def _training(self, stack: Stack) -> list[Any]:
        """The programs that train such a stack, to be compiled."""
        return [stack.program.lower(*self._arguments(stack, 0, 0))]

    def _name_columns(self, stack: Stack, done: int) -> None:
        """Begin the columns of the history; of no epochs, so that nothing is trained."""
        self._record(stack, stack.advance(*self._chunk(stack.mesh, done, 0))[0], done)

    def _advance(self, done: int, count: int, line: Line, stop: Interrupt) -> int:
        """Bring all stacks up to ``count`` epochs forward; the most that one ran, 0 where someone asked to stop."""
        shared = self._chunk(self.stacks[0].mesh, done, count)
        made = 1
        for stack in self.stacks:
            if self.task.keeper is None and job.most(stop.asked)[0]:
                return 0
            history, ran = stack.advance(*shared)
            self._record(stack, history, done)
            made = max(made, ran)
        return made

    def column(self, name: str) -> Any:
        """A line of the history, ``(members, epochs)``; NaN for epochs that were not run."""
        return self.history.setdefault(name, np.full((self.size, self.most), np.nan, np.float32))

    def _record(self, stack: Stack, history: dict[str, Any], first: int) -> None:
        for name, column in history.items():
            self.column(name)[stack.indices, first : first + column.shape[1]] = column

    def glance(self, *parts: str) -> dict[str, Told]:
        """What the member of a fleet of one says now of the rows of these parts, and of some training rows."""
        (stack,) = self.stacks
        return trees.take(fetched(stack.glance(*self._glancing(stack, parts))), 0)

    def began_with(self) -> Any:
        """Parameters of the member of a fleet of one before its first epoch, ``(1, ...)`` each, where it is watched."""
        return self.watcher.began(self.stacks, self._draw)

    def _glancing(self, stack: Stack, parts: Sequence[str]) -> tuple[Any, ...]:
        rows = {name: self.judged[name] for name in ("train", *parts)}
        return stack.glancing(rows, {"train": self.asked}, bool(self.data.classes))

    @property
    def lines(self) -> dict[str, Any]:
        """The history so far, ``(members, epochs)`` by name."""
        return {name: column[:, : self.done].astype(float) for name, column in self.history.items()}

    @cached_property
    def asked(self) -> Any:
        """Numbers of the training rows that `glance` asks."""
        return visits.asked(self.data)

    def settle(self) -> None:
        """Bring the members of all stacks to the host, and what they say of the rows; a stack that is read is freed."""
        while self.stacks:
            self._read(self.stacks.pop())

    def _read(self, stack: Stack) -> None:
        told = stack.judge(*stack.judging(self.judged, bool(self.data.classes)))
        members, told = fetched((stack.members, told))
        self.watcher.leave(stack)
        for slot, index in enumerate(map(int, stack.indices)):
            self.ended[index] = trees.take(members, slot)
            self.told[index] = trees.take(told, slot)

    @property
    def data(self) -> Dataset:
        """What is trained on."""
        return self.task.data

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self.task.members)

    @property
    def most(self) -> int:
        """The last epoch of all members."""
        return int(self.roster.epochs.max())

    @property
    def longest(self) -> int:
        """Most epochs in one call of the program: a power of two, so that other epochs need no other buffers."""
        ordered = _ORDERED // (len(self.data.train) * len(self._seeds))
        most = max(recipe.epochs for recipe, _ in self.task.members)
        return max(1, min(1 << max(most - 1, 0).bit_length(), ordered))

    @property
    def _seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(seed for _, seed in self.task.members))

    @property
    def _order(self) -> tuple[int, ...]:
        """Shape of the order of an epoch: batches, or all rows and what the last batch may look at behind them."""
        rows, recipe = len(self.data.train), self.task.members[0][0]
        if self.mold is not None and self.mold.mixed:
            return (rows + self.mold.batch,)
        return batches.updates(recipe, rows), batches.batch_of(recipe, rows)

    def _chunk(self, mesh: Any, first: int, count: int) -> tuple[Any, ...]:
        """What all stacks are told of the next epochs: rows, their orders, the first epoch and how many."""
        rows, shuffle = len(self.data.train), self.task.members[0][0].shuffle
        order = orders(self._seeds, first, count, self.longest, rows, self._order, self.task.bootstrap, shuffle)
        return self.rows, to_all(order, mesh), first, count

    def _arguments(self, stack: Stack, first: int, count: int) -> tuple[Any, ...]:
        return stack.arguments(*self._chunk(stack.mesh, first, count))
