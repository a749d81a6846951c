"""Coarse to fine: random search, then again and again around what was best."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

from kilter.core.specs import number, option
from kilter.search.dimension import Dimension, Point
from kilter.search.strategies.state import Ask, State
from kilter.search.strategies.strategy import Strategy


class CoarseToFine(Strategy):
    """Random search over everything, then in rounds over ever smaller boxes around the best points so far.

    Round r = 0, 1, ... has ``trials`` points. Those of round 0 are random. For each later one, one of the best ``keep``
    share of all points so far is drawn as center, all being equally likely, and in the unit cube

        u ~ U(a, a + w),   w = shrink^min(r, rounds - 1),   a = clip(center - w / 2, 0, 1 - w):

    a box of the same size also at the border; whole numbers and ordered options have at least their neighbors in it. An
    option without order stays the center's with probability 1 - w and is drawn anew otherwise. What does not exist at the
    center is random. Several centers keep it from being caught by one lucky trial or one of several hills. A round begins
    when the one before is told; after ``rounds`` boxes shrink no more.

    Args:
        trials: points of a round.
        rounds: after how many the boxes have their final size.
        keep: share of the points so far that are centers, at least one.
        shrink: side of a box over that of the round before.
    """

    formula: ClassVar[str] = "u ~ U(box of side shrink^r around one of the best keep share)"
    source: ClassVar[str] = "practice: Bengio 2012, Practical Recommendations, section 3.3; Bergstra and Bengio 2012"
    choose: ClassVar[str] = "Easy to follow and hard to break; a few dozen trials on a few numbers."

    trials: int = option(default=16, kinds=int, range="[2, inf)")
    _: KW_ONLY
    rounds: int = option(default=5, kinds=int, range="[1, inf)")
    keep: float = number(default=0.1, range="(0, 1]")
    shrink: float = number(default=0.5, range="(0, 1)", scale="log")

    def next(self, state: State) -> Ask | None:
        done = len(state.asks) // self.trials
        before = done * self.trials
        if not state.settled(range(before)):
            return None
        best = state.ranked(range(before))
        if not best:
            return state.ask(state.random())
        rng = state.rng()
        center = state.asks[best[rng.integers(max(1, round(self.keep * len(best))))]].point
        width = self.shrink ** min(done, self.rounds - 1)
        point: Point = {}
        for dimension, (u, stay) in zip(state.dimensions, rng.random((len(state.dimensions), 2)), strict=True):
            if dimension.exists(point):
                point[dimension.name] = _near(dimension, center, width, u, stay)
        return state.ask(point)


def _near(dimension: Dimension, center: Point, width: float, u: float, stay: float) -> Any:
    """A value in the box around the center; ``u`` and ``stay`` are uniform draws."""
    if dimension.name not in center or (not dimension.ordered and stay < width):
        return dimension.decode(u)
    if not dimension.ordered:
        return center[dimension.name]
    width = max(width, min(3 / dimension.count, 1.0))
    low = min(max(dimension.encode(center[dimension.name]) - width / 2, 0.0), 1.0 - width)
    return dimension.decode(low + width * u)
