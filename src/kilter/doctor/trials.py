"""Trials: recipes trained with several seeds, each recipe and seed once, as fleets."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kilter.core.diff import diff
from kilter.core.errors import InputError
from kilter.core.journal import Journal
from kilter.data.dataset import Dataset
from kilter.doctor.courses import chance_score, trained
from kilter.doctor.effect import Effect
from kilter.doctor.remedy import Remedy
from kilter.train.check import deciding_metric
from kilter.train.recipe import Recipe
from kilter.train.run import Run

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Change:
    """One remedy, or several one after the other.

    Attributes:
        remedies: applied in order; none for the untouched recipe.
        recipe: what comes of it.
        kind: ``"control"``, ``"reference"`` (all that is known good at once), ``"remedy"``, ``"combination"`` or
            ``"random"``.
    """

    remedies: tuple[Remedy, ...]
    recipe: Recipe
    kind: str

    @classmethod
    def of(cls, recipe: Recipe, remedies: Sequence[Remedy], kind: str) -> "Change":
        """Apply remedies; those that leave the recipe as it is are left out."""
        kept = []
        for remedy in remedies:
            new = remedy(recipe)
            if new != recipe:
                kept.append(remedy)
            recipe = new
        return cls(tuple(kept), recipe, kind)

    @property
    def name(self) -> str:
        """Names of its remedies."""
        return " + ".join(remedy.name for remedy in self.remedies) or (
            "as it is" if self.kind == "control" else self.kind
        )

    def __len__(self) -> int:
        return len(self.remedies)


@dataclass
class Ledger:
    """What has been trained so far.

    Attributes:
        recipe: that is to be cured.
        data: that it trains on.
        budget: trainings that may be made in all, a recipe with a seed each.
        tell: called with a line whenever something begins.
        journal: that results are noted in; None: in none.
        names: kind and name of the changes that recipes come of.
        kept: of the budget, for the proof.
    """

    recipe: Recipe
    data: Dataset
    budget: int
    tell: Callable[[str], None] = lambda line: None
    journal: Journal | None = None
    names: dict[Recipe, tuple[str, str]] = field(default_factory=dict)
    scores: dict[Recipe, dict[int, float]] = field(default_factory=dict)
    seconds: dict[Recipe, float] = field(default_factory=dict)
    spent: int = 0
    kept: int = 0

    @property
    def left(self) -> int:
        """Trainings that may still be made."""
        return self.budget - self.kept - self.spent

    def name(self, changes: Iterable[Change]) -> None:
        """Remember what recipes are called, for the journal."""
        for change in changes:
            self.names.setdefault(change.recipe, (change.kind, change.name))

    def train(self, recipes: Iterable[Recipe], seeds: Sequence[int]) -> None:
        """Train each recipe with each seed, unless it has been; as many of the first as the budget allows."""
        for missing, group in self._missing(recipes, seeds).items():
            affordable = group[: self.left // len(missing)]
            if affordable:
                self._train(affordable, missing)

    def _missing(self, recipes: Iterable[Recipe], seeds: Sequence[int]) -> dict[tuple[int, ...], list[Recipe]]:
        groups: dict[tuple[int, ...], list[Recipe]] = {}
        for recipe in dict.fromkeys(recipes):
            missing = tuple(seed for seed in seeds if seed not in self.scores.get(recipe, {}))
            if missing:
                groups.setdefault(missing, []).append(recipe)
        return groups

    def _train(self, recipes: list[Recipe], seeds: Sequence[int]) -> None:
        self.tell(f"training {len(recipes)} recipes with {len(seeds)} seeds")
        began = time.perf_counter()
        runs = self._runs(recipes, seeds)
        each = (time.perf_counter() - began) / len(recipes)
        for recipe, own in zip(recipes, runs, strict=True):
            self.scores.setdefault(recipe, {}).update(zip(seeds, map(self._gain, own), strict=True))
            self.seconds[recipe] = self.seconds.get(recipe, 0.0) + each
        self.spent += len(recipes) * len(seeds)
        for recipe in recipes:
            self._note(recipe)

    def _note(self, recipe: Recipe) -> None:
        """Note what is known of a recipe by now; what was noted of it before is replaced."""
        if self.journal is None:
            return
        means = {each: float(np.mean(list(scores.values()))) for each, scores in self.scores.items()}
        kind, name = self.names.get(recipe, ("remedy", ""))
        told = {"result": self.number(recipe), "kind": kind, "change": name, "score": self.sign * means[recipe]}
        effect = self.effect(recipe)
        if effect is not None:
            told |= {"effect": effect.mean, "low": effect.low, "high": effect.high, "pairs": effect.pairs}
        settings = {change.path: repr(change.after) for change in diff(self.recipe, recipe)}
        self.journal.add(**told, settings=settings, best=self.sign * max(means.values()), done=len(means))

    def number(self, recipe: Recipe) -> int:
        """The place of a recipe among all that were trained."""
        return list(self.scores).index(recipe)

    def effect(self, recipe: Recipe) -> Effect | None:
        """What a recipe gains, on all seeds that the untouched one was trained with, too; None where there are none."""
        seeds = [seed for seed in self.scores[recipe] if seed in self.scores.get(self.recipe, {})]
        return Effect.of(self.gains(recipe, seeds), self.gains(self.recipe, seeds)) if seeds else None

    def _runs(self, recipes: list[Recipe], seeds: Sequence[int]) -> list[list[Run | None]]:
        """Runs of all; None for those of a recipe that cannot be trained here, as memory refuses it."""
        try:
            return [list(own) for own in trained(recipes, self.data, seeds)]
        except InputError:
            if len(recipes) == 1:
                return [[None] * len(seeds)]
            return [self._runs([recipe], seeds)[0] for recipe in recipes]

    def _gain(self, run: Run | None) -> float:
        """Score of which more is better; what diverged, or is worse than that, counts as the floor."""
        score = float("nan") if run is None else self.sign * run.score
        return self.worst if not score > self.worst else score

    @property
    def sign(self) -> float:
        """1 where more is better."""
        return 1.0 if deciding_metric(self.recipe, self.data).higher_is_better else -1.0

    @property
    def chance(self) -> float:
        """Score of a constant prediction, as a number of which more is better."""
        return self.sign * chance_score(self.recipe, self.data)

    @property
    def worst(self) -> float:
        """What a training without any result counts as: no more than chance, and a bounded loss."""
        return min(self.chance, self.chance - abs(self.chance))

    def has(self, recipe: Recipe, seeds: Sequence[int]) -> bool:
        """Whether a recipe was trained with all these seeds."""
        return all(seed in self.scores.get(recipe, {}) for seed in seeds)

    def gains(self, recipe: Recipe, seeds: Sequence[int]) -> Array:
        """Scores of a recipe with these seeds, of which more is better."""
        return np.array([self.scores[recipe][seed] for seed in seeds])

    def mean(self, recipe: Recipe, seeds: Sequence[int]) -> float:
        """Their mean; minus infinity where it was not trained with all of them."""
        return float(self.gains(recipe, seeds).mean()) if self.has(recipe, seeds) else float("-inf")
