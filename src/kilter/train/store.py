"""Runs on disk: JSON, safetensors and CSV, written whole or not at all; never pickle."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from kilter.core import files, job, trees
from kilter.core.errors import FileError, InputError
from kilter.data.doors import door_from_dict
from kilter.data.preprocess import Preprocess
from kilter.data.targets import Target
from kilter.metrics import Metric
from kilter.nn.layer import shapes
from kilter.train.outcome import Outcome
from kilter.train.recipe import Recipe
from kilter.train.rows import Scaling
from kilter.train.run import Run
from kilter.vitals.trace import Trace

VERSION = 1
_RECIPE, _RUN, _WEIGHTS, _HISTORY = "recipe.json", "run.json", "weights.safetensors", "history.csv"
_VITALS = "vitals"
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy")


def save(run: Run, folder: Path) -> Path:
    """Write a run to a folder, whole or not at all; of a job the first process writes, since all have the same run."""
    if not job.first():
        return folder

    def fill(fresh: Path) -> None:
        files.write(fresh / _RECIPE, run.recipe.to_json().encode())
        files.write(fresh / _RUN, json.dumps(without_nan(_facts(run)), indent=2, allow_nan=False).encode())
        files.write(fresh / _WEIGHTS, _tensors(run))
        files.write(fresh / _HISTORY, _table(run.history).encode())
        if run.vitals is not None:
            run.vitals.save(fresh / _VITALS)

    files.write_folder(folder, fill, _is_run)
    return folder


def check_free(folder: Path) -> None:
    """Refuse a folder to which a run could not be saved, before it is trained."""
    files.check_folder(folder, _is_run)


def _is_run(folder: Path) -> bool:
    return (folder / _RUN).is_file()


def load(folder: str | Path) -> Run:
    """Read a run that was saved; it predicts the same, to the last bit.

    Args:
        folder: as given to ``run.save``.

    Raises:
        FileError: no run there, of a newer version, truncated, corrupt, or a pickle.
    """
    folder = Path(folder)
    _must_be_run(folder)
    try:
        facts = parsed(folder, _RUN, "a run", VERSION)
        recipe = Recipe.from_json(files.read(folder / _RECIPE).decode())
        params, state = _weights(folder, recipe, tuple(facts["shape"]))
        vitals = Trace.load(folder / _VITALS) if (folder / _VITALS).exists() else None
        return _run(facts, recipe, params, state, _history(folder), vitals)
    except FileError:
        raise
    except InputError as error:
        raise FileError(f"cannot read {folder}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read {folder}: a file of it is corrupt ({type(error).__name__}: {error})") from None


def _must_be_run(folder: Path) -> None:
    if not folder.is_dir():
        raise FileError(f"cannot read {folder}: there is no such folder")
    missing = [name for name in (_RECIPE, _RUN, _WEIGHTS, _HISTORY) if not (folder / name).is_file()]
    if missing:
        pickles = [path.name for path in folder.iterdir() if path.suffix in _PICKLES]
        held = f"; it holds {pickles[0]}, and Kilter opens no pickles" if pickles else ""
        raise FileError(f"cannot read {folder}: not a run of Kilter, {missing[0]} is missing{held}")


def _facts(run: Run) -> dict[str, Any]:
    """All of a run that is neither recipe, weights nor history."""
    return {
        "version": VERSION,
        "seed": run.seed,
        "metric": json.loads(run.metric.to_json()),
        "score": run.score,
        "metrics": run.metrics,
        "outcome": run.outcome.name,
        "epoch": run.epoch,
        "seconds": run.seconds,
        "inputs": _numbers(run.inputs),
        "targets": _numbers(run.targets),
        "target": {"task": run.target.task, "classes": list(run.target.classes), "flat": run.target.flat},
        "door": None if run.door is None else run.door.to_dict(),
        "shape": list(run.shape),
        "names": list(run.names),
        "title": run.title,
        "parameters": trees.size(run.params),
    }


def without_nan(node: Any) -> Any:
    """JSON knows neither NaN nor infinity; they become null."""
    if isinstance(node, dict):
        return {name: without_nan(item) for name, item in node.items()}
    if isinstance(node, list):
        return [without_nan(item) for item in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def or_nan(value: float | None) -> float:
    """The number, or NaN for what stands for it in JSON."""
    return math.nan if value is None else float(value)


def parsed(folder: Path, name: str, kind: str, version: int) -> dict[str, Any]:
    """The facts in a JSON file of a folder, which describes ``kind`` in a format up to ``version``."""
    try:
        facts = json.loads(files.read(folder / name))
    except RecursionError:
        raise FileError(f"cannot read {folder}: {name} is nested too deeply") from None
    if not isinstance(facts, dict) or not isinstance(facts.get("version"), int):
        raise FileError(f"cannot read {folder}: {name} is not the description of {kind}")
    if facts["version"] > version:
        raise FileError(
            f"cannot read {folder}: it was written by a newer Kilter (format {facts['version']}, "
            f"this one reads up to {version}); update Kilter"
        )
    return facts


def _run(
    facts: dict[str, Any], recipe: Recipe, params: Any, state: Any, history: dict[str, Any], vitals: Trace | None
) -> Run:
    target = facts["target"]
    return Run(
        recipe=recipe,
        seed=facts["seed"],
        metric=_metric(facts["metric"]),
        score=or_nan(facts["score"]),
        metrics={name: or_nan(value) for name, value in facts["metrics"].items()},
        history=history,
        outcome=Outcome[facts["outcome"]],
        epoch=facts["epoch"],
        seconds=facts["seconds"],
        params=params,
        state=state,
        inputs=_scaling(recipe.inputs, facts["inputs"]),
        targets=_scaling(recipe.targets, facts["targets"]),
        target=Target(target["task"], tuple(target["classes"]), target["flat"]),
        door=None if facts["door"] is None else door_from_dict(facts["door"]),
        shape=tuple(facts["shape"]),
        names=tuple(facts["names"]),
        title=facts["title"],
        vitals=vitals,
    )


def _metric(facts: dict[str, Any]) -> Metric:
    return Metric.from_json(json.dumps(facts))


def _numbers(scaling: Scaling) -> dict[str, Any]:
    return {name: values.tolist() for name, values in scaling.statistics.items()}


def _scaling(preprocess: Preprocess | None, facts: dict[str, Any]) -> Scaling:
    return Scaling(preprocess, {name: np.asarray(values, np.float64) for name, values in facts.items()})


def _tensors(run: Run) -> bytes:
    leaves = trees.named({"params": run.params, "state": run.state})
    return save_tensors({name: np.asarray(leaf, order="C") for name, leaf in leaves.items()})


def _weights(folder: Path, recipe: Recipe, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Weights in the structure that the recipe's network has."""
    try:
        found = load_tensors(files.read(folder / _WEIGHTS))
    except SafetensorError as error:
        raise FileError(f"cannot read {folder}: {_WEIGHTS} is corrupt or no safetensors file ({error})") from None
    params, state, _ = shapes(recipe.net, shape)
    wanted = {"params": params, "state": state}
    expected = {name: tuple(leaf.shape) for name, leaf in trees.named(wanted).items()}
    given = {name: leaf.shape for name, leaf in found.items()}
    if expected != given:
        odd = sorted(name for name in expected.keys() | given.keys() if expected.get(name) != given.get(name))[0]
        raise FileError(
            f"cannot read {folder}: {_WEIGHTS} does not fit the recipe, "
            f"{odd} should be {expected.get(odd, 'absent')} and is {given.get(odd, 'absent')}"
        )
    tree = jax.tree.unflatten(jax.tree.structure(wanted), [found[name] for name in trees.named(wanted)])
    return tree["params"], tree["state"]


def _table(history: dict[str, Any]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["epoch", *history])
    for index, values in enumerate(zip(*history.values(), strict=True)):
        writer.writerow([index + 1, *(repr(float(value)) for value in values)])
    return stream.getvalue()


def _history(folder: Path) -> dict[str, Any]:
    head, *lines = csv.reader(io.StringIO(files.read(folder / _HISTORY).decode()))
    if head[:1] != ["epoch"]:
        raise FileError(f"cannot read {folder}: {_HISTORY} is not the history of a run")
    columns = np.array(lines, np.float64).reshape(len(lines), len(head)).T
    return {name: column.astype(np.float32) for name, column in zip(head[1:], columns[1:], strict=True)}
