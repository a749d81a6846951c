"""The progress line: epoch, loss, score, examples a second, time left; nothing where no one looks."""

import sys
import time
from typing import Any, Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Line:
    """Progress of a fleet on standard error, if that is a terminal and ``wanted`` is not False."""

    def __init__(self, epochs: int, rows: int, members: int, wanted: bool | None) -> None:
        shown = sys.stderr.isatty() if wanted is None else wanted and sys.stderr.isatty()
        self._work = rows * members
        self._start = time.perf_counter()
        self._progress = Progress(
            BarColumn(bar_width=12),
            TextColumn("epoch {task.completed:.0f}/{task.total:.0f}{task.fields[told]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._progress.add_task("training", total=epochs, told="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._progress.stop()

    def advance(self, epochs: int, history: dict[str, Any]) -> None:
        """So many epochs are done in all; ``history`` holds the last of them, ``(epochs, members)`` by name."""
        speed = epochs * self._work / max(time.perf_counter() - self._start, 1e-9)
        told = "".join(f"  {name} {_middle(values[-1])}" for name, values in history.items() if name != "lr")
        self._progress.update(self._task, completed=epochs, told=f"{told}  {speed:,.0f} rows/s")


def _middle(values: Any) -> str:
    """The middle of the members that are still going."""
    finite = values[np.isfinite(values)]
    return f"{np.median(finite):.4g}" if len(finite) else "-"
