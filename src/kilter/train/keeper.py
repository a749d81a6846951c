"""A training that is kept in a folder: what it is of, its checkpoints, and the runs of those that have ended."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from kilter.core import files, job, trees
from kilter.core.devices import free_memory
from kilter.core.doubts import warn
from kilter.core.errors import FileError, InputError
from kilter.core.journal import Journal
from kilter.core.lock import alone
from kilter.data.fingerprint import fingerprint
from kilter.train import store
from kilter.train.checkpoints import Checkpoints, Saved
from kilter.train.every import Every
from kilter.train.outcome import Outcome
from kilter.train.run import Run

if TYPE_CHECKING:
    from kilter.train.task import Task

VERSION = 1
_TRAINING, _ENDED, _RUNS, _CHECKPOINTS = "training.json", "ended.json", "runs", "checkpoints"
_LOCK = f".{_TRAINING}.lock"
_WORDS = {
    "recipes": "another recipe",
    "seeds": "another seed",
    "memory": "another memory",
    "data": "other data",
    "start": "another start",
    "bootstrap": "another bootstrap",
    "watch": "another watch",
    "heal": "another heal",
}


class Keeper:
    """What stands in the folder of one training, of which one process at a time is the keeper.

    Args:
        folder: of the training.
        task: that is trained.
        heal: whether it is healed where it is lost.
        every: how often a checkpoint is due.
        keep: how many of the last stay.

    Attributes:
        folder: of the training.
        runs: of the members that have ended, by place.
        free: bytes of memory that the training was planned with.
        saved: the checkpoint to go on from, or None.
        more: plain data that each checkpoint takes along.
    """

    def __init__(self, folder: Path, task: "Task", heal: bool, every: Every, keep: int) -> None:
        self.folder, self.more, self.saved = folder, dict[str, Any](), None
        self._checkpoints: Checkpoints | None = None
        self._every: Every | None = None
        facts = self._begun(identity(task, heal))
        self.free: int | None = facts.get("free")
        ended: dict[str, Any] = _facts(folder, _ENDED, members=list) if (folder / _ENDED).exists() else {"members": []}
        self.runs: dict[int, Run] = {place: store.load(self._place(place)) for place in ended["members"]}
        self._positions: list[int | None] = [ended.get("journal")]
        if not self.ended(range(len(task.members))):
            self._every = every
            self._checkpoints = Checkpoints(folder / _CHECKPOINTS, keep=keep, every=every)

    @classmethod
    @contextmanager
    def held(
        cls, folder: str | Path | None, task: "Task", *, every: Any, keep: int, heal: bool = False
    ) -> "Iterator[Keeper | None]":
        """The folder of a training until the block ends; None where no folder is given.

        Raises:
            InputError: it is of another training, or a setting is out of range.
            FileError: something else stands there, another process is its keeper, or it cannot be read or written.
        """
        if folder is None:
            yield None
            return
        every = Every.of(every)
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise InputError(f"keep={keep!r}: keep must be a whole number, at least 1")
        files.check_folder(Path(folder), _is_training)
        # Processes of one job train together; the first one writes, and begins the folder.
        own = alone(Path(folder), _LOCK, "checkpoint", "training") if job.first() else nullcontext()
        with own:
            if not job.first():
                job.meet()
            keeper = cls(Path(folder), task, heal, every, keep)
            try:
                keeper._look_back()
                if job.first():
                    job.meet()
                job.meet()  # all have read it
                yield keeper
            finally:
                keeper._close()

    def ended(self, places: Sequence[int]) -> bool:
        """Whether all of these members have ended."""
        return all(place in self.runs for place in places)

    def found(self, task: "Task") -> Saved | None:
        """The checkpoint that these members go on from, which is then let go; None where it is of others."""
        saved = self.saved
        if saved is None or saved.meta["members"] != task.seats:
            return None
        self.saved = None
        return saved

    @property
    def position(self) -> int | None:
        """Where the journal goes on; None: it begins."""
        return max((each for each in self._positions if each is not None), default=None)

    def next(self, epoch: int, most: int) -> int:
        """The next epoch after which a checkpoint is due, where epochs tell; at most the last one."""
        due = None if self._every is None else self._every.next(epoch)
        return most if due is None else min(due, most)

    def due(self, epoch: int | None) -> bool:
        """Whether a checkpoint is due after this epoch; None: within one."""
        return self._checkpoints is not None and job.first() and self._checkpoints.due(time.monotonic(), epoch)

    def keep(self, state: Any, meta: Mapping[str, Any], score: float | None, task: "Task") -> None:
        """Begin to write a checkpoint of a task."""
        assert self._checkpoints is not None
        if not job.first():
            return
        own = {"members": task.seats, "journal": _position(task.journal), "more": self.more}
        self._checkpoints.save(state, own | dict(meta), epoch=meta["done"], score=score)

    def end(self, places: Sequence[int], runs: Sequence[Run], journal: Journal | None) -> None:
        """Keep the runs of members that have ended; those that Ctrl-C has ended go on later."""
        if not job.first() or any(run.outcome is Outcome.INTERRUPTED for run in runs):
            return
        self.runs |= dict(zip(map(int, places), runs, strict=True))
        try:
            for place in map(int, places):
                self.runs[place].save(self._place(place))
            facts = {"version": VERSION, "members": sorted(self.runs), "journal": _position(journal)}
            files.write(self.folder / _ENDED, json.dumps(facts).encode())
        except FileError as error:
            warn(f"{error}; what was trained is not kept there")

    def _place(self, place: int) -> Path:
        return self.folder / _RUNS / str(place)

    def _begun(self, own: dict[str, Any]) -> dict[str, Any]:
        """The description of the training in the folder, or that of this one, which is then written."""
        if not (self.folder / _TRAINING).exists():
            made = {"kilter": version("kilter"), "jax": jax.__version__}
            facts = {"version": VERSION, "made": made, "identity": own, "free": free_memory()}
            if not job.first():
                raise FileError(
                    f"checkpoint: process {jax.process_index()} does not see what process 0 has begun in {self.folder}; "
                    "name a folder on a file system that all processes share"
                )
            files.write(self.folder / _TRAINING, json.dumps(facts).encode())
            return facts
        facts = _facts(self.folder, _TRAINING, made=dict, identity=dict)
        for name, told in facts["made"].items():
            if told != version(name):
                raise InputError(
                    f"checkpoint: {self.folder} was written with {name} {told}, which may not train to the same bits as "
                    f"{version(name)}; go on with that version, or name another folder"
                )
        for name, told in _WORDS.items():
            if facts["identity"].get(name) != own[name]:
                raise InputError(
                    f"checkpoint: {self.folder} holds a training of {told}; name another folder or remove it"
                )
        return facts

    def _look_back(self) -> None:
        if self._checkpoints is not None:
            self.saved = self._checkpoints.latest()
        if self.saved is not None:
            self.more = self.saved.meta["more"]
            self._positions.append(self.saved.meta["journal"])

    def _close(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.close()


def identity(task: "Task", heal: bool) -> dict[str, Any]:
    """What must be equal for a training to go on: plain data."""
    recipes = dict.fromkeys(recipe.to_json() for recipe, _ in task.members)
    return {
        "recipes": list(recipes),
        "seeds": [seed for _, seed in task.members],
        "data": fingerprint(task.data),
        "memory": task.data.passing or None,  # tells how many rows a window of a stream has
        "start": None if task.start is None else _hash(task.start),
        "bootstrap": task.bootstrap,
        "watch": None if task.watch is None else task.watch.to_json(),
        "heal": heal,
    }


def _hash(start: Run) -> str:
    """Of the weights of a run, and of what it scales."""
    own = {"weights": (start.params, start.state), "scaling": (start.inputs.statistics, start.targets.statistics)}
    digest = hashlib.sha256(start.recipe.to_json().encode())
    for name, leaf in trees.named(own).items():
        digest.update(f"{name}{np.shape(leaf)}".encode() + np.asarray(leaf).tobytes())
    return digest.hexdigest()


def _facts(folder: Path, name: str, **kinds: type) -> dict[str, Any]:
    """What a JSON file of the folder says; what it must hold is given with its kind."""
    try:
        facts = store.parsed(folder, name, "a training", VERSION)
        if facts["version"] < VERSION:
            raise FileError(
                f"cannot read {folder}: it was written by an older Kilter (format {facts['version']}, this one reads "
                f"{VERSION}); go on with that version, or name another folder"
            )
        for field, kind in kinds.items():
            if not isinstance(facts.get(field), kind):
                raise ValueError(f"{field} is missing")
        return facts
    except FileError:
        raise
    except ValueError as error:
        raise FileError(f"cannot read {folder / name}: the file is corrupt ({error})") from None


def _is_training(folder: Path) -> bool:
    """Whether there is a training, or nothing but what a process that was killed left of its first write."""
    return (folder / _TRAINING).is_file() or all(path.name.startswith(f".{_TRAINING}.") for path in folder.iterdir())


def _position(journal: Journal | None) -> int | None:
    return None if journal is None else journal.position
