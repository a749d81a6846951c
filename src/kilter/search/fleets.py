"""Trials in fleets: those of one structure train side by side, and those that were paused go on where they were."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax

from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.search.gate import Gate
from kilter.search.strategies.state import Ask
from kilter.search.trial import Trial
from kilter.train.fleet import Fleet, structure
from kilter.train.outcome import Outcome
from kilter.train.paused import Paused
from kilter.train.recipe import Recipe
from kilter.train.run import Run

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
    """Asks that train in one program, with their recipes."""

    asks: tuple[Ask, ...]
    recipes: tuple[Recipe, ...]

    def split(self, parts: int) -> "list[Group]":
        """So many groups of about as many asks each."""
        ends = [len(self.asks) * part // parts for part in range(parts + 1)]
        return [Group(self.asks[begin:end], self.recipes[begin:end]) for begin, end in pairwise(ends)]


def grouped(gate: Gate, asks: Sequence[Ask], members: Members) -> tuple[list[Group], list[Ended]]:
    """Asks by structure and by the epochs that they go through; and the trials that the gate refuses."""
    groups: dict[Any, list[tuple[Ask, Recipe]]] = defaultdict(list)
    refused: list[Ended] = []
    for ask in asks:
        try:
            recipe = gate.built(ask.point)
        except InputError as error:
            refused.append(Ended(Trial.failed(ask, f"{error}, at {ask.point}")))
            continue
        begin = 0 if ask.parent is None else members[ask.parent][0].epochs
        groups[structure(recipe), begin, ask.epochs].append((ask, recipe))
    split = [Group(tuple(ask for ask, _ in pairs), tuple(recipe for _, recipe in pairs)) for pairs in groups.values()]
    return split, refused


def trained(group: Group, data: Dataset, seeds: tuple[int, ...], members: Members) -> list[Ended]:
    """Train a group to its epochs; empty where Ctrl-C came first. What is too large for the device trains in halves."""
    began = time.perf_counter()
    try:
        return _trained(group, data, seeds, members)
    except jax.errors.JaxRuntimeError as error:
        first, *others = group.asks
        if others:
            return [ended for half in group.split(2) for ended in trained(half, data, seeds, members)]
        reason = " ".join(str(error).split())[:200]
        return [Ended(Trial.failed(first, reason, time.perf_counter() - began))]


def _trained(group: Group, data: Dataset, seeds: tuple[int, ...], members: Members) -> list[Ended]:
    began = time.perf_counter()
    fleet = Fleet.launch(list(group.recipes), data, seeds)
    parents = [ask.parent for ask in group.asks if ask.parent is not None]
    if parents:
        fleet.go_on([member for parent in parents for member in members[parent]])
    runs = fleet.run(False, group.asks[0].epochs)
    if any(run.outcome is Outcome.INTERRUPTED for run in runs):
        return []
    paused = fleet.paused() if fleet.done < group.recipes[0].epochs else []
    seconds = (time.perf_counter() - began) / len(group.asks)
    width = len(seeds)
    places = [slice(index * width, (index + 1) * width) for index in range(len(group.asks))]
    return [
        _ended(ask, tuple(runs[place]), tuple(paused[place]), fleet.done, seconds)
        for ask, place in zip(group.asks, places, strict=True)
    ]


def _ended(ask: Ask, runs: tuple[Run, ...], members: tuple[Paused, ...], epochs: int, seconds: float) -> Ended:
    scores = tuple(run.score for run in runs)
    worst = next((run.outcome for run in runs if run.outcome is Outcome.DIVERGED), runs[0].outcome)
    trial = Trial(ask.id, ask.point, epochs, ask.parent, scores, str(worst), seconds)
    return Ended(trial, runs if trial.ok else (), members if trial.ok else ())
