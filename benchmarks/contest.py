"""A row of the benchmark page: contestants that do the same work side by side, in rounds.

Rounds alternate between the contestants, each round begins with the next of them, and a ratio is taken within a round, so
that a machine that slows down slows all of them. The first call of each is apart: it compiles. The best matrix product of
the machine is measured in every round, too.
"""

import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import limit

OWN = "Kilter"
# A contestant that takes so many times as long as Kilter sits out after the second round.
SLOW = 10.0
# Rounds that are held even where time is up, unless that would take as long again; and seconds that a first call may take.
LEAST, COMPILE = 3, 120.0


class Seconds(NamedTuple):
    """What a call took: the work itself and, where that is less, all that the caller waits for; None: no call."""

    work: float | None
    whole: float | None = None


Side = Callable[[int], float | Seconds]


@dataclass(frozen=True)
class Contest:
    """What contestants do.

    Attributes:
        sides: by name what makes a contestant, Kilter's first; a contestant takes a seed, does the work and tells seconds.
        updates: updates of weights in the work, or rows or calls where nothing is trained.
        flops: floating point operations of the products in the work; 0 where these are not most of it.
        products: sizes ``(rows, inner, columns)`` of these products.
        told: more about the work, by name.
    """

    sides: dict[str, Callable[[], Side]]
    updates: int = 1
    flops: float = 0.0
    products: Sequence[tuple[int, int, int]] = ()
    told: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A line of the page.

    Attributes:
        name: by which it is measured again.
        title: the line's first cell.
        group: heading under which it stands.
        make: the contest; with True, a tiny one.
        aim: times that the best peer shall take as long as Kilter; None where none is set.
        share: of the machine's best matrix product that shall be reached; None where none is set.
        weight: share of the time of a full run.
    """

    name: str
    title: str
    group: str
    make: Callable[[bool], Contest]
    aim: float | None = None
    share: float | None = None
    weight: float = 1.0


def hold(
    row: Row,
    rounds: int,
    seconds: float,
    *,
    quick: bool = False,
    keep: Callable[[dict[str, Any]], None] = lambda record: None,
) -> dict[str, Any]:
    """Hold the contest of a row: at most so many rounds in about so many seconds, and at least three if they are short.

    What is known after each round is given to ``keep``, too.
    """
    began = time.perf_counter()
    contest = row.make(quick)
    record = {"updates": contest.updates, "flops": contest.flops, "told": contest.told, "rates": [], "sides": {}}
    ready = _first_calls(contest, record["sides"], max(COMPILE, seconds))
    keep(record)
    for turn in range(rounds):
        start = time.perf_counter()
        if contest.products:
            record["rates"].append(limit.best_rate(contest.products, few=quick))
        _round(ready, record["sides"], turn, max(COMPILE, seconds))
        now = time.perf_counter()
        keep(record)
        if 2 * now - start - began > (seconds if turn + 1 >= LEAST else 2 * seconds):
            break
    return record


def _first_calls(contest: Contest, found: dict[str, Any], seconds: float) -> dict[str, Side]:
    """The contestants that have made their first call."""
    ready = {}
    for name, make in contest.sides.items():
        with _guarded(found.setdefault(name, {"work": [], "whole": []}), seconds):
            start = time.perf_counter()
            side = make()
            side(0)
            found[name]["first"] = time.perf_counter() - start
            ready[name] = side
    return ready


def _round(ready: dict[str, Side], found: dict[str, Any], turn: int, seconds: float) -> None:
    """One call of every contestant; None stands for one that sits out."""
    names = list(ready)
    own = min(_known(found.get(OWN, {})), default=float("inf"))
    first = turn % max(len(names), 1)
    for name in names[first:] + names[:first]:
        past, taken = _known(found[name]), Seconds(None)
        if len(past) < 2 or min(past) <= SLOW * own:
            with _guarded(found[name], seconds):
                result = ready[name](turn + 1)
                taken = result if isinstance(result, Seconds) else Seconds(result)
        found[name]["work"].append(taken.work)
        found[name]["whole"].append(taken.work if taken.whole is None else taken.whole)


def _known(side: dict[str, Any]) -> list[float]:
    return [value for value in side.get("work", ()) if value is not None]


@contextmanager
def _guarded(found: dict[str, Any], seconds: float) -> Iterator[None]:
    """A contestant that fails, or takes too long, is a cell with its error; the others go on."""

    def out_of_time(*_: Any) -> None:
        raise TimeoutError(f"took more than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(max(1, round(seconds)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what peers say of their own insides
            yield
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        traceback.print_exc()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
