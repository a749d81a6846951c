"""The progress line of a search: trials, best so far, trials a second, time left; nothing where no one looks."""

from kilter.metrics import describe
from kilter.search.study import Study
from kilter.train.progress import Bar


class SearchLine(Bar):
    """Progress of a search from the study as it is to so many trials."""

    def __init__(self, study: Study, trials: int, wanted: bool | None) -> None:
        self._before = len(study.records)
        super().__init__("trial", trials, wanted, self._before)

    def advance(self, study: Study) -> None:
        """Show the study as it is now; nothing is ranked where no one looks."""
        if not self.seen:
            return
        done = len(study.records)
        ranked = study.ranked
        best = f"  {study.metric.key} {describe(ranked[0].score)}" if ranked else ""
        self.show(done, f"{best}  {(done - self._before) / self.seconds:.2g} trials/s")
