"""Measures the members of a fleet between its epochs, in a program of its own: that of training stays as it is."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from kilter.core import trees
from kilter.core.compiling import QUICKLY
from kilter.core.errors import within
from kilter.core.kept import Program
from kilter.data.dataset import Dataset
from kilter.train.batches import updates
from kilter.train.cost import cost_of
from kilter.train.epoch import Member
from kilter.train.order import some
from kilter.train.placing import fetched, to_shares
from kilter.train.program import over_members, spread
from kilter.train.recipe import Recipe
from kilter.train.roster import Roster
from kilter.train.stack import Stack
from kilter.train.step import Batch, Learner, Parts
from kilter.train.task import Task
from kilter.vitals.measure import Vitals, measure
from kilter.vitals.recorder import Recorder
from kilter.vitals.store import vitals_of
from kilter.vitals.taps import places_of
from kilter.vitals.trace import Trace
from kilter.vitals.watch import Watch, taken

Array = np.ndarray[Any, Any]
Draw = Callable[[Roster, Mesh | None], Member]
# Seed of the key that tells norms to follow the rows.
_KEY = 0


class Watcher:
    """The records of all members of a fleet; none where the task does not say what to watch.

    Args:
        task: of the fleet.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.recorders: list[Recorder] = []
        self._starts: dict[int, Any] = {}
        self._fresh = not task.paused
        if task.watch is None:
            return
        recipe, trained = task.members[0][0], task.data.rows
        products = cost_of(recipe, task.data).products
        found = places_of(recipe.net, task.data.shape)
        layers, arrays = task.watch.chosen(found.signals), task.watch.chosen(found.weights)
        names = tuple(found.signals[place] for place in layers), tuple(found.weights[place] for place in arrays)
        before = [paused.vitals for paused in task.paused] or [None] * len(task.members)
        self.recorders = [
            Recorder(*names, task.watch.stride(epochs=recipe.epochs, trained=trained, products=products), trace)
            for (recipe, _), trace in zip(task.members, before, strict=True)
        ]
        rows = some(len(task.data.train), task.watch.rows)
        self._chosen = tuple(np.array(each, np.int32) for each in (rows, layers, arrays))
        self._updates, self._what = updates(recipe, trained), task.watch.what

    def next(self, stacks: Sequence[Stack], done: int, most: int) -> int:
        """The next epoch after this one at which a member is recorded that goes on, at most the last one."""
        running = [index for stack in stacks for index in stack.running] if self.recorders else []
        return min([most, *(self.recorders[index].next(done) for index in running)])

    def look(self, stacks: Sequence[Stack], rows: Batch, done: int, history: Array, draw: Draw) -> None:
        """Measure the members that are to be recorded now: because it is time, or because they have just ended.

        Args:
            stacks: of the members.
            rows: to train on.
            done: epochs that those that go on have behind them.
            history: a line of it for each member, NaN for epochs that it did not run.
            draw: draws the members of a roster on a mesh.
        """
        for stack in stacks if self.recorders else ():
            lasted = np.isfinite(history[stack.indices]).sum(1)
            self._look(stack, rows, *self._due(stack, done, lasted), draw)

    def _due(self, stack: Stack, done: int, lasted: Array) -> tuple[Array, list[int]]:
        """Epochs that the members have behind them, and the slots of those that are to be recorded."""
        outcomes = fetched(stack.members.outcome)[: len(stack.indices)]
        epochs = np.where(outcomes == 0, done, lasted)
        slots = []
        for slot, (index, outcome, epoch) in enumerate(zip(stack.indices, outcomes, epochs, strict=True)):
            ended = bool(outcome) and not self.task.pauses(index, outcome)
            if self.recorders[index].due(int(epoch), ended):
                slots.append(slot)
        return epochs, slots

    def _look(self, stack: Stack, rows: Batch, epochs: Array, slots: list[int], draw: Draw) -> None:
        if not slots:
            return
        self._start(stack, draw)
        found = fetched(looking(stack.quickly)(*self._looking(stack, rows, epochs)))
        for slot in slots:
            self.recorders[stack.indices[slot]].add(int(epochs[slot]), trees.take(found, slot))

    def lowered(self, stack: Stack, rows: Batch) -> list[Any]:
        """The programs that are to be compiled for such a stack."""
        return [looking(stack.quickly).lower(*self._looking(stack, rows, 0))] if self.recorders else []

    def leave(self, stack: Stack) -> None:
        """Keep what is known of members that leave their stack."""
        for slot, index in enumerate(stack.indices) if stack.start is not None else ():
            self._starts[int(index)] = trees.take(stack.start, slot)

    def trace(self, index: int) -> Trace | None:
        """The records of one member."""
        return self.recorders[index].trace if self.recorders else None

    def began(self, stacks: Sequence[Stack], draw: Draw) -> Any:
        """Parameters of the only member before its first epoch, with an axis of one in front."""
        if not stacks:
            return jax.tree.map(lambda leaf: leaf[None], self._starts[0])
        (stack,) = stacks
        return jax.tree.map(lambda leaf: leaf[:1], fetched(self._start(stack, draw)))

    def taken(self) -> tuple[dict[str, Any], dict[str, list[int]]]:
        """All records, one member's after the other's, and what members that left their stack began with; and of whom."""
        traces = [recorder.trace for recorder in self.recorders]
        vitals = [trace.vitals for trace in traces if trace is not None]
        starts = [self._starts[index] for index in sorted(self._starts)]
        arrays = {
            "epochs": np.concatenate([np.zeros(0, np.int32), *(trace.epochs for trace in traces if trace is not None)]),
            "records": jax.tree.map(lambda *leaves: np.concatenate(leaves), *vitals) if vitals else None,
            "starts": jax.tree.map(lambda *leaves: np.stack(leaves), *starts) if starts else None,
        }
        counts = [0 if trace is None else len(trace) for trace in traces]
        return arrays, {"counts": counts, "starts": sorted(self._starts)}

    def put_back(self, arrays: dict[str, Any], facts: dict[str, list[int]], like: Any) -> None:
        """Go on with what was taken; parameters look ``like`` this."""
        self._fresh = False
        starts = [arrays[f"starts.{path}"] for path in trees.named(like)] if facts["starts"] else []
        for place, index in enumerate(facts["starts"]):
            self._starts[index] = jax.tree.unflatten(jax.tree.structure(like), [leaf[place] for leaf in starts])
        vitals = vitals_of({path.removeprefix("records."): leaf for path, leaf in arrays.items()})
        ends = np.cumsum(facts["counts"], dtype=int)
        for place, (recorder, end, count) in enumerate(zip(self.recorders, ends, facts["counts"], strict=True)):
            own = slice(end - count, end)
            records = jax.tree.map(lambda leaf, own=own: leaf[own], vitals)
            trace = Trace(recorder.layers, recorder.arrays, arrays["epochs"][own], records) if count else None
            self.recorders[place] = Recorder(recorder.layers, recorder.arrays, recorder.stride, trace)

    def _looking(self, stack: Stack, rows: Batch, epochs: Any) -> tuple[Any, ...]:
        numbers = np.resize(np.asarray(epochs, np.int32) * self._updates, len(stack.roster.seats)).astype(np.int32)
        start = stack.members.learner.params if stack.start is None else stack.start
        own = stack.roster.parts, stack.members.learner, start, to_shares(numbers, stack.mesh)
        return *own, rows, self._chosen, self._what, stack.mesh

    def _start(self, stack: Stack, draw: Draw) -> Any:
        """Parameters of all slots before their first epoch, from then on kept with the stack."""
        if stack.start is None:
            stack.start = self._started(stack, draw)
        return stack.start

    def _started(self, stack: Stack, draw: Draw) -> Any:
        if all(int(index) in self._starts for index in stack.indices):
            slots = np.resize(stack.indices, len(stack.roster.seats))
            return to_shares(trees.stack([self._starts[int(index)] for index in slots]), stack.mesh)
        drawn = stack.members if self._fresh else draw(stack.roster, stack.mesh)
        return jax.tree.map(jnp.copy, drawn.learner.params)  # those of the members are given away to the next epochs


def check_watch(watch: Watch, recipes: Sequence[Recipe], data: Dataset) -> None:
    """Refuse to watch networks in which there is nothing to be watched."""
    for index, recipe in enumerate(recipes):
        with within(f"recipes[{index}]" if len(recipes) > 1 else ""):
            watch.check(places_of(recipe.net, data.shape))


def look(
    parts: Parts,
    learners: Learner,
    starts: Any,
    numbers: jax.Array,
    rows: Batch,
    chosen: tuple[Any, Any, Any],
    what: tuple[str, ...],
    mesh: Mesh | None = None,
) -> Vitals:
    """The vitals of all members, stacked.

    Members go one after the other, so that no more memory is needed than one of them takes.

    Args:
        parts: of the recipes, numbers stacked.
        learners: stacked.
        starts: parameters before the first epoch, stacked.
        numbers: updates that each member has made.
        rows: to train on; shared by all.
        chosen: the rows that are probed, and the layers and parameter arrays that are recorded.
        what: is kept, as of a `Watch`.
        mesh: the devices that the members are spread over; None: one device.
    """

    def share(parts: Parts, learners: Learner, starts: Any, numbers: jax.Array, rows: Batch, chosen: Any) -> Vitals:
        probed, *kept = chosen
        x, y, weights = jax.tree.map(lambda leaf: leaf[probed], rows)

        def one(parts: Parts, learner: Learner, start: Any, number: jax.Array, _: Any) -> Vitals:
            found = measure(
                parts.net, parts.loss, learner.params, learner.state, x, y, weights=weights,
                key=jax.random.key(_KEY), draws=False, penalty=parts.penalty, optimizer=parts.optimizer,
                moments=learner.moments, step=number, start=start,
            )  # fmt: skip
            return taken(what, found, *kept)

        count = len(numbers)
        return over_members(one, 1)(parts, learners, starts, numbers, jnp.zeros(count, jnp.int32), jnp.zeros(1))

    return spread(share, mesh, shared=2)(parts, learners, starts, numbers, rows, chosen)


@cache
def looking(quickly: bool) -> Program:
    """`look` as a program: compiled as quickly as the training beside it, or in XLA's own way, which is fastest here."""
    return Program(look, static=("what", "mesh"), options=QUICKLY if quickly else {})
