"""Every part by family, with its formula, its source and one line on when to choose it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kilter import data, losses, nn, optim
from kilter.search import strategies

FAMILIES: dict[str, Iterable[Any]] = {
    "layer": nn.layers.ALL,
    "initializer": nn.initializers.ALL,
    "activation": nn.activations.ALL,
    "normalization": nn.norms.ALL,
    "dropout": nn.dropouts.ALL,
    "recurrent": nn.recurrents.ALL,
    "loss": losses.ALL,
    "penalty": losses.PENALTIES,
    "constraint": optim.CONSTRAINTS,
    "optimizer": optim.ALL,
    "optimizer wrapper": optim.WRAPPERS,
    "schedule": optim.SCHEDULES,
    "preprocessing": data.PREPROCESSING,
    "augmentation": data.AUGMENTATIONS,
    "search strategy": strategies.ALL,
}


@dataclass(frozen=True)
class Entry:
    """One part: its family, its name as users write it, and what it says of itself."""

    family: str
    name: str
    formula: str
    source: str
    choose: str

    @classmethod
    def of(cls, family: str, part: Any) -> "Entry":
        """The entry of a class, read from its declarations."""
        return cls(family, part.name(), part.formula, part.source, part.choose)


class Catalog(tuple[Entry, ...]):
    """All entries, in the order of the families; prints as text."""

    def __repr__(self) -> str:
        return "\n\n".join(_text(family, entries) for family, entries in self._families())

    def markdown(self) -> str:
        """The page *How to choose*."""
        head = "# How to choose\n\nMade by `kilter catalog --markdown` from the declarations of the parts.\n"
        return "\n".join([head, *(_page(family, entries) for family, entries in self._families())])

    def _families(self) -> list[tuple[str, list[Entry]]]:
        present = dict.fromkeys(entry.family for entry in self)
        return [(family, [entry for entry in self if entry.family == family]) for family in present]


def catalog(family: str | None = None) -> Catalog:
    """Every part, or those of one family.

    Args:
        family: one of `FAMILIES`; left open, all.

    >>> [entry.name for entry in catalog("dropout")][:2]
    ['nn.Dropout', 'nn.SpatialDropout']
    """
    chosen = FAMILIES if family is None else {family: FAMILIES[family]}
    return Catalog(Entry.of(name, part) for name, parts in chosen.items() for part in parts)


def _text(family: str, entries: list[Entry]) -> str:
    lines = [f"{e.name}\n    {e.formula}\n    {e.choose}\n    {e.source}" for e in entries]
    return "\n".join([family.upper(), *lines])


def _page(family: str, entries: list[Entry]) -> str:
    rows = [
        f"| `{e.name}` | {_cell(e.choose)} | `{_cell(e.formula).replace('`', '')}` | {_cell(e.source)} |"
        for e in entries
    ]
    return "\n".join(
        [f"## {family.capitalize()}", "", "| part | choose it | formula | source |", "|---|---|---|---|", *rows, ""]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
