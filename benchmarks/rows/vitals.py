"""What watching a training costs: the same training with and without its vitals measured, as by default."""

from functools import partial

from contest import OWN, Contest, Row
from rows.mlp import MIDDLE, SMALL, WIDE, Case, job, products, tiny
from sides.own import kilter

# At most 3 % more.
AIM = 1 / 1.03
PLAIN = "not watched"


def make(case: Case, quick: bool) -> Contest:
    """The contest."""
    import kilter as kl

    case = tiny(case) if quick else case
    work = job(case)
    sides = {OWN: partial(kilter, work, kl.Watch()), PLAIN: partial(kilter, work)}
    return Contest(sides, work.updates, 0.0, products(case))


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
