"""Is it healthy, and what to do: findings worst first, and remedies with what they were measured to do."""

from collections.abc import Iterator
from typing import Any

from kilter.data.dataset import Dataset
from kilter.doctor import remedies
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import Cure
from kilter.doctor.finding import Finding
from kilter.doctor.words import Cause
from kilter.metrics import describe
from kilter.report.blocks import Block, Chart, Code, Notice, Section, Table, Text
from kilter.report.charts import bars
from kilter.train.recipe import Recipe

# Suggestions for a finding, and changes in the chart of a cure.
_SUGGESTED, _SHOWN = 2, 24
_BETTER = "Nothing needs mending. A search may still find a better recipe: kl.search(space, data)."
_LOOK = "Nothing yet. kl.examine(recipe, data) trains the recipe on several seeds beside one that is known to work."


def health(checkup: Checkup, title: str = "Is it healthy?") -> Section:
    """The findings, worst first."""
    if checkup.healthy:
        return Section(title, (Notice("healthy", "Nothing is wrong with this training."), *_notes(checkup)))
    if not checkup.findings:
        return Section(title, (Notice("note", f"It cannot be told: {checkup.undecided}."), *_notes(checkup)))
    return Section(title, (*map(_notice, checkup.findings), *_notes(checkup)))


def _notice(finding: Finding) -> Notice:
    """A finding as a sentence, its causes in words, and where to read on."""
    others = ", ".join(map(_words, finding.alternatives[:3]))
    details = [
        f"Likely cause: {_words(finding.cause)}{f'; or else {others}' if others else ''}.",
        f"Source: {finding.reference}. More: kilter explain {finding.rule}",
    ]
    return Notice(str(finding.severity), finding.told.removesuffix(f" [{finding.cause}]"), details)


def _words(cause: Cause) -> str:
    return str(cause).replace("_", " ")


def _notes(checkup: Checkup) -> Iterator[Block]:
    if checkup.notes:
        yield Table(["seen"], [[note.told] for note in checkup.notes], "Seen, and does no harm here", folded=True)


def advice(checkup: Checkup, recipe: Recipe | None, data: Dataset | None, cure: Cure | None) -> Section:
    """What to do: the proved cure, or what is worth a try."""
    if cure is not None:
        return Section("What to do", tuple(_proved(cure)))
    if not checkup.findings:
        return Section("What to do", (Text(_BETTER if checkup.healthy else _LOOK),))
    lines = list(dict.fromkeys(_suggestions(checkup, recipe, data))) if recipe is not None and data is not None else []
    told = [Notice("try", line) for line in lines]
    return Section(
        "What to do",
        (
            *told,
            Text(
                "Not measured yet: kl.cure(recipe, data) trains each beside the original and tells what it gains.",
                "quiet",
            ),
        ),
    )


def _suggestions(checkup: Checkup, recipe: Recipe, data: Dataset) -> Iterator[str]:
    for finding in checkup.findings[:3]:
        for name in finding.remedies[:_SUGGESTED]:
            for remedy in remedies.of(recipe, data, [name])[:1]:
                yield remedy.sentence


def helped(cure: Cure) -> Section:
    """What came of a cure."""
    before, after = map(describe, cure.scores)
    if not cure.healed or cure.effect is None:
        return Section("Did it help?", (Text(cure.sentence, "lead"),))
    words = f"Mean {cure.metric} {before} before, {after} after, on {cure.effect.pairs} seeds that did not choose the change."
    return Section("Did it help?", (Text(words, "lead"),))


def _proved(cure: Cure) -> Iterator[Block]:
    yield Text(cure.sentence, "lead")
    if cure.healed:
        yield Code(repr(cure.diff), "What differs")
    tried = [row for row in cure.rows if row["kind"] not in ("control", "reference")]
    tried.sort(key=lambda row: -row["effect"])
    if tried:
        shown = tried[:_SHOWN]
        option = bars(
            [_named(row) for row in shown], [row["effect"] for row in shown], f"gain in {cure.metric}",
            [(row["low"], row["high"]) for row in shown], [row["kind"] == "random" for row in shown],
        )  # fmt: skip
        told = f"Mean gain of each change, with its 95 % interval; {len(tried)} were tried, gray ones at random."
        yield Chart(option, told, height=90 + 24 * len(shown), table=trials(cure))


def _named(row: dict[str, Any]) -> str:
    return f"{row['change']} (at random)" if row["kind"] == "random" else row["change"]


def trials(cure: Cure) -> Table:
    """All that was tried."""
    head = ["change", "kind", f"mean {cure.metric}", "gain", "from", "to", "verdict"]
    rows = [
        [
            row["change"],
            row["kind"],
            *(describe(row[name]) for name in ("mean", "effect", "low", "high")),
            row["verdict"],
        ]
        for row in cure.rows
    ]
    return Table(head, rows, "Trials")
