"""Is it healthy, and what to do: findings worst first, and remedies with what they were measured to do."""

from collections.abc import Iterator
from typing import Any

from kilter.data.dataset import Dataset
from kilter.doctor import remedies
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import Cure
from kilter.metrics import describe
from kilter.report.blocks import Block, Chart, Code, Notice, Section, Table, Text
from kilter.report.charts import bars
from kilter.train.recipe import Recipe

Facts = dict[str, Any]
# Suggestions for a finding, and changes in the chart of a cure.
_SUGGESTED, _SHOWN = 2, 24
_BETTER = "Nothing needs mending. A search may still find a better recipe: kl.search(space, data)."
_LOOK = "Nothing yet. kl.examine(recipe, data) trains the recipe on several seeds beside one that is known to work."


def health(checkup: Facts, title: str = "Is it healthy?") -> Section:
    """The findings of a checkup, worst first."""
    if checkup["verdict"] == "healthy":
        return Section(title, (Notice("healthy", "Nothing is wrong with this training."), *_notes(checkup)))
    if not checkup["findings"]:
        return Section(title, (Notice("note", f"It cannot be told: {checkup['undecided']}."), *_notes(checkup)))
    return Section(title, (*map(_notice, checkup["findings"]), *_notes(checkup)))


def _notice(finding: Facts) -> Notice:
    """A finding as a sentence, its causes in words, and where to read on."""
    others = ", ".join(cause.replace("_", " ") for cause in finding["alternatives"][:3])
    cause = finding["cause"].replace("_", " ")
    details = [
        f"Likely cause: {cause}{f'; or else {others}' if others else ''}.",
        f"Source: {finding['reference']}. More: kilter explain {finding['rule']}",
    ]
    return Notice(finding["severity"], _told(finding), details)


def _told(finding: Facts) -> str:
    """The sentence without severity and cause, which stand beside it."""
    return str(finding["sentence"]).removeprefix(f"{finding['severity']}: ").removesuffix(f" [{finding['cause']}]")


def _notes(checkup: Facts) -> Iterator[Block]:
    if checkup["notes"]:
        yield Table(["seen"], [[_told(note)] for note in checkup["notes"]], "Seen, and does no harm here", folded=True)


def advice(checkup: Checkup, recipe: Recipe | None, data: Dataset | None, cure: Cure | None) -> Section:
    """What to do: the proved cure, or what is worth a try."""
    if cure is not None:
        return Section("What to do", tuple(proved(cure.facts())))
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


def helped(cure: Facts) -> Section:
    """What came of a cure."""
    if not cure["healed"]:
        return Section("Did it help?", (Text(cure["sentence"], "lead"),))
    before, after = (describe(cure[name]) for name in ("before", "after"))
    words = f"Mean {cure['metric']} {before} before, {after} after"
    return Section(
        "Did it help?", (Text(f"{words}, on {cure['seeds']} seeds that did not choose the change.", "lead"),)
    )


def proved(cure: Facts) -> Iterator[Block]:
    """What was tried, and what of it helps."""
    yield Text(cure["sentence"], "lead")
    if cure["healed"]:
        yield Code(cure["diff"], "What differs")
    tried = [row for row in cure["trials"] if row["kind"] not in ("control", "reference")]
    tried.sort(key=lambda row: -_or_nan(row["effect"]))
    if tried:
        shown = tried[:_SHOWN]
        option = bars(
            [_named(row) for row in shown], [_or_nan(row["effect"]) for row in shown], f"gain in {cure['metric']}",
            [(_or_nan(row["low"]), _or_nan(row["high"])) for row in shown], [row["kind"] == "random" for row in shown],
        )  # fmt: skip
        told = f"Mean gain of each change, with its 95 % interval; {len(tried)} were tried, gray ones at random."
        yield Chart(option, told, height=90 + 24 * len(shown), table=_trials(cure))


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _named(row: Facts) -> str:
    return f"{row['change']} (at random)" if row["kind"] == "random" else row["change"]


def _trials(cure: Facts) -> Table:
    """All that was tried."""
    head = ["change", "kind", f"mean {cure['metric']}", "gain", "from", "to", "verdict"]
    numbers = ("mean", "effect", "low", "high")
    rows = [
        [row["change"], row["kind"], *(describe(_or_nan(row[name])) for name in numbers), row["verdict"]]
        for row in cure["trials"]
    ]
    return Table(head, rows, "Trials")
