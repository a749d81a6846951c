"""The door to reports: one function for runs, checkups, cures and studies."""

from collections.abc import Sequence
from typing import Any

from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.doctor.checkup import Checkup
from kilter.doctor.cure import Cure
from kilter.report.report import Report
from kilter.search.study import Study
from kilter.train.run import Run


def report(
    subject: Run | Sequence[Run] | Checkup | Cure | Study,
    data: Dataset | None = None,
    *,
    checkup: Checkup | None = None,
    cure: Cure | None = None,
) -> Report:
    """Make a page of a run, several runs, a checkup, a cure or a study: one file that opens from disk, without a network.

    It answers in this order: did it learn, is it healthy, what to do; then comes the evidence.

    Args:
        subject: what to report on.
        data: that it trained on; of a run without it there are no predictions, no comparison with guessing, and no advice.
        checkup: of the run, from `kl.examine`; left open, its own course is looked at, which trains nothing.
        cure: of the run's recipe, from `kl.cure`.

    Raises:
        InputError: there is no report on such a thing, or a study without a score.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> recipe = kl.Recipe(nn.Dense(3), losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.05), epochs=5)
    >>> page = kl.report(kl.train(recipe, kl.data.iris()), kl.data.iris())
    >>> [section.title for section in page.sections][:2]
    ['Did it learn?', 'Is it healthy?']
    """
    from kilter.report import pages  # what draws them takes long to import

    if isinstance(subject, Run):
        return pages.of_run(subject, data, checkup, cure)
    if isinstance(subject, Checkup):
        return pages.of_checkup(subject, data)
    if isinstance(subject, Cure):
        return pages.of_cure(subject, data)
    if isinstance(subject, Study):
        return pages.of_study(subject)
    if _are_runs(subject):
        return pages.of_runs(subject, data)
    raise InputError(f"report takes a run, runs, a checkup, a cure or a study, got a {type(subject).__name__}")


def _are_runs(subject: Any) -> bool:
    listed = isinstance(subject, Sequence) and not isinstance(subject, str) and len(subject) > 0
    return listed and all(isinstance(each, Run) for each in subject)
