"""The search for the smallest change that helps: single remedies, what they make together, and what of it is needed."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kilter.doctor import remedies
from kilter.doctor.candidates import at_random, in_order_of, prescribed
from kilter.doctor.checkup import Checkup
from kilter.doctor.remedy import Remedy
from kilter.doctor.trials import Change, Ledger
from kilter.train.scores import deciding

# Single remedies tried at first and in all, and most of them together.
_FIRST, _SINGLES, _TOGETHER = 6, 16, 4
# How near the best a smaller change must come: a share of what the best has learned.
_NEAR = 0.01
# Rows below which a single one does matter.
_ROWS = 20


@dataclass
class Treatment:
    """Trials of one recipe.

    Attributes:
        ledger: of the trainings.
        checkup: that says what to try.
        seeds: of the screening.
        more: seeds for what the first ones may have flattered.
        thorough: whether combinations beyond the findings are tried, as the training is clearly worse than it could be.
        changes: all that was tried, the untouched recipe first.
    """

    ledger: Ledger
    checkup: Checkup
    seeds: tuple[int, ...]
    more: tuple[int, ...]
    thorough: bool
    changes: list[Change] = field(default_factory=list)

    def screen(self) -> Change | None:
        """The smallest change that comes near the best; None where nothing beats the untouched recipe.

        First what the findings ask for; more only where that stays behind the reference. What looks as good as that with
        two seeds alone is looked at again with more, as are then all the others.
        """
        recipe, data = self.ledger.recipe, self.ledger.data
        singles = [Change.of(recipe, [each], "remedy") for each in prescribed(self.checkup, recipe, data, _SINGLES)]
        if not singles:
            return None
        known = [Change((), remedies.overhaul(recipe, data), "reference")] if self.thorough else []
        self._try([Change((), recipe, "control"), *known, *self._of_findings(singles), *singles[:_FIRST]])
        best = self._selected(singles)
        if best is not None and not self._holds(best):
            self.seeds = (*self.seeds, *self.more)
            self.ledger.train([change.recipe for change in self.changes], self.seeds)
            best = self._selected(singles)
        return best

    def _selected(self, singles: Sequence[Change]) -> Change | None:
        if self.thorough and not self._enough():
            self._try([*singles[_FIRST:], *self._all_known_good()])
            self._try(list(self._best_together(singles)))
        best = self._smallest()
        return None if best is None else self._without_the_needless(best)

    def _holds(self, best: Change) -> bool:
        """Whether a change stays near the reference with more seeds."""
        if not self.thorough:
            return True
        reference, every = remedies.overhaul(self.ledger.recipe, self.ledger.data), (*self.seeds, *self.more)
        self.ledger.train([reference, best.recipe], every)
        wanted = self.ledger.mean(reference, every)
        return self.ledger.mean(best.recipe, every) >= wanted - 2 * self._slack(wanted)

    def _enough(self) -> bool:
        """Whether a change comes near the reference."""
        return max(map(self.mean, self._chosen), default=-math.inf) >= self._wanted

    @property
    def _chosen(self) -> list[Change]:
        """Changes tried on purpose."""
        return [change for change in self.changes if change.kind in ("remedy", "combination")]

    @property
    def _wanted(self) -> float:
        """What a change must reach: the best that was seen, less what does not matter."""
        best = max(self.mean(change) for change in self.changes if change.kind != "random")
        return best - self._slack(best)

    def compare(self, seed: int) -> Change | None:
        """The best of as many random single changes as were tried on purpose."""
        count = len(self._chosen)
        drawn = at_random(self.ledger.recipe, self.ledger.data, count, seed)
        changes = [Change.of(self.ledger.recipe, [remedy], "random") for remedy in drawn]
        self.ledger.name(changes)
        self.ledger.train([change.recipe for change in changes], self.seeds)
        done = [change for change in changes if self.ledger.has(change.recipe, self.seeds)]
        self.changes += done
        return max(done, key=self.mean, default=None)

    def mean(self, change: Change) -> float:
        """Mean score in the screening, of which more is better."""
        return self.ledger.mean(change.recipe, self.seeds)

    def _try(self, changes: Sequence[Change]) -> None:
        known = {change.recipe for change in self.changes if change.kind != "reference"}
        new = list({change.recipe: change for change in changes if change.recipe not in known}.values())
        self.ledger.name(new)
        self.ledger.train([change.recipe for change in new], self.seeds)
        self.changes += [change for change in new if self.ledger.has(change.recipe, self.seeds)]

    def _of_findings(self, singles: Sequence[Change]) -> list[Change]:
        """The first remedies of the first findings: of two, of three, ... of them together."""
        tried = [change.remedies[0] for change in singles]
        heads = list({found[0].family: found[0] for found in in_order_of(self.checkup, tried)}.values())
        counts = range(2, min(len(heads), _TOGETHER) + 1)
        return [Change.of(self.ledger.recipe, heads[:count], "combination") for count in counts]

    def _all_known_good(self) -> Iterator[Change]:
        """The reference itself, in parts that can be undone one by one."""
        yield Change.of(self.ledger.recipe, remedies.overhauling(self.ledger.recipe, self.ledger.data), "combination")

    def _best_together(self, first: Sequence[Change]) -> Iterator[Change]:
        """The best remedy of each kind, two, three, ... of those that helped most."""
        control = self.mean(self.changes[0])
        helpful = sorted((each for each in first if self.mean(each) > control), key=self.mean, reverse=True)
        best = list({change.remedies[0].family: change for change in reversed(helpful)}.values())
        best.sort(key=self.mean, reverse=True)
        chosen = [change.remedies[0] for change in best]
        for count in range(2, min(len(chosen), _TOGETHER) + 1):
            yield Change.of(self.ledger.recipe, chosen[:count], "combination")

    def _smallest(self) -> Change | None:
        """The smallest change near the best; of equally small ones that which was thought of first."""
        wanted, control = self._wanted, self.mean(self.changes[0])
        best = max(map(self.mean, self._chosen), default=-math.inf)
        if best <= control:
            return None
        enough = min(wanted, best - self._slack(best))
        near = [change for change in self._chosen if self.mean(change) >= enough]
        return min(near, key=len)

    def _slack(self, best: float) -> float:
        """What does not matter: a hundredth of what the best has learned, or a single row that is judged otherwise."""
        learned, rows = max(best - self.ledger.chance, 0.0), len(deciding(self.ledger.data))
        return max(_NEAR, 1.0 / rows if rows >= _ROWS else 0.0) * learned

    def _without_the_needless(self, best: Change) -> Change:
        """What is left of a change when all is undone that it does not need, until nothing more can be."""
        wanted = self.mean(best) - self._slack(self.mean(best))
        while len(best) > 1:
            lesser = {remedy: self._less(best, [remedy]) for remedy in best.remedies}
            self._try(list(lesser.values()))
            needless = [remedy for remedy, change in lesser.items() if self.mean(change) >= wanted]
            needless.sort(key=lambda remedy: -self.mean(lesser[remedy]))
            fewer = [self._less(best, needless[: count + 1]) for count in range(1, min(len(needless), len(best) - 1))]
            self._try(fewer)
            enough = [change for change in (*lesser.values(), *fewer) if self.mean(change) >= wanted]
            if not enough:
                break
            best = min(enough, key=lambda change: (len(change), -self.mean(change)))
        return best

    def _less(self, change: Change, without: Sequence[Remedy]) -> Change:
        kept = [remedy for remedy in change.remedies if remedy not in without]
        return Change.of(self.ledger.recipe, kept, "combination" if len(kept) > 1 else "remedy")
