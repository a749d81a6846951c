"""The engine: recipes of one structure train together, and one network is a fleet of one."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core import trees
from kilter.core.checks import check_seed
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.optim.optimizer import spanning
from kilter.train.check import check
from kilter.train.epoch import Member, Rows
from kilter.train.interrupt import Interrupt, interruptible
from kilter.train.order import orders
from kilter.train.outcome import Outcome
from kilter.train.parts import parts_of
from kilter.train.paused import Paused, going_on, past, paused
from kilter.train.program import initialize, mapping_for, run_epochs
from kilter.train.progress import Line
from kilter.train.recipe import Recipe
from kilter.train.rows import load_rows, scalings, spread
from kilter.train.run import Run
from kilter.train.step import Parts

# Row numbers of at most this many examples are sent to the device at once; enough to make its calls rare.
_ORDERED = 1 << 20
# Seconds between looks at the progress and at Ctrl-C, once the speed is known.
_LOOK = 0.25


def train(
    recipe: Recipe, data: Dataset, *, seed: int = 0, start: Run | None = None, progress: bool | None = None
) -> Run:
    """Train one network.

    The same recipe, data and seed give the same run, bit for bit, on the same machine.

    Args:
        recipe: what to train and how.
        data: made by `kilter.data`.
        seed: of the initial weights, the order of the rows and dropout.
        start: a run whose weights to go on from, rather than fresh ones, on the scale that its inputs and targets had;
            the optimizer begins anew.
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
    return train_fleet([recipe], data, seeds=[seed], start=start, progress=progress)[0]


def train_fleet(
    recipes: Sequence[Recipe],
    data: Dataset,
    *,
    seeds: Sequence[int] = (0,),
    start: Run | None = None,
    bootstrap: bool = False,
    progress: bool | None = None,
) -> list[Run]:
    """Train every recipe with every seed; recipes of one structure share one compiled program.

    Args:
        recipes: any; those that differ in numbers alone train together.
        data: shared by all.
        seeds: one run a recipe and seed; runs of one seed see the same order of rows and the same dropout.
        start: a run whose weights all go on from, rather than fresh ones.
        bootstrap: train each seed on its own sample of the training rows, as many, drawn with replacement from the seed
            alone (bagging: Breiman 1996). Preprocessing and the metrics of the training part still see all rows.
        progress: show a progress line; left open, if standard error is a terminal.

    Returns:
        Runs in order: all seeds of the first recipe, then of the second, and so on.
    """
    if not recipes or not seeds:
        raise InputError(f"at least one recipe and one seed are needed, got {len(recipes)} and {len(seeds)}")
    seeds = tuple(map(check_seed, seeds))
    for recipe in recipes:
        check(recipe, data)
    if bootstrap:
        data = replace(data, title=f"{data.title}, bootstrap sample")
    groups: dict[Any, list[int]] = defaultdict(list)
    for index, recipe in enumerate(recipes):
        groups[structure(recipe)].append(index)
    runs: dict[int, list[Run]] = {}
    for indices in groups.values():
        fleet = Fleet.launch([recipes[index] for index in indices], data, seeds, start, bootstrap)
        found = fleet.run(progress)
        for place, index in enumerate(indices):
            runs[index] = found[place * len(seeds) : (place + 1) * len(seeds)]
    return [run for index in range(len(recipes)) for run in runs[index]]


def structure(recipe: Recipe) -> Any:
    """What must be equal for two recipes to train in one program; preprocessing decides on the rows."""
    return jax.tree.structure(recipe), recipe.inputs, recipe.targets


def _from_run(members: Member, start: Run) -> Member:
    """Members with the weights of a run in place of their own."""
    own = (members.learner.params, members.learner.state)
    given = (start.params, start.state)
    if jax.tree.map(lambda leaf: leaf.shape[1:], own) != jax.tree.map(np.shape, given):
        raise InputError("start: the weights of that run do not fit the network of this recipe")

    def copied() -> Any:
        return jax.tree.map(lambda new, old: jnp.array(jnp.broadcast_to(old, new.shape)), own, given)

    params, state = copied()
    learner = members.learner._replace(params=params, state=state)
    return members._replace(learner=learner, best=None if members.best is None else copied())


@dataclass
class Fleet:
    """Members of one structure on their way through training."""

    recipes: list[Recipe]
    seeds: tuple[int, ...]
    data: Dataset
    parts: Parts
    rows: Rows
    scaling: Any
    members: Member
    keys: jax.Array
    bootstrap: bool = False
    done: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def launch(
        cls,
        recipes: list[Recipe],
        data: Dataset,
        seeds: tuple[int, ...],
        start: Run | None = None,
        bootstrap: bool = False,
    ) -> "Fleet":
        """Stack the recipes, load the rows and draw the weights."""
        first = recipes[0]
        batch = min(first.batch_size, len(data.train))
        steps = first.epochs * -(-len(data.train) // batch)
        if start is not None and start.shape != data.shape:
            raise InputError(f"start: that run was trained on examples of shape {start.shape}, these are {data.shape}")
        if start is not None and (start.inputs.preprocess, start.targets.preprocess) != (first.inputs, first.targets):
            raise InputError("start: inputs and targets must be preprocessed as they were in that run")
        scaling = scalings(first, data) if start is None else (start.inputs, start.targets)
        rows = load_rows(data, *scaling)
        parts = trees.stack(
            [parts_of(recipe, data, spanning(recipe.optimizer, steps)) for recipe in recipes for _ in seeds]
        )
        keys = jax.vmap(jax.random.key)(jnp.array(seeds * len(recipes), jnp.uint32))
        members = initialize(parts, keys, spread(rows.train), data.shape, data.validation is not None)
        if start is not None:
            members = _from_run(members, start)
        return cls(recipes, seeds, data, parts, rows, scaling, members, keys, bootstrap)

    def go_on(self, members: Sequence[Paused]) -> None:
        """Take the places of paused members, one for each of the fleet's own, that were paused after the same epoch."""
        self.done = members[0].epochs
        self.lines = [past(members)]
        self.members = going_on(self.members, members)

    def paused(self) -> list[Paused]:
        """All members as they are, to go on later."""
        return paused(self.members, self._history(), self.done)

    def run(self, progress: bool | None, until: int | None = None) -> list[Run]:
        """Train to the end, to the epoch ``until``, or to Ctrl-C."""
        until = self.recipes[0].epochs if until is None else min(until, self.recipes[0].epochs)
        with interruptible() as stop:
            start = time.perf_counter()
            self.lines.append(self._advance(self.done, 0))  # no epoch: compiles the program
            compiled = time.perf_counter()
            with Line(until, len(self.data.train), self.size, progress) as line:
                ended = self._epochs(until, line, stop)
        seconds = {"compile": compiled - start, "train": time.perf_counter() - compiled}
        return self._runs(self._history(), ended, seconds)

    def _history(self) -> dict[str, Any]:
        """All epochs so far, ``(epochs, members)`` by name."""
        return {name: np.concatenate([part[name] for part in self.lines]) for name in self.lines[0]}

    def _epochs(self, epochs: int, line: Line, stop: Interrupt) -> Outcome:
        """Run epochs, a chunk at a time, and append their history."""
        done, chunk, history = self.done, 1, self.lines
        while done < epochs and (np.asarray(self.members.outcome) == 0).any():
            if stop.asked:
                return Outcome.INTERRUPTED
            began = time.perf_counter()
            history.append(self._advance(done, min(chunk, epochs - done)))
            made = len(history[-1]["loss"])
            done += made
            chunk = min(self.longest, max(1, int(_LOOK * made / (time.perf_counter() - began))))
            line.advance(done, history[-1])
        self.done = epochs
        return Outcome.FINISHED if epochs == self.recipes[0].epochs else Outcome.PAUSED

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self.recipes) * len(self.seeds)

    @property
    def longest(self) -> int:
        """Most epochs in one call of the program; decides the size of its buffers."""
        return max(1, min(self.recipes[0].epochs, _ORDERED // (len(self.data.train) * len(self.seeds))))

    def _advance(self, first: int, count: int) -> dict[str, Any]:
        """Run up to ``count`` epochs and return their history ``(epochs, members)`` by name."""
        rows = len(self.data.train)
        batch = min(self.recipes[0].batch_size, rows)
        self.members, history, made = run_epochs(
            self.parts,
            self.rows,
            self.members,
            self.keys,
            np.tile(np.arange(len(self.seeds), dtype=np.int32), len(self.recipes)),
            orders(self.seeds, first, count, self.longest, rows, batch, self.bootstrap),
            np.int32(first),
            np.int32(count),
            mapping_for(self.recipes[0].net, self.size),
        )
        return {name: column[: int(made)] for name, column in jax.device_get(history).items()}

    def _runs(self, lines: dict[str, Any], ended: Outcome, seconds: dict[str, float]) -> list[Run]:
        members = jax.device_get(self.members)
        runs = []
        for index in range(self.size):
            recipe, seed = self.recipes[index // len(self.seeds)], self.seeds[index % len(self.seeds)]
            member = trees.take(members, index)
            lasted = int(np.isfinite(lines["lr"][:, index]).sum())
            history = {name: column[:lasted, index] for name, column in lines.items()}
            outcome = Outcome.of(int(member.outcome), ended)
            runs.append(Run.of(recipe, seed, self.data, self.scaling, member, history, outcome, seconds))
        return runs
