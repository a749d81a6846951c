"""The record of what went on inside one network while it trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import jax
import numpy as np

from kilter.core.errors import InputError
from kilter.core.paths import nearest
from kilter.core.plotted import Plotted
from kilter.vitals.measure import Vitals, Weights, Whole
from kilter.vitals.signal import Signal
from kilter.vitals.taps import Places

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Trace(Plotted):
    """The vitals of a network at some epochs, at most 64: NumPy arrays with the records first.

    A slice of it is a trace of these records; a number gives the `Vitals` of one.

    Attributes:
        layers: paths of the layers within the network, in the order of the forward pass.
        arrays: paths of the parameter arrays.
        epochs: how many the network had behind it at each record, ``(records,)``; the first is 0.
        vitals: each attribute ``(records,)`` with what `Vitals` says behind; None for what was not watched.
    """

    layers: tuple[str, ...]
    arrays: tuple[str, ...]
    epochs: Array
    vitals: Vitals

    @classmethod
    def of(
        cls, layers: Sequence[str], arrays: Sequence[str], epochs: Sequence[int], records: Sequence[Vitals]
    ) -> "Trace":
        """A trace of one record or more."""
        vitals = jax.tree.map(lambda *leaves: np.stack(leaves), *records)
        return cls(tuple(layers), tuple(arrays), np.array(epochs, np.int32), vitals)

    @property
    def signals(self) -> Signal:
        """Of the layers, each attribute ``(records, layers)``, the histogram ``(records, layers, bins)``."""
        return self.vitals.signals

    @property
    def weights(self) -> Weights:
        """Of the parameters, each attribute ``(records, arrays)``."""
        return self.vitals.weights

    @property
    def whole(self) -> Whole:
        """Of the training as a whole, each attribute ``(records,)``."""
        return self.vitals.whole

    def records(self) -> list[Vitals]:
        """The vitals at each epoch."""
        return [self[index] for index in range(len(self))]

    def tells_all(self, places: Places) -> bool:
        """Whether all is recorded that there is in a network with these places."""
        told = (*self.signals, *self.weights, *self.whole)
        return (self.layers, self.arrays) == (places.signals, places.weights) and not any(each is None for each in told)

    def at(self, place: str) -> "Trace":
        """The trace of one layer or parameter array, or of all that are inside a layer.

        Raises:
            InputError: there is none; names those that are near.
        """

        def inside(path: str) -> bool:
            return path == place or path.startswith((f"{place}.", f"{place}["))

        layers, arrays = ([i for i, path in enumerate(paths) if inside(path)] for paths in (self.layers, self.arrays))
        if not layers and not arrays:
            all_of_them = self.layers + self.arrays
            raise InputError(f"{place!r}: the trace has no such layer or array{nearest(place, all_of_them)}")
        signals, weights = (
            jax.tree.map(lambda leaf, chosen=chosen: leaf[:, chosen], part)
            for part, chosen in ((self.signals, layers), (self.weights, arrays))
        )
        names = tuple(self.layers[i] for i in layers), tuple(self.arrays[i] for i in arrays)
        return Trace(*names, self.epochs, Vitals(signals, weights, self.whole))

    def frame(self) -> Any:
        """A pandas frame with a row for each number but those of the histograms: epoch, place, vital, value.

        The place of what belongs to the training as a whole is empty.
        """
        import pandas as pd  # takes long to import

        blocks = [
            pd.DataFrame(
                {
                    "epoch": np.repeat(self.epochs, len(places)),
                    "place": list(places) * len(self),
                    "vital": name,
                    "value": np.asarray(values, np.float64).reshape(-1),
                }
            )
            for part, places in ((self.signals, self.layers), (self.weights, self.arrays), (self.whole, ("",)))
            for name, values in zip(part._fields, part, strict=True)
            if values is not None and name != "histogram" and places
        ]
        columns = ["epoch", "place", "vital", "value"]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=columns)

    def save(self, folder: str | Path) -> Path:
        """Write the trace to a folder, whole or not at all, and return its path; `Trace.load` reads it back.

        Raises:
            FileError: the folder cannot be written, or holds something else.
        """
        from kilter.vitals.store import save  # the store builds traces, and a trace must be able to save itself

        return save(self, Path(folder))

    @staticmethod
    def load(folder: str | Path) -> "Trace":
        """Read a trace that was saved.

        Raises:
            FileError: no trace there, of a newer version, truncated or corrupt.
        """
        from kilter.vitals.store import load

        return load(Path(folder))

    def __len__(self) -> int:
        return len(self.epochs)

    @overload
    def __getitem__(self, index: slice) -> "Trace": ...
    @overload
    def __getitem__(self, index: int) -> Vitals: ...
    def __getitem__(self, index: slice | int) -> "Trace | Vitals":
        vitals = jax.tree.map(lambda leaf: leaf[index], self.vitals)
        return Trace(self.layers, self.arrays, self.epochs[index], vitals) if isinstance(index, slice) else vitals

    def __repr__(self) -> str:
        span = f"epochs {self.epochs[0]} to {self.epochs[-1]}" if len(self) else "no epochs"
        return f"Trace({len(self)} records, {span}: {len(self.layers)} layers, {len(self.arrays)} parameter arrays)"
