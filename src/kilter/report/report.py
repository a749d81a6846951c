"""A report: one page that opens from disk, with all it needs inside."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from kilter.core import files
from kilter.metrics import describe
from kilter.report.blocks import Section


@dataclass(frozen=True)
class Report:
    """What `kilter.report` returns: a page of sections; shown as it is in a notebook.

    Attributes:
        title: of the page.
        sections: in the order in which they are read.
    """

    title: str
    sections: Sequence[Section]

    @cached_property
    def html(self) -> str:
        """The page. All that comes from data is escaped, and the page itself forbids every request to elsewhere."""
        return _page().render(report=self, assets=_Assets())

    def save(self, path: str | Path) -> Path:
        """Write the page, whole or not at all.

        Raises:
            FileError: it cannot be written.
        """
        files.write(Path(path), self.html.encode())
        return Path(path)

    def _repr_html_(self) -> str:
        from markupsafe import escape

        frame = "width:100%;height:80vh;border:0"
        return f'<iframe title="{escape(self.title)}" style="{frame}" srcdoc="{escape(self.html)}"></iframe>'

    def __repr__(self) -> str:
        return f"Report({self.title}: {', '.join(section.title for section in self.sections)})"


class _Assets:
    """The files that go into the page."""

    def __getitem__(self, name: str) -> str:
        return (resources("kilter.report") / "assets" / name).read_text()


@cache
def _page() -> Any:
    import jinja2  # not needed to train

    loader = jinja2.PackageLoader("kilter.report", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"embedded": embedded, "base64": _base64, "short": describe, "outline": outline}
    return environment.get_template("report.html")


def embedded(value: Any) -> Any:
    """Plain values as JSON that can stand in a page: no tag ends or begins in it."""
    from markupsafe import Markup

    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def outline(counts: Sequence[int]) -> str:
    """The path of a histogram whose bins are 1 wide and whose highest is 20 high.

    >>> outline([1, 2])
    'M0 20V10H1V0H2V20Z'
    """
    most = max(*counts, 1)
    return f"M0 20{''.join(f'V{20 - 20 * count / most:g}H{place}' for place, count in enumerate(counts, 1))}V20Z"


def _base64(value: bytes) -> str:
    import base64

    return base64.b64encode(value).decode()
