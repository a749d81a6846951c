"""An optimizer's step, dropout and normalization alone, as `layers.py` measures them with more parts."""

import re
import time
from collections.abc import Callable
from functools import partial

import layer_cases
from contest import OWN, Contest, Row, Side
from layer_sides import Program
from sides.pytorch import compiles

NAMES = ("Adam", "momentum", "dropout", "batch norm", "layer norm")


def make(place: int, quick: bool) -> Contest:
    """The contest of a case of `layers.py`."""
    case = chosen(quick)[place]
    sides = {OWN: partial(side, case.ours), "PyTorch": partial(side, partial(case.theirs, False))}
    if compiles() and not quick:
        sides["PyTorch compiled"] = partial(side, partial(case.theirs, True))
    return Contest(sides, case.updates)


def side(maker: Callable[[], Program]) -> Side:
    """A contestant that repeats a program."""
    program = maker()

    def work(seed: int) -> float:
        start = time.perf_counter()
        program()
        return time.perf_counter() - start

    return work


def chosen(quick: bool) -> list[layer_cases.Case]:
    """The cases that the page shows."""
    return [case for case in layer_cases.every(quick) if case.name.startswith(NAMES)]


def slug(name: str) -> str:
    """A name of the letters and digits alone."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


ROWS = tuple(
    Row(f"alone-{slug(case.name)}", case.name, "Parts alone", partial(make, place), weight=0.4)
    for place, case in enumerate(chosen(quick=False))
)
