"""What was seen of a network of another framework, as the parts of a chart."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilter.doctor.anatomy import Anatomy, matched_std
from kilter.doctor.chart import Start
from kilter.interop.node import Node, organs
from kilter.vitals import EDGES, Places, Signal, Vitals, Weights, Whole

Array = np.ndarray[Any, Any]


def start(
    nodes: Sequence[Node], anatomy: Anatomy, loss: float, chance: float, gradients: Mapping[str, Array | None]
) -> Start:
    """One forward and backward pass as the rules see it.

    Args:
        nodes: as they were met.
        anatomy: of the same nodes.
        loss: mean over the rows.
        chance: the same of the best constant prediction; NaN where it is not known.
        gradients: of the mean loss with respect to kernels, by the place of their layer.
    """
    seen = organs(nodes)
    signals = stacked([node.signal for node in seen if node.signal is not None])
    kernels = [node.kernel for node in seen if node.kernel is not None]
    weighted = [node for node in seen if node.kernel is not None]
    places = Places(
        tuple(node.place for node in seen),
        tuple(node.layer for node in seen),
        tuple(f"{node.place}.kernel" for node in weighted),
    )
    sizes = np.array([_rms(kernel) for kernel in kernels])
    slopes = np.array([_rms(gradients.get(node.place)) for node in weighted])
    unknown = np.full(len(kernels), np.nan)
    weights = Weights(*(each[None] for each in (sizes, slopes, unknown, unknown, unknown)))
    whole = Whole(np.array([loss]), np.array([np.nan]), np.array([0.0]))
    own = {node.place: node.kernel for node in weighted}
    # A layer that runs twice has one kernel; organs that have none on record count as matched.
    kept = [own.get(organ.place) for organ in anatomy.weighted]
    alike = [0.0 if kernel is None else _alike(kernel) for kernel in kept]
    strength = [
        1.0 if kernel is None else _rms(kernel) / max(matched_std(anatomy, organ, kernel.shape), 1e-30)
        for organ, kernel in zip(anatomy.weighted, kept, strict=True)
    ]
    return Start(places, Vitals(signals, weights, whole), np.array([alike]), np.array([strength]), chance)


def stacked(signals: Sequence[Signal]) -> Signal:
    """Signals of several layers as one, ``(1, layers)``."""
    if not signals:
        none = np.zeros((1, 0))
        return Signal(*(none,) * 8, np.zeros((1, 0, len(EDGES) + 1)), *(none,) * 4)
    return Signal(*(np.stack([np.asarray(value) for value in values])[None] for values in zip(*signals, strict=True)))


def _rms(array: Array | None) -> float:
    return float("nan") if array is None else float(np.sqrt(np.square(array, dtype=np.float64).mean()))


def _alike(kernel: Array) -> float:
    """Share of the units that have the incoming weights of another."""
    units = kernel.reshape(-1, kernel.shape[-1])
    count = units.shape[-1]
    return 0.0 if count < 2 else (count - len({column.tobytes() for column in units.T})) / (count - 1)
