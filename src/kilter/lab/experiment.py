"""An experiment: a question, the numbers that answer it, a figure, and one sentence that the numbers support."""

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from kilter.core import files
from kilter.lab.checks import like

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Given = ParamSpec("Given")
Row = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What an experiment found.

    Attributes:
        rows: of the table, a dictionary by column each.
        sentence: what the numbers say.
        draw: draws it on an empty figure.
        size: of the figure, inches.
    """

    rows: list[Row]
    sentence: str
    draw: "Callable[[Figure], None]"
    size: tuple[float, float] = (9.0, 3.6)


@dataclass(frozen=True)
class Experiment:
    """An experiment that was made.

    Attributes:
        name: of the experiment.
        question: that it answers.
        settings: it was made with, by name.
        told: what it found.
    """

    name: str
    question: str
    settings: Mapping[str, Any]
    told: Told

    @property
    def sentence(self) -> str:
        """What the numbers say."""
        return self.told.sentence

    @cached_property
    def frame(self) -> Any:
        """The numbers as a pandas frame."""
        import pandas as pd  # takes long to import

        return pd.DataFrame(self.told.rows)

    def figure(self) -> "Figure":
        """The picture, a new matplotlib figure at every call; no display is needed."""
        from matplotlib.figure import Figure  # takes long to import

        figure = Figure(figsize=self.told.size, layout="constrained")
        self.told.draw(figure)
        for axes in figure.axes:
            axes.spines[["top", "right"]].set_visible(False)
        return figure

    def plot(self) -> "Figure":
        """The same as `figure`, by the name that all objects have."""
        return self.figure()

    def save(self, folder: str | Path) -> Path:
        """Write ``figure.png``, ``table.csv`` and ``experiment.json`` to a folder, whole or not at all."""
        folder = Path(folder)

        def fill(fresh: Path) -> None:
            about = {"name": self.name, "question": self.question, "sentence": self.sentence}
            self.figure().savefig(fresh / "figure.png", dpi=90)
            files.write(fresh / "table.csv", self.frame.to_csv(index=False).encode())
            said = about | {"settings": dict(self.settings)}
            files.write(fresh / "experiment.json", json.dumps(said, indent=2).encode())

        files.write_folder(folder, fill, is_experiment)
        return folder

    def __repr__(self) -> str:
        return f"Experiment({self.name}, {len(self.told.rows)} rows)\n  {self.question}\n  {self.sentence}"


def is_experiment(folder: Path) -> bool:
    """Whether a folder is one that `Experiment.save` wrote."""
    return (folder / "experiment.json").is_file()


def experiment(make: Callable[Given, Told]) -> Callable[Given, Experiment]:
    """Make an experiment of a function that finds something; its first line of documentation is the question."""
    question, signature = (inspect.getdoc(make) or "").split("\n")[0], inspect.signature(make)
    called: Callable[..., Told] = make  # with settings that were looked through

    @functools.wraps(make)
    def run(*args: Given.args, **given: Given.kwargs) -> Experiment:
        bound = signature.bind(*args, **given)
        bound.apply_defaults()
        settings = {name: like(name, signature.parameters[name].default, it) for name, it in bound.arguments.items()}
        return Experiment(make.__name__, question, settings, called(**settings))

    run.__annotations__ = make.__annotations__ | {"return": Experiment}
    return run
