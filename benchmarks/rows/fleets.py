"""Fleets of 64 networks with a learning rate each, as `fleet.py` measures them with more nets and sizes."""

from functools import partial
from itertools import pairwise

import fleet
from contest import OWN, Contest, Row

MEMBERS = 64
# What needs no processes of its own.
QUICK = (OWN, "JAX vmap")


def make(case: fleet.Case, quick: bool) -> Contest:
    """The contest."""
    members = 2 if quick else MEMBERS
    if quick:
        case = fleet.Case("8-8-2", (8, 8, 2), 32, 64, 2)
    sides = {name: make for name, make in fleet.contestants(case, members).items() if not quick or name in QUICK}
    pairs = list(pairwise(case.sizes))
    flops = 6.0 * sum(a * b for a, b in pairs) - 2.0 * case.sizes[0] * case.sizes[1]
    updates = members * case.epochs * -(-case.rows // case.batch)
    return Contest(sides, updates, flops * members * case.epochs * case.rows, [(case.batch, a, b) for a, b in pairs])


ROWS = tuple(
    Row(
        f"fleet-{case.name}",
        f"{MEMBERS} of {case.name}; {case.rows:,} rows, batch {case.batch}",
        "Fleets",
        partial(make, case),
    )
    for case in fleet.cases(quick=False)[:2]
)
