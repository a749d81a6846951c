"""Is it healthy, and what to do: findings worst first, and remedies with what they were measured to do."""

from collections.abc import Iterator
from typing import Any

from kilter.data.dataset import Dataset
from kilter.doctor import remedies
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import Cure
from kilter.doctor.finding import Finding
from kilter.metrics import describe
from kilter.report.blocks import Block, Chart, Code, Notice, Section, Table, Text
from kilter.report.charts import bars
from kilter.train.recipe import Recipe

# Suggestions for a finding, and changes in the chart of a cure.
_SUGGESTED, _SHOWN = 2, 24


def health(checkup: Checkup) -> Section:
    """The findings, worst first."""
    if checkup.healthy:
        return Section("Is it healthy?", (Notice("healthy", "Nothing is wrong with this training."), *_notes(checkup)))
    if not checkup.findings:
        return Section("Is it healthy?", (Notice("note", f"It cannot be told: {checkup.undecided}."), *_notes(checkup)))
    return Section("Is it healthy?", (*map(_notice, checkup.findings), *_notes(checkup)))


def _notice(finding: Finding) -> Notice:
    others = ", ".join(map(str, finding.alternatives[:3]))
    details = [
        f"cause: {finding.cause}" + (f"; or {others}" if others else ""),
        f"rule: {finding.rule}; {finding.reference}",
    ]
    return Notice(str(finding.severity), finding.told, details)


def _notes(checkup: Checkup) -> Iterator[Block]:
    if checkup.notes:
        yield Table(["seen"], [[note.told] for note in checkup.notes], "Seen, and does no harm here", folded=True)


def advice(checkup: Checkup, recipe: Recipe | None, data: Dataset | None, cure: Cure | None) -> Section | None:
    """What to do: the proved cure, or what is worth a try; None where nothing needs to be done."""
    if cure is not None:
        return Section("What to do", tuple(_proved(cure)))
    if not checkup.findings:
        return None
    lines = list(dict.fromkeys(_suggestions(checkup, recipe, data))) if recipe is not None and data is not None else []
    told = [Notice("note", line) for line in lines]
    return Section(
        "What to do", (*told, Text("Not tried yet: kl.cure(recipe, data) trains each beside the original.", "quiet"))
    )


def _suggestions(checkup: Checkup, recipe: Recipe, data: Dataset) -> Iterator[str]:
    for finding in checkup.findings[:3]:
        for name in finding.remedies[:_SUGGESTED]:
            for remedy in remedies.of(recipe, data, [name])[:1]:
                yield remedy.sentence


def _proved(cure: Cure) -> Iterator[Block]:
    yield Text(cure.sentence, "lead")
    tried = [row for row in cure.rows if row["kind"] not in ("control", "reference")]
    tried.sort(key=lambda row: -row["effect"])
    if tried:
        shown = tried[:_SHOWN]
        option = bars(
            [_named(row) for row in shown], [row["effect"] for row in shown], f"gain in {cure.metric}",
            [(row["low"], row["high"]) for row in shown],
        )  # fmt: skip
        told = f"Mean gain of each change over the recipe as it was, with its 95 % interval; {len(tried)} were tried."
        yield Chart(option, told, height=90 + 24 * len(shown), table=trials(cure))
    if cure.healed:
        yield Code(repr(cure.diff), "What differs")
        yield Code(repr(cure.recipe), "The cured recipe")


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
