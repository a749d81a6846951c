"""From what a user names to a source of rows, and to the shares of them that are held out."""

import math
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from kilter.core.errors import InputError
from kilter.data.streams.files import files_of, fragments_of, is_dataset
from kilter.data.streams.sources import Source, arrays_of, batches


def origin_of(source: Any, target: str | None, weights: Any) -> Source:
    """The source that a user names.

    Raises:
        InputError: nothing that a stream is made of, or one that needs a target.
    """
    if isinstance(source, tuple) and len(source) in (2, 3) and target is None:
        x, y, own = source if len(source) == 3 else (*source, weights)
        return arrays_of(x, y, own)
    if weights is not None and target is None:
        raise InputError("weights go with arrays (x, y), or name a column; give batches as triples (x, y, weights)")
    if isinstance(source, str | Path) or (isinstance(source, list | tuple) and _all_paths(source)):
        _need_target(target, "files")
        return files_of(source)
    if hasattr(source, "schema") and hasattr(source, "to_batches") and not is_dataset(source):
        from pyarrow import dataset

        source = dataset.dataset(source)
    if is_dataset(source):
        _need_target(target, "a table")
        return fragments_of(source)
    return batches(source)


def shares_of(held: Mapping[str, Any]) -> dict[str, float]:
    """The parts that are shares of the rows.

    Raises:
        InputError: no share, or shares that leave nothing.
    """
    shares = {name: float(given) for name, given in held.items() if isinstance(given, Real)}
    for name, share in shares.items():
        if not 0 <= share < 1 or math.isnan(share):
            raise InputError(f"{name} must be a share in [0, 1) or a source of its own, got {held[name]!r}")
    if sum(shares.values()) >= 1:
        raise InputError(f"the shares {shares} leave nothing to train on")
    return {name: share for name, share in shares.items() if share}


def others_of(held: Mapping[str, Any], target: str | None, weights: Any) -> dict[str, Source]:
    """The parts that have a source of their own."""
    column = weights if isinstance(weights, str) else None
    return {name: origin_of(given, target, column) for name, given in held.items() if not isinstance(given, Real)}


def _all_paths(source: Any) -> bool:
    return len(source) > 0 and all(isinstance(each, str | Path) for each in source)


def _need_target(target: str | None, what: str) -> None:
    if target is None:
        raise InputError(f"a stream of {what} needs target=, the name of the column to predict")
