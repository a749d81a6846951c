"""What a strategy has asked and been told: the whole of its memory, as plain data."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from kilter.core.checks import plain
from kilter.core.errors import InputError
from kilter.search import pareto
from kilter.search.dimension import Dimension, Need, Point, decode

# One number, or one an objective; higher is better.
Score = float | tuple[float, ...]


@dataclass(frozen=True)
class Ask:
    """One trial that a strategy wants.

    Attributes:
        id: number of the trial, from 0.
        point: values by name of the dimension.
        epochs: the epoch to train up to, counted from fresh weights; ``None``: as many as the recipe has.
        parent: id of the trial whose weights and optimizer to go on with; ``None``: fresh weights. Epochs that the parent
            has behind it count.
    """

    id: int
    point: Point
    epochs: int | None = None
    parent: int | None = None


@dataclass(frozen=True)
class State:
    """A record: all that was asked, and the score of every ask that was told; strategies derive the rest from it.

    Attributes:
        dimensions: of the space.
        seed: of all draws; each ask draws from the seed and its own number alone.
        asks: in order; the place of each is its id.
        scores: one an ask, higher is better, a tuple where there are several objectives: NaN for a trial that failed,
            ``None`` for one that is still out.
    """

    dimensions: tuple[Dimension, ...]
    seed: int
    asks: tuple[Ask, ...] = ()
    scores: tuple[Score | None, ...] = ()

    def asked(self, ask: Ask) -> "State":
        """With one more ask, still out."""
        return replace(self, asks=(*self.asks, ask), scores=(*self.scores, None))

    def told(self, scores: Mapping[int, float | Sequence[float]]) -> "State":
        """With scores by id; those that are not finite, or have one that is not, count as failed."""
        known = list(self.scores)
        for id, score in scores.items():
            if not 0 <= id < len(known) or known[id] is not None:
                raise InputError(f"trial {id} is not out; tell each trial that was asked for once")
            known[id] = _score(score)
        if len({len(score) if isinstance(score, tuple) else 1 for score in known if _scored(score)}) > 1:
            raise InputError("all trials must be told scores of the same objectives")
        return replace(self, scores=tuple(known))

    @property
    def pending(self) -> bool:
        """Whether a trial is still out."""
        return None in self.scores

    def scored(self, id: int) -> bool:
        """Whether a trial has been told and has not failed."""
        return _scored(self.scores[id])

    def settled(self, ids: Iterable[int]) -> bool:
        """Whether all of these have been told."""
        return all(self.scores[id] is not None for id in ids)

    def ranked(self, ids: Iterable[int] | None = None) -> list[int]:
        """Ids of those that have a score, best first, earlier ones first among equals; failed ones are left out.

        With several objectives: those that no other dominates first, and of these the less crowded (`pareto.order`).
        """
        scored = [id for id in sorted(range(len(self.asks)) if ids is None else ids) if self.scored(id)]
        values = self.values(scored)
        if values.shape[1] == 1:
            return [scored[place] for place in np.argsort(-values[:, 0], kind="stable")]
        return [scored[place] for place in pareto.order(values)]

    def values(self, ids: Sequence[int]) -> np.ndarray[Any, Any]:
        """Scores of trials that have one ``(trials, objectives)``."""
        return np.array([self.scores[id] for id in ids], float).reshape(len(ids), -1 if ids else 1)

    def rng(self) -> np.random.Generator:
        """Random numbers of the next ask."""
        return np.random.default_rng([self.seed, len(self.asks)])

    def ask(self, point: Point, epochs: int | None = None, parent: int | None = None) -> Ask:
        """The next ask."""
        return Ask(len(self.asks), point, epochs, parent)

    def random(self) -> Point:
        """A point for the next ask, each dimension uniform on its scale."""
        return decode(self.dimensions, self.rng().random(len(self.dimensions)))

    def to_json(self) -> str:
        """JSON text that `from_json` reads back to an equal state."""
        scores = [(id, score) for id, score in enumerate(self.scores) if score is not None]
        told = [[id, score if _scored(score) else None] for id, score in scores]
        asks = [[ask.point, ask.epochs, ask.parent] for ask in self.asks]
        dimensions = [asdict(each) for each in self.dimensions]
        return json.dumps({"dimensions": dimensions, "seed": self.seed, "asks": asks, "told": told}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "State":
        """Read a state from JSON text."""
        try:
            document = json.loads(text)
            dimensions = tuple(_dimension(each) for each in document["dimensions"])
            asks = tuple(Ask(id, *fields) for id, fields in enumerate(document["asks"]))
            state = cls(dimensions, document["seed"], asks, (None,) * len(asks))
            return state.told({id: math.nan if score is None else score for id, score in document["told"]})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(f"not the state of a search: {error}") from None


def _score(given: float | Sequence[float]) -> Score:
    """One number, or a tuple of several; NaN for what is not finite."""
    numbers = [float(each) for each in given] if isinstance(given, Sequence) else [float(given)]
    if not numbers or not all(map(math.isfinite, numbers)):
        return math.nan
    return tuple(numbers) if len(numbers) > 1 else numbers[0]


def _scored(score: Score | None) -> bool:
    """Whether a trial was told and has not failed."""
    return score is not None and (isinstance(score, tuple) or not math.isnan(score))


def _dimension(entry: dict[str, Any]) -> Dimension:
    needs: Sequence[dict[str, Any]] = entry["needs"]
    asked = tuple(Need(need["name"], plain(need["values"])) for need in needs)
    return Dimension(**entry | {"options": plain(entry["options"]), "needs": asked})
