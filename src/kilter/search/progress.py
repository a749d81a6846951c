"""The progress line of a search: trials, best so far, trials a second, time left; nothing where no one looks."""

import sys
import time
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kilter.metrics import describe
from kilter.search.study import Study


class SearchLine:
    """Progress of a search on standard error, if that is a terminal and ``wanted`` is not False."""

    def __init__(self, study: Study, trials: int, wanted: bool | None) -> None:
        shown = sys.stderr.isatty() if wanted is None else wanted and sys.stderr.isatty()
        self._before = len(study.records)
        self._start = time.perf_counter()
        self._progress = Progress(
            BarColumn(bar_width=12),
            TextColumn("trial {task.completed:.0f}/{task.total:.0f}{task.fields[told]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._progress.add_task("searching", total=trials, completed=self._before, told="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._progress.stop()

    def advance(self, study: Study) -> None:
        """Show the study as it is now."""
        done = len(study.records)
        speed = (done - self._before) / max(time.perf_counter() - self._start, 1e-9)
        best = f"  {study.metric.key} {describe(study.ranked[0].score)}" if study.ranked else ""
        self._progress.update(self._task, completed=done, told=f"{best}  {speed:.2g} trials/s")
