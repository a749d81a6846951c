"""The search for the smallest change that helps: single remedies, what they make together, and what of it is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kilter.doctor import remedies
from kilter.doctor.candidates import OVERHAUL, at_random, in_order_of, prescribed
from kilter.doctor.checkup import Checkup
from kilter.doctor.remedy import Remedy
from kilter.doctor.trials import Change, Ledger

# Most single remedies tried, most of them together, and how near the best a smaller change must come.
_SINGLES, _TOGETHER, _NEAR = 16, 5, 0.01


@dataclass
class Treatment:
    """Trials of one recipe.

    Attributes:
        ledger: of the trainings.
        checkup: that says what to try.
        seeds: of the screening.
        thorough: whether combinations beyond the findings are tried, as the training is clearly worse than it could be.
        changes: all that was tried, the untouched recipe first.
    """

    ledger: Ledger
    checkup: Checkup
    seeds: tuple[int, ...]
    thorough: bool
    changes: list[Change] = field(default_factory=list)

    def screen(self) -> Change | None:
        """The smallest change that comes near the best; None where nothing beats the untouched recipe."""
        recipe, data = self.ledger.recipe, self.ledger.data
        singles = prescribed(self.checkup, recipe, data, _SINGLES)
        first = [Change.of(recipe, [remedy], "remedy") for remedy in singles]
        if not first:
            return None
        together = list(self._together(singles)) if self.thorough else self._each_finding(singles)
        self._try([Change((), recipe, "control"), *first, *together])
        self._try(list(self._best_together(first)))
        best = self._smallest()
        return None if best is None else self._without_the_needless(best)

    def compare(self, seed: int) -> Change | None:
        """The best of as many random single changes as were tried on purpose."""
        count = sum(change.kind in ("remedy", "combination") for change in self.changes)
        drawn = at_random(self.ledger.recipe, self.ledger.data, count, seed)
        changes = [Change.of(self.ledger.recipe, [remedy], "random") for remedy in drawn]
        self.ledger.train([change.recipe for change in changes], self.seeds)
        done = [change for change in changes if self.ledger.has(change.recipe, self.seeds)]
        self.changes += done
        return max(done, key=self.mean, default=None)

    def mean(self, change: Change) -> float:
        """Mean score in the screening, of which more is better."""
        return self.ledger.mean(change.recipe, self.seeds)

    def _try(self, changes: Sequence[Change]) -> None:
        known = {change.recipe for change in self.changes}
        new = list({change.recipe: change for change in changes if change.recipe not in known}.values())
        self.ledger.train([change.recipe for change in new], self.seeds)
        self.changes += [change for change in new if self.ledger.has(change.recipe, self.seeds)]

    def _each_finding(self, singles: list[Remedy]) -> list[Change]:
        """The first remedies of the first findings: of two, of three, ... of them together."""
        heads = list({found[0].family: found[0] for found in in_order_of(self.checkup, singles)}.values())
        counts = range(2, min(len(heads), _TOGETHER) + 1)
        return [Change.of(self.ledger.recipe, heads[:count], "combination") for count in counts]

    def _together(self, singles: list[Remedy]) -> Iterator[Change]:
        """Those, and all that is known good, from the outputs to the number of epochs."""
        yield from self._each_finding(singles)
        recipe, chosen = self.ledger.recipe, []
        for name in OVERHAUL:
            for remedy in remedies.of(recipe, self.ledger.data, [name])[:1]:
                chosen.append(remedy)
                recipe = remedy(recipe)
        yield Change.of(self.ledger.recipe, chosen, "combination")
        for last in ("epochs", "batch_size"):
            yield Change.of(self.ledger.recipe, [each for each in chosen if each.family != last], "combination")

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
        tried = [change for change in self.changes if change.kind in ("remedy", "combination")]
        if not tried:
            return None
        best = max(map(self.mean, tried))
        if best <= self.mean(self.changes[0]):
            return None
        near = [change for change in tried if self.mean(change) >= best - self.tolerance(best)]
        return min(near, key=lambda change: (len(change), -self.mean(change)))

    def tolerance(self, best: float) -> float:
        """How far below the best a smaller change may stay."""
        return _NEAR * max(best - self.ledger.chance, 0.0)

    def _without_the_needless(self, best: Change) -> Change:
        """What is left of a change when all is undone that it does not need."""
        if len(best) < 2:
            return best
        wanted = self.mean(best) - self.tolerance(self.mean(best))
        lesser = {remedy: self._less(best, [remedy]) for remedy in best.remedies}
        self._try(list(lesser.values()))
        needless = [remedy for remedy, change in lesser.items() if self.mean(change) >= wanted]
        needless.sort(key=lambda remedy: -self.mean(lesser[remedy]))
        fewer = [self._less(best, needless[: count + 1]) for count in range(len(needless))]
        fewer = [change for change in fewer if len(change)]
        self._try(fewer)
        enough = [best, *(change for change in fewer if self.mean(change) >= wanted)]
        return min(enough, key=lambda change: (len(change), -self.mean(change)))

    def _less(self, change: Change, without: Sequence[Remedy]) -> Change:
        kept = [remedy for remedy in change.remedies if remedy not in without]
        return Change.of(self.ledger.recipe, kept, "combination" if len(kept) > 1 else "remedy")
