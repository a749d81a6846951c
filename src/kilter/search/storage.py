"""A study in a folder: after each fleet its whole state is written, so that the same call goes on where it was."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from kilter.core import files
from kilter.core.errors import FileError, InputError
from kilter.core.lock import alone
from kilter.data.dataset import Dataset, Part
from kilter.data.fingerprint import fingerprint
from kilter.search.space import Space
from kilter.search.strategies import State, Strategy
from kilter.search.study import Study
from kilter.search.trial import Trial
from kilter.train.paused import Paused
from kilter.train.recipe import Recipe
from kilter.train.store import load, parsed, without_nan

VERSION = 1
_STUDY, _RUNS, _MEMBERS, _LOCK = "study.json", "runs", "members", ".study.json.lock"
_GIVEN = ("space", "data", "strategy", "seeds", "metric", "keep", "objectives")
_WORDS = {
    "space": "another space",
    "data": "other data",
    "strategy": "another strategy",
    "seeds": "other seeds of the trials",
    "seed": "another seed",
    "max_params": "another max_params",
    "keep": "another keep",
    "objectives": "other objectives",
}


def identity(study: Study, max_params: int | None) -> dict[str, Any]:
    """What must be equal for a study to go on: plain data."""
    return {
        "space": json.loads(study.space.recipe.to_json()),
        "data": fingerprint(study.data, ("train", "validation")),
        "strategy": json.loads(study.strategy.to_json()),
        "seeds": list(study.seeds),
        "seed": study.state.seed,
        "max_params": max_params,
        "keep": study.keep,
        "objectives": list(study.objectives),
    }


class Storage:
    """The folder of one study; `write` leaves the old state or the new one, whenever the process ends.

    ``study.json`` is replaced at once and names what belongs to it; runs and members stand beside it, written before it
    and removed after it.
    """

    def __init__(self, folder: str | Path, identity: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.identity = identity
        files.check_folder(self.folder, _is_study)

    @classmethod
    @contextmanager
    def held(cls, folder: str | Path | None, study: Study, max_params: int | None) -> "Iterator[Storage | None]":
        """The folder for a study, kept from other processes until the block ends; None where no folder is given.

        Raises:
            FileError: something else stands there, another search is at work in it, or it cannot be written.
        """
        if folder is None:
            yield None
            return
        storage = cls(folder, identity(study, max_params))
        with alone(storage.folder, _LOCK, "storage", "search"):
            yield storage

    def restored(self, empty: Study) -> Study:
        """The study in the folder, or the empty one where there is none yet.

        Raises:
            FileError: a file is corrupt or cannot be read.
            InputError: it is another study.
        """
        if not known(self.folder):
            return empty
        facts = _facts(self.folder)
        for name, told in _WORDS.items():
            if facts["identity"].get(name) != self.identity[name]:
                raise InputError(f"storage: {self.folder} holds a search with {told}; name another folder or remove it")
        try:
            return self._study(empty, facts)
        except FileError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise _corrupt(self.folder, _STUDY, error) from None

    def _study(self, empty: Study, facts: dict[str, Any]) -> Study:
        runs = {
            int(id): tuple(load(self.folder / _RUNS / name) for name in names) for id, names in facts["runs"].items()
        }
        members = {int(id): tuple(self._member(name) for name in names) for id, names in facts["members"].items()}
        return Study(
            **{name: getattr(empty, name) for name in _GIVEN},
            state=State.from_json(json.dumps(facts["state"])),
            records=tuple(Trial.from_dict(entry) for entry in facts["trials"]),
            runs=runs,
            members=members,
        )

    def _member(self, name: str) -> Paused:
        try:
            arrays = load_tensors(files.read(self.folder / _MEMBERS / name))
        except SafetensorError as error:
            raise _corrupt(self.folder, f"{_MEMBERS}/{name}", error) from None
        found: dict[str, dict[str, Any]] = {"leaves": {}, "lines": {}}
        for path, array in arrays.items():
            kind, _, own = path.partition("/")
            found[kind][own] = array
        return Paused(found["leaves"], found["lines"])

    def write(self, study: Study, trials: int) -> None:
        """Write the study's state."""
        runs = {id: _named(id, held, "") for id, held in study.runs.items()}
        members = {id: _named(id, held, ".safetensors") for id, held in study.members.items()}
        for id, names in runs.items():
            for name, run in zip(names, study.runs[id], strict=True):
                if not (self.folder / _RUNS / name).exists():
                    run.save(self.folder / _RUNS / name)
        for id, names in members.items():
            for name, member in zip(names, study.members[id], strict=True):
                if not (self.folder / _MEMBERS / name).exists():
                    files.write(self.folder / _MEMBERS / name, _tensors(member))
        facts = {
            "version": VERSION,
            "identity": self.identity,
            "trials_wanted": trials,
            "state": json.loads(study.state.to_json()),
            "trials": [trial.to_dict() for trial in study.records],
            "runs": runs,
            "members": members,
        }
        files.write(self.folder / _STUDY, json.dumps(without_nan(_plain(facts)), allow_nan=False).encode())
        _sweep(self.folder / _RUNS, runs)
        _sweep(self.folder / _MEMBERS, members)


def kept(folder: str | Path) -> Study:
    """The study in a folder as it is, without the rows that it was searched on.

    Raises:
        FileError: there is no study, a file of it is corrupt, or no run was kept.
    """
    folder = Path(folder)
    facts, given = _facts(folder), settings(folder)
    try:
        run = next(load(folder / _RUNS / name) for names in facts["runs"].values() for name in names)
        none = Part(np.zeros((0, *run.shape), np.float32), np.zeros(0, np.int32))
        data = Dataset(none, None, None, run.target, run.door, run.names, run.title)
        own: dict[str, Any] = {name: given[name] for name in ("strategy", "keep")}
        own["objectives"] = tuple(given["objectives"])
        space, seeds = Space.of(given["space"]), tuple(given["seeds"])
        state = State.from_json(json.dumps(facts["state"]))
        empty = Study(space=space, data=data, seeds=seeds, metric=run.metric, state=state, **own)
        return Storage(folder, facts["identity"])._study(empty, facts)
    except FileError:
        raise
    except StopIteration:
        raise FileError(f"cannot read {folder}: the study has no trial with a score yet") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _corrupt(folder, _STUDY, error) from None


def known(folder: str | Path) -> bool:
    """Whether there is a study in the folder."""
    return (Path(folder) / _STUDY).exists()


def settings(folder: str | Path) -> dict[str, Any]:
    """With what a study in a folder was searched: arguments of `kilter.search`, but for the data.

    Raises:
        FileError: there is no study, or its file is corrupt.
    """
    folder = Path(folder)
    facts = _facts(folder)
    try:
        own = facts["identity"]
        return {
            "space": Recipe.from_json(json.dumps(own["space"])),
            "strategy": Strategy.from_json(json.dumps(own["strategy"])),
            "trials": facts["trials_wanted"],
            "storage": folder,
            **{name: own[name] for name in ("seeds", "seed", "max_params", "keep", "objectives")},
        }
    except (KeyError, TypeError, ValueError) as error:
        raise _corrupt(folder, _STUDY, error) from None


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts = parsed(folder, _STUDY, "a study", VERSION)
    except FileError:
        raise
    except ValueError as error:
        raise _corrupt(folder, _STUDY, error) from None
    if not isinstance(facts.get("identity"), dict):
        raise FileError(f"cannot read {folder / _STUDY}: it is not the description of a study")
    return facts


def _corrupt(folder: Path, name: str, error: Exception) -> FileError:
    return FileError(f"cannot read {folder / name}: the file is corrupt ({type(error).__name__}: {error})")


def _is_study(folder: Path) -> bool:
    """Whether there is a study, or nothing but what a process that was killed left of its first write."""
    return (folder / _STUDY).is_file() or all(path.name.startswith(f".{_STUDY}.") for path in folder.iterdir())


def _named(id: int, held: tuple[Any, ...], ending: str) -> list[str]:
    return [f"{id}-{place}{ending}" for place in range(len(held))]


def _tensors(member: Paused) -> bytes:
    named = {f"leaves/{name}": leaf for name, leaf in member.leaves.items()}
    named |= {f"lines/{name}": line for name, line in member.lines.items()}
    return save_tensors({name: np.asarray(leaf, order="C") for name, leaf in named.items()})


def _plain(node: Any) -> Any:
    """Tuples as lists, so that NaN in them is found."""
    if isinstance(node, dict):
        return {name: _plain(item) for name, item in node.items()}
    return [_plain(item) for item in node] if isinstance(node, list | tuple) else without_nan(node)


def _sweep(folder: Path, wanted: dict[int, list[str]]) -> None:
    """Remove what belongs to no state any more."""
    kept = {name for names in wanted.values() for name in names}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
