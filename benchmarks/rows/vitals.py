"""What watching a training costs: whole calls of `kl.train` with its vitals measured, as by default, and without."""

from functools import partial
from typing import Any

from contest import OWN, Contest, Row, Side
from rows.mlp import MIDDLE, SMALL, WIDE, Case, job, products, tiny
from sides.job import Job
from sides.own import kilter

# At most 3 % more.
AIM = 1 / 1.03
PLAIN = "not watched"


def make(case: Case, quick: bool) -> Contest:
    """The contest."""
    import kilter as kl

    case = tiny(case) if quick else case
    work = job(case)
    sides = {OWN: partial(whole, work, kl.Watch()), PLAIN: partial(whole, work, None)}
    return Contest(sides, work.updates, 0.0, products(case))


def whole(work: Job, watch: Any) -> Side:
    """Kilter, of which the whole call counts: vitals are measured and judged beside the training."""
    side = kilter(work, watch)
    return lambda seed: side(seed).whole


ROWS = tuple(
    Row(
        f"vitals-{case.net}",
        f"{case.net}; {case.rows:,} rows, {case.epochs} epochs",
        "With vitals on",
        partial(make, case),
        AIM,
        weight=case.weight,
    )
    for case in (
        Case(SMALL, 10_000, 64, 40),
        Case(MIDDLE, 10_000, 128, 10, weight=1.5),
        Case(WIDE, 10_000, 256, 6, weight=3.0),
    )
)
