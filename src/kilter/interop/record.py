"""What was seen of a network of another framework, as the parts of a chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilter.doctor.anatomy import Anatomy, matched_std
from kilter.doctor.chart import Start
from kilter.interop.node import Node, organs
from kilter.vitals import EDGES, Places, Signal, Vitals, Weights, Whole

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Weight:
    """A parameter array.

    Attributes:
        value: the weights, as their framework has them.
        gradient: of the mean loss; None where there is none.
        after: the weights behind the next update; None where it was not made.
    """

    value: Array
    gradient: Array | None = None
    after: Array | None = None


def start(nodes: Sequence[Node], anatomy: Anatomy, loss: float, chance: float, weights: Mapping[str, Weight]) -> Start:
    """One forward and backward pass as the rules see it.

    Args:
        nodes: as they were met.
        anatomy: of the same nodes.
        loss: mean over the rows.
        chance: the same of the best constant prediction; NaN where it is not known.
        weights: by name; those of a kernel are named after their layer, as `named` does.
    """
    seen = organs(nodes)
    places = Places(tuple(node.place for node in seen), tuple(node.layer for node in seen), tuple(weights))
    norm = float(np.sqrt(sum(_rms(w.gradient) ** 2 * w.value.size for w in weights.values() if w.gradient is not None)))
    whole = Whole(np.array([loss]), np.array([norm]), np.array([0.0]))
    vitals = Vitals(stacked([node.signal for node in seen if node.signal is not None]), _sizes(weights), whole)
    own = {node.place: node.kernel for node in seen}
    kept = [own.get(organ.place) for organ in anatomy.weighted]  # none of those that Kilter has no layout for
    alike = [0.0 if kernel is None else _alike(kernel) for kernel in kept]
    strength = [
        1.0 if kernel is None else _rms(kernel) / max(matched_std(anatomy, organ, kernel.shape), 1e-30)
        for organ, kernel in zip(anatomy.weighted, kept, strict=True)
    ]
    return Start(places, vitals, np.array([alike]), np.array([strength]), chance)


def named(place: str) -> str:
    """Name of the kernel of the layer at a place."""
    return f"{place}.kernel".lstrip(".")


def _sizes(weights: Mapping[str, Weight]) -> Weights:
    size = np.array([_rms(each.value) for each in weights.values()])
    slope = np.array([_rms(each.gradient) for each in weights.values()])
    moved = np.array([_rms(None if each.after is None else each.after - each.value) for each in weights.values()])
    update = np.divide(moved, size, out=np.full_like(size, np.nan), where=size > 0)
    unknown = np.full(len(weights), np.nan)
    return Weights(*(each[None] for each in (size, slope, update, unknown, unknown)))


def stacked(signals: Sequence[Signal]) -> Signal:
    """Signals of several layers as one, ``(1, layers)``."""
    if not signals:
        none = np.zeros((1, 0))
        return Signal._make(none for _ in Signal._fields)._replace(histogram=np.zeros((1, 0, len(EDGES) + 1)))
    columns = (np.stack([np.asarray(value) for value in values])[None] for values in zip(*signals, strict=True))
    return Signal._make(columns)


def _rms(array: Array | None) -> float:
    return float("nan") if array is None else float(np.sqrt(np.square(array, dtype=np.float64).mean()))


def _alike(kernel: Array) -> float:
    """Share of the units that have the incoming weights of another."""
    units = kernel.reshape(-1, kernel.shape[-1])
    count = units.shape[-1]
    return 0.0 if count < 2 else (count - len({column.tobytes() for column in units.T})) / (count - 1)
