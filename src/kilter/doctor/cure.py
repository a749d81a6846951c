"""The cure: remedies tried against the untouched recipe, and the smallest that is proved to help."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kilter.core import files
from kilter.core.checks import check_seed
from kilter.core.diff import Diff, diff
from kilter.core.errors import InputError
from kilter.core.journal import Journal
from kilter.core.plotted import Plotted
from kilter.data.dataset import Dataset
from kilter.doctor.checkup import Checkup
from kilter.doctor.effect import Effect
from kilter.doctor.examine import examine
from kilter.doctor.finding import Finding
from kilter.doctor.treatment import Treatment
from kilter.doctor.trials import Change, Ledger
from kilter.doctor.verdict import floor, unwell
from kilter.doctor.words import Severity
from kilter.metrics import describe
from kilter.train.check import check, deciding_metric
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.store import without_nan

# Seeds of the screening, and more for what they may have flattered; the proof has others, so that what was chosen for its
# luck is not proved by it.
_SCREENING, _MORE = 2, 3


@dataclass(frozen=True)
class Cure(Plotted):
    """What helps a recipe, proved by training.

    Attributes:
        recipe: the proved one, or the original where nothing was proved to help.
        original: as it was given.
        change: the remedies; None where there are none.
        effect: of the change on the score, of which more is better, on seeds that did not choose it; None likewise.
        rival: the best of as many random single changes; None where there was no comparison.
        random: its effect, on the same seeds; None likewise.
        checkup: what was found before.
        rows: of `trials`.
        scores: mean score before and after, on these seeds.
        metric: name of the score.
        seconds: that it took.
        stopped: whether it was stopped by hand.
    """

    recipe: Recipe
    original: Recipe
    change: Change | None
    effect: Effect | None
    rival: Change | None
    random: Effect | None
    checkup: Checkup
    rows: tuple[dict[str, Any], ...]
    scores: tuple[float, float]
    metric: str
    seconds: float
    stopped: bool = False

    @property
    def healed(self) -> bool:
        """Whether a change was proved to help."""
        return self.change is not None

    @property
    def diff(self) -> Diff:
        """What differs between the original and the proved recipe."""
        return diff(self.original, self.recipe)

    @cached_property
    def trials(self) -> Any:
        """A pandas frame with a row a change: kind, change, scores per seed, effect, its interval, verdict, seconds."""
        import pandas as pd  # takes long to import

        return pd.DataFrame(list(self.rows))

    @property
    def sentence(self) -> str:
        """What came of it."""
        if self.stopped:
            return "Stopped by hand before anything was proved."
        if self.change is None or self.effect is None:
            return self._nothing
        did = "; ".join(remedy.sentence.partition(": ")[0].rstrip(".") for remedy in self.change.remedies)
        before, after = map(describe, self.scores)
        gain = f"{describe(self.effect.low)} to {describe(self.effect.high)}"
        return (
            f"{did}: this changed {self.metric} from {before} to {after} "
            f"({self.effect.pairs} seeds, 95 % interval of the gain {gain})."
        )

    @property
    def _nothing(self) -> str:
        if self.checkup.verdict == "healthy":
            return "Nothing is wrong with this training, so nothing was changed."
        if self.checkup.verdict == "cannot tell":
            return f"Nothing was changed: {self.checkup.undecided}."
        beyond = beyond_recipes(self.checkup)
        if beyond is not None:
            return f"No change of the recipe helps here, the rows must be mended: {beyond.symptom}."
        return (
            f"No significant improvement: none of {len(self.rows)} trials was proved better than the recipe as it is."
        )

    def facts(self) -> dict[str, Any]:
        """What came of it as plain values: sentence, scores, what was found and what was tried."""
        return {
            "title": self.checkup.title,
            "sentence": self.sentence,
            "healed": self.healed,
            "diff": repr(self.diff),
            "metric": self.metric,
            "before": self.scores[0],
            "after": self.scores[1],
            "seeds": 0 if self.effect is None else self.effect.pairs,
            "checkup": self.checkup.facts(),
            "trials": list(self.rows),
        }

    def save(self, folder: str | Path) -> Path:
        """Write recipe, trials and sentence to a folder, whole or not at all."""
        folder = Path(folder)

        def fill(fresh: Path) -> None:
            files.write(fresh / "recipe.json", self.recipe.to_json().encode())
            told = without_nan(json.loads(json.dumps(self.facts())))
            files.write(fresh / "cure.json", json.dumps(told, indent=2, allow_nan=False).encode())
            files.write(fresh / "trials.csv", self.trials.to_csv(index=False).encode())

        files.write_folder(folder, fill, lambda path: (path / "cure.json").is_file())
        return folder

    def __repr__(self) -> str:
        lines = [f"Cure({self.checkup.title}, {len(self.rows)} trials, {self.seconds:.1f} s)", f"  {self.sentence}"]
        return "\n".join([*lines, *(f"  {line}" for line in repr(self.diff).splitlines() if self.healed)])


def cure(
    recipe: Recipe | Run,
    data: Dataset,
    *,
    seeds: int = 5,
    budget: int = 400,
    checkup: Checkup | None = None,
    seed: int = 0,
    log: str | Path | None = None,
    progress: bool | None = None,
) -> Cure:
    """Find out what helps a training by trying it, and prove it.

    The remedies of the findings are trained from fresh weights beside the untouched recipe, alone and together, two seeds
    each. The smallest change near the best is taken, and what it does not need is undone. It is proved on seeds of its own,
    paired with the untouched recipe by initial weights and order of rows, and counts where the mean gain is above half of
    what a finding takes (0.015 for accuracy and R2) and the whole 95 % interval above zero; where these seeds are too few
    to tell, there are twice as many. As many random single changes are tried to compare with.

    Args:
        recipe: to be cured, or a run of one.
        data: that it trains on, of a stream its sample; the score on its validation rows decides.
        seeds: of the proof, at least 2.
        budget: trainings of a recipe with a seed that may be made in all.
        checkup: of the recipe, where there is one; else it is examined first.
        seed: of the first seed.
        log: path to which ``.log.jsonl`` is added for a file that trials are noted in as they end; `kilter board` shows it.
        progress: tell on standard error what is going on; left open, if it is a terminal.

    Raises:
        InputError: the recipe does not fit the data; too few seeds or too small a budget.
    """
    if seeds < 2 or budget < 2 * _SCREENING + 3 * seeds:
        raise InputError(
            f"cure(seeds={seeds!r}, budget={budget!r}): seeds must be at least 2, "
            f"budget at least {2 * _SCREENING} and 3 for each seed"
        )
    began, seed = time.perf_counter(), check_seed(seed)
    recipe = recipe.recipe if isinstance(recipe, Run) else recipe
    check(recipe, data)
    data = data.sample
    metric = deciding_metric(recipe, data)
    facts = {"metric": metric.key, "higher_is_better": metric.higher_is_better, "recipe": repr(recipe)}
    with Journal.kept(log, "cure", data.title, **facts) as journal:
        tell = _teller(progress, journal)
        if checkup is None:
            tell("examining")
            checkup = examine(recipe, data, seed=seed)
        if journal is not None:
            for finding in checkup.findings:
                journal.add(found=finding.told)
        # Kept are trainings of the recipe, of what helps and of the random change.
        ledger = Ledger(recipe, data, budget, tell, journal, kept=3 * seeds)
        begins = seed + _SCREENING + _MORE
        course = _Course(ledger, checkup, seed, tuple(range(begins, begins + seeds)))
        stopped = False
        try:
            course.run()
        except KeyboardInterrupt:
            stopped = True
        found = course.told(time.perf_counter() - began, stopped)
        course.note()
        tell(found.sentence)
    return found


def beyond_recipes(checkup: Checkup) -> Finding | None:
    """The finding that no change of a recipe can mend: the first one, where it is an error or all are like that."""
    first = checkup.findings[0]
    if first.remedies or (first.severity is not Severity.ERROR and any(each.remedies for each in checkup.findings)):
        return None
    return first


class _Course:
    """One cure on its way."""

    def __init__(self, ledger: Ledger, checkup: Checkup, seed: int, proof: tuple[int, ...]) -> None:
        self.ledger, self.checkup, self.seed, self.proof = ledger, checkup, seed, proof
        first, thorough = tuple(range(seed, seed + _SCREENING)), unwell(checkup.chart) is not False
        more = tuple(range(seed + _SCREENING, seed + _SCREENING + _MORE))
        self.treatment = Treatment(ledger, checkup, first, more, thorough)
        self.change: Change | None = None
        self.effect: Effect | None = None
        self.rival: Change | None = None
        self.random: Effect | None = None

    def run(self) -> None:
        if not self.checkup.findings or beyond_recipes(self.checkup) is not None:
            return
        chosen = self.treatment.screen()
        if chosen is None:
            return
        self.rival = self.treatment.compare(self.seed)
        effect = self._proved(chosen, self.proof)
        if effect is not None and not effect.helps(self._least()) and effect.mean > self._least():
            count = len(self.proof)  # too few to tell: twice as many
            self.proof = tuple(range(self.proof[0], self.proof[0] + 2 * count))
            effect = self._proved(chosen, self.proof)
        if effect is not None and effect.helps(self._least()):
            self.change, self.effect = chosen, effect
        self.random = None if self.rival is None else self._effect(self.rival.recipe)

    def _proved(self, chosen: Change, seeds: tuple[int, ...]) -> Effect | None:
        """The effect of a change on seeds that did not choose it, beside that of the best random one."""
        self.ledger.kept = 0
        tried = [change for change in (chosen, self.rival) if change is not None]
        self.ledger.train([self.ledger.recipe, *(change.recipe for change in tried)], seeds)
        return self._effect(chosen.recipe)

    def _least(self) -> float:
        reference = self.checkup.chart.reference
        return 0.015 if reference is None else floor(reference) / 2

    def _effect(self, recipe: Recipe) -> Effect | None:
        if not self.ledger.has(recipe, self.proof):
            return None
        return Effect.of(self.ledger.gains(recipe, self.proof), self.ledger.gains(self.ledger.recipe, self.proof))

    def told(self, seconds: float, stopped: bool) -> Cure:
        ledger, recipe = self.ledger, self.ledger.recipe
        after = recipe if self.change is None else self.change.recipe
        scores = tuple(ledger.sign * ledger.mean(each, self.proof) for each in (recipe, after))
        return Cure(
            after, recipe, self.change, self.effect, self.rival, self.random, self.checkup, tuple(self._rows()),
            (scores[0], scores[1]), deciding_metric(recipe, ledger.data).key, seconds, stopped,
        )  # fmt: skip

    def note(self) -> None:
        """Note the verdicts in the journal."""
        journal, ledger = self.ledger.journal, self.ledger
        if journal is None:
            return
        verdicts: dict[int, str] = {}  # the first of changes that come to the same recipe was made on purpose
        for change, row in zip(self.treatment.changes, self._rows(), strict=True):
            verdicts.setdefault(ledger.number(change.recipe), row["verdict"])
        if self.change is not None:
            verdicts[ledger.number(self.change.recipe)] = "proved"
        for number, verdict in verdicts.items():
            journal.add(result=number, verdict=verdict)

    def _rows(self) -> list[dict[str, Any]]:
        return [self._row(change) for change in self.treatment.changes]

    def _row(self, change: Change) -> dict[str, Any]:
        ledger = self.ledger
        both, every = (change.recipe, ledger.recipe), range(self.seed, self.proof[-1] + 1)
        seeds = [seed for seed in every if all(ledger.has(each, [seed]) for each in both)]
        scores = ledger.gains(change.recipe, seeds)
        effect = Effect.of(scores, ledger.gains(ledger.recipe, seeds))
        return {
            "kind": change.kind,
            "change": change.name,
            "score": tuple(float(ledger.sign * score) for score in scores),
            "mean": float(ledger.sign * scores.mean()),
            "effect": effect.mean,
            "low": effect.low,
            "high": effect.high,
            "verdict": self._verdict(change, effect),
            "seconds": ledger.seconds[change.recipe],
        }

    def _verdict(self, change: Change, effect: Effect) -> str:
        if change.kind == "control":
            return "control"
        if change is self.change:
            return "proved"
        if effect.helps(self._least()):
            return "helps"
        return "harms" if effect.harms() else "no significant improvement"


def _teller(progress: bool | None, journal: Journal | None) -> Callable[[str], None]:
    shown = sys.stderr.isatty() if progress is None else progress

    def tell(line: str) -> None:
        if shown:
            print(f"cure: {line}", file=sys.stderr, flush=True)
        if journal is not None:
            journal.add(told=line)

    return tell
