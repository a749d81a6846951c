"""Checkpoints: arrays and plain data, written by Orbax while the work goes on; the last few and the best stay."""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from kilter.core import job, trees
from kilter.core.doubts import warn
from kilter.core.errors import FileError
from kilter.train.every import Every
from kilter.train.packing import Packed, checksum, unpacked

_META, _WHOLE, _SPREAD = "meta", "whole", "spread"
_UNFINISHED = "*.orbax-checkpoint-tmp*"


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds: arrays by path, or in the tree whose structure was told; and plain data."""

    state: Any
    meta: dict[str, Any]


class Checkpoints:
    """The checkpoints of one work in a folder, numbered from 1.

    One that is being written has another name until it is whole, so that the process may end at any time. Orbax writes in
    threads of its own, from a copy of the arrays. Where that fails (a full disk), a warning says so once, the last good one
    stays, and the next is tried when it is due.

    Of a job of several processes each reads the same folder, and the first one writes.

    Args:
        folder: made where there is none.
        keep: how many of the last stay; the one of the best score stays besides.
        every: how often one is due.
    """

    def __init__(self, folder: str | Path, *, keep: int = 3, every: Every | str | float = "5min") -> None:
        self.folder, self.every = Path(folder).absolute(), Every.of(every)
        self._clock, self._epoch, self._warned = time.monotonic(), -1, False
        self._manager: Any = _manager(self.folder, keep)
        logging.getLogger("absl").addFilter(_is_of_others)  # what fails is said in a sentence

    def due(self, now: float, epoch: int | None) -> bool:
        """Whether it is time for one, at this time of `time.monotonic` and after so many epochs; None: within one."""
        if self.every.seconds is None:
            return epoch is not None and epoch % (self.every.epochs or 1) == 0 and epoch != self._epoch
        return now - self._clock >= self.every.seconds and not self._manager.is_saving_in_progress()

    def save(self, state: Any, meta: dict[str, Any], *, epoch: int = 0, score: float | None = None) -> None:
        """Begin to write a checkpoint; what cannot be written is warned of, not raised.

        Args:
            state: a tree of arrays, copied before this returns.
            meta: plain data, for JSON.
            epoch: that the work has come to.
            score: of the state; the higher, the better.
        """
        self.wait()
        self._clock, self._epoch = time.monotonic(), epoch
        with self._told():
            packed = Packed.of(state)
            facts = {"data": meta, "index": packed.index, "checksum": packed.checksum}
            step = (self._manager.latest_step() or 0) + 1
            self._manager.save(step, args=_saving(packed, facts), metrics=None if score is None else {"score": score})

    def wait(self) -> None:
        """Wait until what is being written is whole, or has failed."""
        with self._told():
            self._manager.wait_until_finished()

    def latest(self, like: Any = None) -> Saved | None:
        """The newest checkpoint that can be read, or None where there is none.

        Args:
            like: a tree as it was saved; arrays that are spread over processes come back with the sharding that they have
                in it. Left open, those that this process had whole come by path.

        Raises:
            FileError: there are checkpoints, and none can be read.
        """
        for step in reversed(self.steps):
            try:
                return self._read(step, like)
            except Exception as error:  # whatever Orbax makes of a spoiled file
                told = f"the checkpoint {self.folder / str(step)} is corrupt ({_short(error)}); it is passed over"
                warn(told)
        if self.steps:
            raise FileError(
                f"cannot read {self.folder}: all its checkpoints are corrupt; name another folder or remove it"
            )
        return None

    @property
    def steps(self) -> list[int]:
        """Numbers of the checkpoints that there are."""
        return sorted(self._manager.all_steps())

    def close(self) -> None:
        """Wait for what is being written, and let go of the folder."""
        self.wait()
        self._manager.close()
        logging.getLogger("absl").removeFilter(_is_of_others)

    def _read(self, step: int, like: Any) -> Saved:
        import orbax.checkpoint as ocp

        args = ocp.args
        facts = self._manager.restore(step, args=args.Composite(meta=args.JsonRestore()))[_META]
        spread = {path: leaf for path, leaf in trees.named(like).items() if _is_spread(leaf)}
        types = dict.fromkeys(
            {name for _, name, shape in facts["index"] if np.prod(shape)}, ocp.RestoreArgs(np.ndarray)
        )
        wanted = {_WHOLE: types, _SPREAD: {path: _sharded(leaf) for path, leaf in spread.items()}}
        parts = {name: args.PyTreeRestore(restore_args=each) for name, each in wanted.items() if each}
        found = self._manager.restore(step, args=args.Composite(**parts))
        whole = found[_WHOLE] if types else {}
        if checksum(whole) != facts["checksum"]:
            raise ValueError("its checksum is another")
        arrays = unpacked(whole, facts["index"]) | (found[_SPREAD] if spread else {})
        if like is None:
            return Saved(arrays, facts["data"])
        tree = jax.tree.unflatten(jax.tree.structure(like), [arrays[path] for path in trees.named(like)])
        return Saved(tree, facts["data"])

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say once what fails in the block, and remove what has been written of it."""
        try:
            yield
        except Exception as error:  # Orbax and TensorStore raise many kinds
            for path in self.folder.glob(_UNFINISHED):
                shutil.rmtree(path, ignore_errors=True)
            if not self._warned:
                told = f"cannot write a checkpoint to {self.folder} ({_short(error)})"
                warn(f"{told}; the work goes on, the last good one stays")
            self._warned = True


def _manager(folder: Path, keep: int) -> Any:
    import orbax.checkpoint as ocp  # takes longer to import than all of Kilter
    from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

    best = BestN(get_metric_fn=lambda metrics: metrics["score"], n=1, keep_checkpoints_without_metrics=False)
    options: dict[str, Any] = {"preservation_policy": AnyPreservationPolicy([LatestN(keep), best])}
    if job.processes() > 1:  # each by itself: arrays are whole in all, the first one writes
        own = jax.process_index()
        folder.mkdir(parents=True, exist_ok=True)
        options |= {
            "create": False,
            "multiprocessing_options": ocp.options.MultiprocessingOptions(
                primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"kilter{own}"
            ),
        }
    return ocp.CheckpointManager(
        folder, options=ocp.CheckpointManagerOptions(cleanup_tmp_directories=job.first(), **options)
    )


def _saving(packed: Packed, facts: dict[str, Any]) -> Any:
    import orbax.checkpoint as ocp

    held = {_WHOLE: packed.whole, _SPREAD: packed.spread}
    parts = {name: ocp.args.PyTreeSave(arrays) for name, arrays in held.items() if arrays}
    return ocp.args.Composite(**parts, meta=ocp.args.JsonSave(facts))


def _is_spread(leaf: Any) -> bool:
    sharding = getattr(leaf, "sharding", None)
    return sharding is not None and not (sharding.is_fully_addressable or sharding.is_fully_replicated)


def _sharded(leaf: Any) -> Any:
    import orbax.checkpoint as ocp

    return ocp.ArrayRestoreArgs(sharding=leaf.sharding, global_shape=leaf.shape, dtype=leaf.dtype)


def _short(error: Exception) -> str:
    """What an error says first, without the places and numbers that TensorStore adds."""
    text = str(error) or type(error).__name__
    return "No space left on device" if "No space left on device" in text else ": ".join(text.split(": ")[:2])[:120]


def _is_of_others(record: logging.LogRecord) -> bool:
    return "orbax" not in record.pathname
