"""Trials in fleets: those that go through the same epochs train side by side, and those that were paused go on."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import jax

from kilter.core import trees
from kilter.core.errors import InputError
from kilter.core.journal import Journal
from kilter.data.dataset import Dataset
from kilter.search.gate import Gate
from kilter.search.strategies.state import Ask
from kilter.search.trial import Trial
from kilter.train.fleet import Fleet
from kilter.train.foresight import Foresight
from kilter.train.interrupt import Interrupt, interruptible
from kilter.train.launch import fleets
from kilter.train.notes import noting
from kilter.train.outcome import Outcome
from kilter.train.pattern import pattern
from kilter.train.paused import Paused
from kilter.train.recipe import Recipe, structure
from kilter.train.run import Run
from kilter.train.task import Task

# Members of trials that may be trained on, one a seed, by the trial's number.
Members = dict[int, tuple[Paused, ...]]


@dataclass(frozen=True)
class Ended:
    """A trial that has ended, with its runs and its members, one a seed; both empty where it failed."""

    trial: Trial
    runs: tuple[Run, ...] = ()
    members: tuple[Paused, ...] = ()


@dataclass(frozen=True)
class Group:
    """Asks that go through the same epochs, with their recipes."""

    asks: tuple[Ask, ...]
    recipes: tuple[Recipe, ...]

    def take(self, places: Sequence[int]) -> "Group":
        """Some of the asks."""
        return Group(tuple(self.asks[place] for place in places), tuple(self.recipes[place] for place in places))

    def task(self, data: Dataset, seeds: tuple[int, ...], members: Members, foresight: Foresight) -> Task:
        """What is to be trained: every ask with every seed."""
        parents = [ask.parent for ask in self.asks if ask.parent is not None]
        paused = [member for parent in parents for member in members[parent]]
        pairs = [(recipe, seed) for recipe in self.recipes for seed in seeds]
        return Task(pairs, data, until=self.asks[0].epochs, paused=paused, foresight=foresight)

    def alike(self, data: Dataset) -> "list[Group]":
        """The asks that may share a program, each set as a group."""
        sets: dict[Any, list[int]] = defaultdict(list)
        for place, recipe in enumerate(self.recipes):
            sets[pattern(recipe, data) or structure(recipe)].append(place)
        return [self.take(places) for places in sets.values()]

    def split(self, parts: int) -> "list[Group]":
        """So many groups of about as many asks each."""
        ends = [len(self.asks) * part // parts for part in range(parts + 1)]
        return [self.take(range(begin, end)) for begin, end in pairwise(ends)]


def grouped(gate: Gate, asks: Sequence[Ask], members: Members) -> tuple[list[Group], list[Ended]]:
    """Asks by the epochs that they go through; and the trials that the gate refuses."""
    groups: dict[Any, list[tuple[Ask, Recipe]]] = defaultdict(list)
    refused: list[Ended] = []
    for ask in asks:
        try:
            recipe = gate.built(ask.point)
        except InputError as error:
            refused.append(Ended(Trial.failed(ask, f"{error}, at {ask.point}")))
            continue
        begin = 0 if ask.parent is None else members[ask.parent][0].epochs
        groups[begin, ask.epochs].append((ask, recipe))
    split = [Group(tuple(ask for ask, _ in pairs), tuple(recipe for _, recipe in pairs)) for pairs in groups.values()]
    return split, refused


@dataclass
class _Gathered:
    """Runs and paused members of one ask, by the place of the seed, until all seeds are there."""

    runs: dict[int, Run] = field(default_factory=dict)
    paused: dict[int, Paused] = field(default_factory=dict)
    seconds: float = 0.0


def trained(
    group: Group,
    data: Dataset,
    seeds: tuple[int, ...],
    members: Members,
    foresight: Foresight,
    journal: Journal | None = None,
) -> Iterator[list[Ended]]:
    """Train a group to its epochs, a fleet at a time, until Ctrl-C, and note the epochs in a journal.

    What memory or the device cannot hold is tried in halves, until what is too large stands alone and has failed.
    """
    waiting = [group]
    with interruptible() as stop:
        while waiting and not stop.asked:
            group = waiting.pop()
            left = set(range(len(group.asks)))
            try:
                places = [len(seeds) * ask.id + place for ask in group.asks for place in range(len(seeds))]
                task = noting(group.task(data, seeds, members, foresight), journal, places)
                for ended in _in_fleets(group, task, len(seeds), stop):
                    left -= ended.keys()
                    yield list(ended.values())
            except (InputError, jax.errors.JaxRuntimeError) as error:
                rest = group.take(sorted(left))
                if len(left) > 1:
                    waiting += reversed(rest.split(2))
                else:
                    reason = " ".join(str(error).split())[:200]
                    yield [Ended(Trial.failed(ask, reason)) for ask in rest.asks]


def _in_fleets(group: Group, task: Task, seeds: int, stop: Interrupt) -> Iterator[dict[int, Ended]]:
    """What each fleet brings to its end, by the place of the ask."""
    gathered: dict[int, _Gathered] = defaultdict(_Gathered)
    for indices, fleet in fleets(task):
        if not _run(fleet, indices, seeds, gathered, stop):
            return
        whole = [place for place, found in gathered.items() if len(found.runs) == seeds]
        yield {place: _ended(group.asks[place], gathered.pop(place)) for place in whole}


def _run(fleet: Fleet, indices: Sequence[int], seeds: int, gathered: dict[int, _Gathered], stop: Interrupt) -> bool:
    """Run a fleet and put what it gives to its asks; False if Ctrl-C came first."""
    began = time.perf_counter()
    runs = fleet.run(False, stop)
    if any(run.outcome is Outcome.INTERRUPTED for run in runs):
        return False
    seconds = (time.perf_counter() - began) / len(runs)
    for index, run in zip(indices, runs, strict=True):
        gathered[index // seeds].runs[index % seeds] = run
        gathered[index // seeds].seconds += seconds
    if any(fleet.task.last(run.recipe) < run.recipe.epochs for run in runs):
        for index, paused in zip(indices, fleet.paused(), strict=True):
            gathered[index // seeds].paused[index % seeds] = paused
    return True


def _ended(ask: Ask, gathered: _Gathered) -> Ended:
    runs = tuple(gathered.runs[place] for place in sorted(gathered.runs))
    members = tuple(gathered.paused[place] for place in sorted(gathered.paused))
    scores = tuple(run.score for run in runs)
    worst = next((run.outcome for run in runs if run.outcome is Outcome.DIVERGED), runs[0].outcome)
    latest = tuple(_latest(run) for run in runs)
    kept = tuple(run.epoch for run in runs)
    epochs = min(each for each in (ask.epochs, runs[0].recipe.epochs) if each is not None)
    size, seconds = trees.size(runs[0].params), gathered.seconds
    trial = Trial(ask.id, ask.point, epochs, ask.parent, scores, str(worst), seconds, latest, kept, size)
    return Ended(trial, runs if trial.ok else (), members if trial.ok else ())


def _latest(run: Run) -> float:
    """The score of the last epoch that was run."""
    line = run.history[f"val_{run.metric.key}"]
    return float(line[-1]) if len(line) else run.score
