"""Fleets on a stream: an epoch goes through windows of rows, and is judged and closed as any other."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from kilter.core import job
from kilter.core.errors import FileError, InputError
from kilter.data.dataset import Part
from kilter.data.stream import Stream
from kilter.data.streams.windows import Window, window_size, windows
from kilter.train import batches, snapshot
from kilter.train.ahead import ahead
from kilter.train.fleet import Fleet
from kilter.train.halfway import Course
from kilter.train.interrupt import Interrupt
from kilter.train.order import permutation
from kilter.train.outcome import Outcome
from kilter.train.placing import fetched, to_all, to_shares
from kilter.train.progress import Line
from kilter.train.run import Run
from kilter.train.runs import Runs
from kilter.train.stack import Stack
from kilter.train.step import Batch, Learner
from kilter.train.window_program import Programs, programs

Array = np.ndarray[Any, Any]


class StreamError(FileError):
    """A stream could not be read to its end while networks trained on it; what they had learned is in ``runs``.

    Attributes:
        runs: of all members, as they were after the last whole epoch.
    """

    def __init__(self, message: str, place: str = "", runs: Runs | None = None) -> None:
        super().__init__(message, place)
        self.runs = Runs() if runs is None else runs


@dataclass
class Streamed(Fleet):
    """Members of one structure that train on a stream.

    Attributes:
        course: the epoch that they are in; None: they stand between two.
        broken: what was wrong with the stream.
    """

    course: Course | None = field(default=None, init=False)
    broken: InputError | None = field(default=None, init=False)

    def run(self, progress: bool | None, stop: Interrupt) -> list[Run]:
        """Train to the end.

        Raises:
            StreamError: the stream could not be read to its end, after at least one epoch was trained.
        """
        runs = super().run(progress, stop)
        if self.broken is None:
            return runs
        done = max(len(run.history["loss"]) for run in runs)
        if not done:
            raise self.broken
        raise StreamError(
            f"{self.broken.message}; {done} of {self.most} epochs were trained, and what they gave is kept: `runs` of this "
            "error, from which start= goes on",
            self.broken.place,
            Runs(runs),
        ) from self.broken

    @property
    def longest(self) -> int:
        return 1

    @property
    def _stream(self) -> Stream:
        assert isinstance(self.data, Stream)
        return self.data

    @property
    def _programs(self) -> Programs:
        return programs(self.layout.quickly)

    @property
    def _shape(self) -> tuple[int, int]:
        """Updates of a window, and rows of a batch."""
        batch = batches.batch_of(self.task.members[0][0], self.data.rows)
        return window_size(self._stream.feed, batch) // batch, batch

    @property
    def _updates(self) -> int:
        """Updates of an epoch."""
        return batches.updates(self.task.members[0][0], self.data.rows)

    def _training(self, stack: Stack) -> list[Any]:
        steps, batch = self._shape
        like = self.rows.train

        def room(leaf: Any) -> Any:
            place = None if stack.mesh is None else leaf.sharding
            return jax.ShapeDtypeStruct((steps * batch, *leaf.shape[1:]), leaf.dtype, sharding=place)

        order = to_all(np.zeros((len(self._seeds), steps, batch), np.int32), stack.mesh)
        learners = stack.members.learner
        losses = to_shares(np.zeros(len(stack.roster.seats), np.float32), stack.mesh)
        window = self._programs.window.lower(*self._window(stack, learners, jax.tree.map(room, like), order, 0, 0))
        return [window, self._programs.close.lower(*self._closing(stack, learners, losses, 0))]

    def _name_columns(self, stack: Stack, done: int) -> None:
        losses = np.zeros(len(stack.roster.seats), np.float32)
        _, line = self._programs.close.eval_shape(*self._closing(stack, stack.members.learner, losses, done))
        for name in line:
            self.column(name)

    def keep(self) -> None:
        """Leave a checkpoint with the task's keeper, to go on from here: within an epoch, behind the last window."""
        if self.task.keeper is None or self.course is None or not self.course.windows:
            return super().keep()
        state, meta = snapshot.taken(self)
        own, windows = {"course": self.course.taken()}, {"windows": self.course.windows}
        self.task.keeper.keep(state | own, meta | windows, None, self.task)

    def _fill(self) -> None:
        saved = self.saved
        super()._fill()
        if saved is not None and "windows" in saved.meta:
            steps, batch = self._shape
            self.course = Course.onward(saved, self.stacks, self.like.learner, steps * batch)

    def _epochs(self, line: Line, stop: Interrupt) -> Outcome:
        try:
            return super()._epochs(line, stop)
        except InputError as error:  # stacks stand where the last epoch ended
            self.broken = error
            self.keep()
            return Outcome.INTERRUPTED

    def _advance(self, done: int, count: int, line: Line, stop: Interrupt) -> int:
        if job.most(stop.asked)[0]:
            return 0
        if self.course is None:
            self.course = Course([stack.members.learner for stack in self.stacks])
        course = self.course
        with ahead(self._windows(done, course.windows)) as items:
            for window, orders, rows in items:
                self._train(course, window, orders, done, rows)
                line.within(done + course.rows / self.data.rows)
                if self._asked(course, stop):
                    if self.task.keeper is not None:
                        return 0  # goes on behind this window
                    break
        for stack, learners, losses in zip(self.stacks, course.learners, course.means(), strict=True):
            self._close(stack, learners, losses, done)
        self.course = None
        return 1

    def _train(self, course: Course, window: Batch, orders: Any, epoch: int, rows: int) -> None:
        """Train all stacks on a window."""
        first = epoch * self._updates + course.windows * self._shape[0]
        own = zip(self.stacks, course.learners, strict=True)
        told = [job.ready(self._programs.window(*self._window(*each, window, orders, first, rows))) for each in own]
        course.add([learners for learners, _ in told], [losses for _, losses in told], rows)

    def _asked(self, course: Course, stop: Interrupt) -> bool:
        """Whether someone has asked to stop within the epoch; where nobody has, leave a checkpoint that is due."""
        if course.rows == self.data.rows:
            return False
        keeper = self.task.keeper
        asked, due = job.most(stop.asked, keeper is not None and keeper.due(None))
        if due and not asked:
            self.keep()
        return bool(asked)

    def _close(self, stack: Stack, learner: Learner, losses: Array, done: int) -> None:
        losses = to_shares(losses.astype(np.float32), stack.mesh)
        stack.members, line = self._programs.close(*self._closing(stack, learner, losses, done))
        members = len(stack.indices)
        self._record(stack, {name: values[:members, None] for name, values in fetched(line).items()}, done)

    def _windows(self, epoch: int, start: int) -> Iterator[tuple[Batch, Any, int]]:
        """The windows of an epoch on the devices, with the orders of their rows."""
        (steps, batch), recipe, mesh = self._shape, self.task.members[0][0], self.stacks[0].mesh
        feed = self._stream.feed
        found = windows(feed, steps * batch, batch, epoch, recipe.shuffle, self._preprocessed, start)
        for number, window in enumerate(found, start):
            orders = [self._order_of(seed, epoch, number, window, (steps, batch)) for seed in self._seeds]
            part = window.part
            rows: Any = part.x, part.y, part.weights
            yield to_all(Batch(*rows), mesh), to_all(np.stack(orders), mesh), window.rows

    def _order_of(self, seed: int, epoch: int, number: int, window: Window, shape: tuple[int, int]) -> Array:
        """Row numbers of a window; those behind the rows that count are in their places."""
        order = np.arange(shape[0] * shape[1], dtype=np.int32)
        if self.task.members[0][0].shuffle:
            order[: window.rows] = permutation(seed, epoch, window.rows, number)
        return order.reshape(shape)

    def _preprocessed(self, part: Part) -> Part:
        inputs, targets = self.scaling
        weights = None if part.weights is None else (part.weights / self._stream.feed.weight).astype(np.float32)
        return Part(inputs.apply(part.x), targets.apply(part.y), weights)

    def _window(
        self, stack: Stack, learners: Learner, batch: Batch, order: Any, first: int, rows: int
    ) -> tuple[Any, ...]:
        padded = self.data.rows % self._shape[1] != 0
        return stack.roster, learners, batch, order, np.int32(first), np.int32(rows), padded, stack.mesh

    def _closing(self, stack: Stack, learners: Learner, losses: Any, epoch: int) -> tuple[Any, ...]:
        last = np.int32((epoch + 1) * self._updates - 1)
        return stack.roster, stack.members, learners, losses, self.rows, np.int32(epoch), last, stack.mesh
