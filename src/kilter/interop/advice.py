"""What helps, in the words of the framework that a network comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kilter.data.dataset import Dataset
from kilter.doctor import remedies
from kilter.doctor.checkup import Checkup
from kilter.doctor.finding import Finding
from kilter.doctor.remedy import Remedy
from kilter.train.recipe import Recipe

# Most remedies that are named for a finding.
_MOST = 3


@dataclass(frozen=True)
class Terms:
    """Words of a framework.

    Attributes:
        told: a remedy of a recipe in its words; empty where it has none.
        families: what remedies of a family do, in its words, for networks that are no recipe.
        places: fields of a recipe as it calls them.
    """

    told: Callable[[Remedy], str]
    families: Mapping[str, str]
    places: Mapping[str, str]


@dataclass(frozen=True)
class Advised(Checkup):
    """A checkup of a network of another framework, with what helps in that framework's words.

    Attributes:
        advice: for each finding what helps, best first.
    """

    advice: tuple[tuple[str, ...], ...] = ()

    def __str__(self) -> str:
        if not self.findings:
            return super().__str__()
        lines = []
        for finding, advice in zip(self.findings, self.advice, strict=True):
            lines += [str(finding), *(f"  {'try' if first else 'or'}: {each}" for first, each in _marked(advice))]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return super().__repr__()


def _marked(advice: tuple[str, ...]) -> list[tuple[bool, str]]:
    return [(index == 0, each) for index, each in enumerate(advice)]


def advised(found: Checkup, recipe: Recipe | None, data: Dataset | None, terms: Terms) -> Advised:
    """A checkup with advice.

    Args:
        found: what the rules found.
        recipe: the network as one, where it is one that trains on the rows.
        data: its rows.
        terms: of its framework.
    """
    findings = tuple(_placed(finding, terms) for finding in found.findings)
    said = _Said(recipe, data, terms)
    advice = tuple(tuple(said.best(finding.remedies)) for finding in findings)
    notes = tuple(_placed(note, terms) for note in found.notes)
    return Advised(findings, notes, found.undecided, found.chart, found.title, found.seconds, advice)


def _placed(finding: Finding, terms: Terms) -> Finding:
    place = (
        finding.place.removeprefix("net.").removesuffix(".kernel")
        if finding.place.endswith(".kernel")
        else finding.place
    )
    return replace(finding, place=terms.places.get(place, place))


class _Said:
    """What is said of families of remedies; each is looked for once."""

    def __init__(self, recipe: Recipe | None, data: Dataset | None, terms: Terms) -> None:
        self._recipe, self._data, self._terms = recipe, data, terms
        self._known: dict[str, str] = {}

    def best(self, families: tuple[str, ...]) -> list[str]:
        """The first few that there is something to say of."""
        told: list[str] = []
        for family in families:
            if family not in self._known:
                self._known[family] = self._told(family)
            told += [self._known[family]] * (self._known[family] not in ("", *told))
            if len(told) == _MOST:
                break
        return told

    def _told(self, family: str) -> str:
        if self._recipe is None or self._data is None:
            return self._terms.families.get(family, "")
        offered = remedies.of(self._recipe, self._data, [family])
        return next((told for remedy in offered if (told := self._terms.told(remedy))), "")
