"""Traces on disk: JSON and safetensors, written whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from kilter.core import files, trees
from kilter.core.errors import FileError
from kilter.vitals.measure import Vitals, Weights, Whole
from kilter.vitals.signal import BINS, Signal
from kilter.vitals.trace import Trace

VERSION = 1
_FACTS, _ARRAYS = "trace.json", "trace.safetensors"
_EPOCHS = "epochs"
_PARTS = {"signals": Signal, "weights": Weights, "whole": Whole}


def save(trace: Trace, folder: Path) -> Path:
    """Write a trace to a folder."""
    facts = {"version": VERSION, "layers": trace.layers, "arrays": trace.arrays}
    arrays = {_EPOCHS: trace.epochs} | trees.named(trace.vitals._asdict())

    def fill(fresh: Path) -> None:
        files.write(fresh / _FACTS, json.dumps(facts).encode())
        tensors = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        files.write(fresh / _ARRAYS, save_tensors(tensors))

    files.write_folder(folder, fill, lambda folder: (folder / _FACTS).is_file())
    return folder


def load(folder: Path) -> Trace:
    """Read a trace from a folder."""
    facts = _facts(folder)
    try:
        arrays = load_tensors(files.read(folder / _ARRAYS))
    except SafetensorError as error:
        raise FileError(f"cannot read {folder}: {_ARRAYS} is corrupt or no safetensors file ({error})") from None
    layers, arrays_of = tuple(facts["layers"]), tuple(facts["arrays"])
    epochs = arrays.pop(_EPOCHS, None)
    if epochs is None or epochs.ndim != 1 or epochs.dtype != np.int32 or (np.diff(epochs) <= 0).any():
        raise FileError(f"cannot read {folder}: {_ARRAYS} lacks the epochs of the records")
    wanted = _shapes(len(epochs), len(layers), len(arrays_of))
    for name, array in arrays.items():
        if array.shape != wanted.get(name) or array.dtype.kind not in "fi":
            raise FileError(f"cannot read {folder}: {_ARRAYS} does not fit {_FACTS}, see {name!r}")
    return Trace(layers, arrays_of, epochs, vitals_of(arrays))


def vitals_of(arrays: Mapping[str, Any]) -> Vitals:
    """Vitals of their arrays by name, such as ``"signals.mean"``; None for those that there are none of."""
    parts = {
        part: kind(**{field: arrays.get(f"{part}.{field}") for field in kind._fields}) for part, kind in _PARTS.items()
    }
    return Vitals(**parts)


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads(files.read(folder / _FACTS))
    except (ValueError, RecursionError):
        raise FileError(f"cannot read {folder}: {_FACTS} is not the description of a trace") from None
    if (
        not isinstance(facts, dict)
        or not isinstance(facts.get("version"), int)
        or not all(
            isinstance(facts.get(name), list) and all(isinstance(path, str) for path in facts[name])
            for name in ("layers", "arrays")
        )
    ):
        raise FileError(f"cannot read {folder}: {_FACTS} is not the description of a trace")
    if facts["version"] > VERSION:
        raise FileError(
            f"cannot read {folder}: it was written by a newer Kilter (format {facts['version']}, this one reads up to "
            f"{VERSION}); update Kilter"
        )
    return facts


def _shapes(records: int, layers: int, arrays: int) -> dict[str, tuple[int, ...]]:
    """Shapes of all arrays that a trace may have, by name."""
    behind = {"signals": (layers,), "weights": (arrays,), "whole": ()}
    shapes = {f"{part}.{field}": (records, *behind[part]) for part, kind in _PARTS.items() for field in kind._fields}
    return shapes | {"signals.histogram": (records, layers, BINS)}
