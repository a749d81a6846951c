"""Ensembles on disk: a folder with one folder a member and a JSON beside them, written whole or not at all."""

import json
import math
from pathlib import Path
from typing import Any

from kilter.core import files
from kilter.core.errors import FileError, InputError
from kilter.ensembles.mean import Ensemble
from kilter.ensembles.together import check_runs
from kilter.metrics import Metric
from kilter.train import Run, store

VERSION = 1
_FACTS = "ensemble.json"


def save(ensemble: Ensemble, folder: Path) -> Path:
    """Write an ensemble to a folder, whole or not at all."""
    facts = {
        "version": VERSION,
        "weights": ensemble.weights,
        "metric": json.loads(ensemble.metric.to_json()),
        "metrics": store.without_nan(ensemble.metrics),
        "members": [store.without_nan(member) for member in ensemble.members],
    }

    def fill(fresh: Path) -> None:
        for index, run in enumerate(ensemble.runs):
            store.save(run, fresh / _member(index))
        files.write(fresh / _FACTS, json.dumps(facts, indent=2, allow_nan=False).encode())

    files.write_folder(folder, fill, _is_ensemble)
    return folder


def load(folder: str | Path) -> Run | Ensemble:
    """Read a run or an ensemble that was saved; it predicts the same, to the last bit.

    Args:
        folder: as given to ``save``.

    Raises:
        FileError: neither of them there, of a newer version, truncated, corrupt, or a pickle.
    """
    folder = Path(folder)
    return _load(folder) if _is_ensemble(folder) else store.load(folder)


def _load(folder: Path) -> Ensemble:
    try:
        facts = store.parsed(folder, _FACTS, "an ensemble", VERSION)
        weights = tuple(map(float, facts["weights"]))
        if not weights or min(weights) <= 0 or not math.isclose(sum(weights), 1, rel_tol=1e-6):
            raise FileError(f"cannot read {folder}: the weights in {_FACTS} are no shares that sum to one")
        runs = check_runs([store.load(folder / _member(index)) for index in range(len(weights))])
        if len(runs) < len(weights):
            raise FileError(f"cannot read {folder}: a member of it has diverged, which none may have")
        metric = Metric.from_json(json.dumps(facts["metric"]))
        members = tuple(map(_numbers, facts["members"]))
        return Ensemble(runs, weights, metric, _numbers(facts["metrics"]), members)
    except FileError:
        raise
    except InputError as error:
        raise FileError(f"cannot read {folder}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"cannot read {folder}: {_FACTS} is corrupt ({type(error).__name__}: {error})") from None


def _is_ensemble(folder: Path) -> bool:
    return (folder / _FACTS).is_file()


def _member(index: int) -> str:
    return f"member-{index:03d}"


def _numbers(facts: dict[str, Any]) -> dict[str, float]:
    return {name: store.or_nan(value) for name, value in facts.items()}
