"""The text of docs/benchmarks.md, made of what was measured of each row."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from contest import OWN, Row
from measured import FOLDER, Measured

SHORTFALLS = Path(__file__).with_name("shortfalls.md")
INTRODUCTION = """\
# How fast Kilter is

Made by `make bench`; `python benchmarks/page.py --rows NAME` measures a row again, and `--rebuild` writes this page anew.
What was measured lies in `benchmarks/results`, a file a row.

{machine}

- **Ratios are times of a peer over those of Kilter**, side by side in one process, median (lowest to highest) of rounds
  that alternate between the contestants. Above 1, Kilter is faster. A contestant that takes more than ten times as long
  as Kilter sits out after the second round.
- **All do the same work**: the same network, rows, batch, number of updates, Adam at 0.001; weights are drawn before, and
  loss and accuracy of all training rows are taken at the end. Kilter's time is its `seconds["train"]`, which holds all of
  that. "Whole call" holds all of Kilter's `kl.train`, with checks, plan and copies, against the same time of the peer.
- Compiling is left out of these and has [its own table](#compiling-and-imports); no program is kept from before.
- **The share of the limit** is the rate of floating point operations, of the products of updates and of judging all rows
  at the end, over that of the machine's best matrix products, each size by the fastest of NumPy, PyTorch and XLA, measured
  in the same rounds.
- **Peers**: PyTorch eager, and compiled by TorchInductor (default; `max-autotune` in the main rows), with fused Adam,
  rows gathered once an epoch, images channels last; Flax with Optax as one program, a scan over all updates, donated;
  Keras on JAX by its stateless calls in the same scan (images: an update a call, as a scan is slower); scikit-learn.
"""

COMPILING = """\
## Compiling and imports

What the first call takes beyond the later ones: tracing and compiling, and what a library does once in a process. Imports
stand among the cold starts.

"""


def page(rows: Sequence[Row], folder: Path = FOLDER) -> str:
    """The whole page, of the rows that have been measured."""
    found = {row.name: record for row in rows if (record := Measured.read(row.name, folder)) is not None}
    done = [row for row in rows if row.name in found]
    machines = letters(found.values())
    parts = [INTRODUCTION.format(machine=machine(list(found.values()), machines)), aims(done, found, machines)]
    for group in dict.fromkeys(row.group for row in done):
        parts.append(heading(group, [row for row in done if row.group == group], found, machines))
    parts.append(compiling(done, found))
    parts += [failures(done, found)] if any(each.errors for each in found.values()) else []
    parts += [SHORTFALLS.read_text().rstrip()] if SHORTFALLS.exists() else []
    return "\n".join(part.rstrip() + "\n" for part in parts)


def letters(records: Iterable[Measured]) -> dict[str, str]:
    """A letter for each machine that rows were measured on, by its description."""
    return dict(zip(dict.fromkeys(_machine(each.record) for each in records), ascii_uppercase, strict=False))


def machine(records: Sequence[Measured], machines: dict[str, str]) -> str:
    """What it was measured on, and when."""
    lines = [f"- **Machine {letter}**: {told}" for told, letter in machines.items() if told]
    dates = sorted(each.record["date"] for each in records if "date" in each.record)
    when = f"Measured from {dates[0]} to {dates[-1]}." if dates else ""
    busy = [each.record["load"] for each in records if each.record.get("load", 0.0) > 0.5]
    beside = f" {len(busy)} rows were measured beside other work (load up to {max(busy):.1f} a core)." if busy else ""
    return "\n".join(lines) + f"\n\n{when}{beside}"


def _machine(record: dict[str, Any]) -> str:
    if "machine" not in record:
        return ""
    told, versions = record["machine"], record["versions"]
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    where = f"{told['processor']}, {told['cores']} cores, {told['memory']}, {told['system']}, Python {told['python']}"
    return f"{where}; {libraries}."


def aims(rows: Sequence[Row], found: dict[str, Measured], machines: dict[str, str]) -> str:
    """The rows for which something was aimed at."""
    lines = table(
        "row", "best peer", ">takes, times as long", ">aim", "reached", ">share of the limit", ">aim ", "reached ",
        "machine",
    )  # fmt: skip
    for row in rows:
        record = found[row.name]
        if row.aim is None and row.share is None:
            continue
        ratio = None if record.best is None else record.ratio(record.best)
        share = record.share
        own = (cell(ratio), f"{row.aim:.2f}" if row.aim else "", reached(ratio, row.aim))
        limit = (cell(share), f"{row.share:.2f}" if row.share else "", reached(share, row.share))
        where = machines[_machine(record.record)]
        lines.append(line(f"{row.group}: {row.title}", record.best or "none", *own, *limit, where))
    return "## Aims\n\n" + "\n".join(lines)


def reached(found: Any, aim: float | None) -> str:
    """Whether a median is as high as it shall be."""
    if aim is None:
        return ""
    return "not measured" if found is None else "yes" if found.median >= aim else "**no**"


def heading(group: str, rows: Sequence[Row], found: dict[str, Measured], machines: dict[str, str]) -> str:
    """All rows of a group, against all peers."""
    records = [found[row.name] for row in rows]
    others = list(dict.fromkeys(name for each in records for name in each.sides if name != OWN))
    counts, whole = (any(test(each) for each in records) for test in (_counted, _called))
    columns = ["row", ">Kilter", ">share of the limit", *(f">{name}" for name in others)]
    columns += [">whole call, best peer"] * whole + [">parameters"] * counts + ["machine"]
    lines = table(*columns)
    for row, record in zip(rows, records, strict=True):
        cells = [row.title, duration(record.each), cell(record.share), *(contestant(record, name) for name in others)]
        cells += [cell(None if record.best is None else record.ratio(record.best, "whole"))] * whole
        cells += [parameters(record)] * counts + [machines[_machine(record.record)]]
        lines.append(line(*cells))
    return f"## {group}\n\nKilter's time is that of {_unit(group)}.\n\n" + "\n".join(lines)


def _unit(group: str) -> str:
    return {"Inference": "a row", "Cold starts": "a process from its start to the end of its epoch"}.get(
        group, "an update"
    )


def _counted(record: Measured) -> bool:
    return "parameters" in record.record.get("told", {})


def _called(record: Measured) -> bool:
    own = record.sides.get(OWN, {})
    return own.get("whole", []) != own.get("work", [])


def contestant(record: Measured, name: str) -> str:
    """A peer's ratio, or that it failed."""
    if name in record.errors:
        return "failed"
    return cell(record.ratio(name))


def parameters(record: Measured) -> str:
    """Kilter's, and PyTorch's where these are others."""
    told = record.record.get("told", {})
    if "parameters" not in told:
        return ""
    own, theirs = told["parameters"], told["PyTorch's parameters"]
    return f"{own:,}" if own == theirs else f"{own:,} (PyTorch {theirs:,})"


def compiling(rows: Sequence[Row], found: dict[str, Measured]) -> str:
    """Seconds that the first call takes beyond the later ones."""
    chosen = [(row, found[row.name]) for row in rows if _counted(found[row.name])]
    names = list(dict.fromkeys(name for _, record in chosen for name in record.sides if name != "scikit-learn"))
    lines = table("row", *(f">{name}" for name in names))
    for row, record in chosen:
        lines.append(line(row.title, *(duration(record.compiling(name)) for name in names)))
    return COMPILING + "\n".join(lines)


def failures(rows: Sequence[Row], found: dict[str, Measured]) -> str:
    """What failed, and how."""
    told = [(row.title, name, why) for row in rows for name, why in found[row.name].errors.items()]
    return "## What failed\n\n" + "\n".join(f"- {title}, {name}: {why}" for title, name, why in told)


def table(*names: str) -> list[str]:
    """The first two lines of a table; columns marked with > are set to the right."""
    return [
        line(*(name.lstrip(">") for name in names)),
        "|" + "|".join("--:" if n[0] == ">" else "---" for n in names) + "|",
    ]


def line(*cells: Any) -> str:
    """A line of a table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def cell(value: Any) -> str:
    """A value, or nothing."""
    return "" if value is None else str(value)


def duration(seconds: float | None) -> str:
    """In the unit that suits it."""
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def summary(name: str, record: Measured) -> Iterable[str]:
    """A row in a few lines, as it is measured."""
    share = record.share
    yield f"{name}: Kilter {duration(record.each)}" + (f", share of the limit {share}" if share else "")
    for other in record.sides:
        if other != OWN and other not in record.errors:
            yield f"    {other:20s} {cell(record.ratio(other))}"
    yield from (f"    {other:20s} failed: {why}" for other, why in record.errors.items())
