"""Progress lines on standard error: epoch, loss, score, examples a second, time left; nothing where no one looks."""

import sys
import time
from typing import Any, Self

import numpy as np

from kilter.core import job


class Bar:
    """One line of progress, if standard error is a terminal and ``wanted`` is not False.

    Args:
        word: what is counted, in the singular.
        total: how many there are.
        wanted: whether the line is wanted; None: if standard error is a terminal.
        done: how many were done before.
    """

    def __init__(self, word: str, total: int, wanted: bool | None, done: int = 0) -> None:
        self._start = time.perf_counter()
        self._progress: Any = None
        if wanted is False or not sys.stderr.isatty() or not job.first():
            return
        from rich.console import Console  # most programs show no line, and rich takes a while to import
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        counted = TextColumn(f"{word} {{task.completed:.0f}}/{{task.total:.0f}}{{task.fields[told]}}")
        columns = BarColumn(bar_width=12), counted, TimeRemainingColumn(compact=True)
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(word, total=total, completed=done, told="")

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *problem: Any) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, done: float, told: str) -> None:
        """So many are done, and what is to be said of them."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, told=told)

    @property
    def seen(self) -> bool:
        """Whether anything is shown at all."""
        return self._progress is not None

    @property
    def seconds(self) -> float:
        """Since the line was made."""
        return max(time.perf_counter() - self._start, 1e-9)


class Line(Bar):
    """Progress of a fleet of so many members on so many rows."""

    def __init__(self, epochs: int, rows: int, members: int, wanted: bool | None) -> None:
        super().__init__("epoch", epochs, wanted)
        self._work = rows * members
        self._told = ""

    def within(self, epochs: float) -> None:
        """So many epochs are done, not all of them whole."""
        self.show(epochs, f"{self._told}  {epochs * self._work / self.seconds:,.0f} rows/s")

    def advance(self, epochs: int, history: dict[str, Any]) -> None:
        """So many epochs are done in all; ``history`` holds the last of them, ``(epochs, members)`` by name."""
        speed = epochs * self._work / self.seconds
        self._told = "".join(f"  {name} {_middle(values[-1])}" for name, values in history.items() if name != "lr")
        self.show(epochs, f"{self._told}  {speed:,.0f} rows/s")


def _middle(values: Any) -> str:
    """The middle of the members that are still going."""
    finite = values[np.isfinite(values)]
    return f"{np.median(finite):.4g}" if len(finite) else "-"
