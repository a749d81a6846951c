"""What a report is made of: sections of words, tables, charts, pictures and code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Text:
    """A paragraph; with ``weight`` ``"lead"`` a large one, with ``"quiet"`` a small one."""

    kind: ClassVar[str] = "text"
    words: str
    weight: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under a head; the first column names them.

    Attributes:
        head: names of the columns.
        rows: of words, as many as the head has.
        caption: what the table shows.
        folded: whether it is to be opened first.
    """

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    folded: bool = False

    @property
    def wordy(self) -> list[bool]:
        """For each column whether it holds words, which stand on the left; numbers stand on the right."""
        return [not all(map(_is_number, column)) for column in zip(*self.rows, strict=True)]


def _is_number(cell: str) -> bool:
    return not cell.strip("+-.,%e0123456789") or cell in ("nan", "inf", "-inf", "None")


@dataclass(frozen=True)
class Chart:
    """An interactive chart.

    Attributes:
        option: of Apache ECharts, of plain values; or what a chart of our own is made of.
        told: what it shows, in words.
        draw: ``"echarts"``, or the name of a chart of our own in ``report.js``.
        height: in pixels; 0 for as much as it takes.
        width: at most, in pixels; 0 for all there is.
        table: the same numbers for those who cannot see it.
    """

    kind: ClassVar[str] = "chart"
    option: dict[str, Any]
    told: str
    draw: str = "echarts"
    height: int = 300
    width: int = 0
    table: Table | None = None


@dataclass(frozen=True)
class Pictures:
    """Small pictures with a line below each: PNG bytes and words."""

    kind: ClassVar[str] = "pictures"
    each: Sequence[tuple[bytes, str]]
    told: str = ""


@dataclass(frozen=True)
class Histograms:
    """Small histograms side by side: a name, counts in equal bins, and where the first begins and the last ends."""

    kind: ClassVar[str] = "histograms"
    each: Sequence[tuple[str, Sequence[int], float, float]]
    told: str


@dataclass(frozen=True)
class Code:
    """Text to be copied."""

    kind: ClassVar[str] = "code"
    text: str
    caption: str = ""


@dataclass(frozen=True)
class Notice:
    """A finding: how bad, what, and what belongs to it."""

    kind: ClassVar[str] = "notice"
    severity: str
    words: str
    details: Sequence[str] = ()


Block = Text | Table | Chart | Histograms | Pictures | Code | Notice


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)

    @property
    def anchor(self) -> str:
        """Name to link to."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.title.lower()).strip("-")
