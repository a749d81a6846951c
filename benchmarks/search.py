"""How long does a search take from a cold start, and what does it find? Wall times beside the peers', and best scores.

    pip install keras keras-tuner six                         # a heavy peer; left out where it is missing
    python benchmarks/search.py                               # hours: 256 trials, 3 rounds, scores of 5 seeds at 24 trials
    python benchmarks/search.py --score-trials 256            # scores at all trials too: many hours
    python benchmarks/search.py --quick                       # a smoke test

Every search is a process of its own (`searchers.py`), timed from its start to its end: imports and compiling count, and
Kilter's cache of compiled programs is an empty folder. All searches see the same split, with as many trials, epochs and
rows a batch; two processes or cores for each. KerasTuner takes so long that it is timed with 24 trials: what follows its
imports is scaled to the full count. scikit-learn has no dropout and no RMSProp, and scores its last epoch where the others
score their best. Rounds alternate between the contestants, and a ratio is taken within a round.

The table: seconds from start to end over those of Kilter as it comes, median (min to max); the same of processor seconds,
of all cores together, which other work on the machine changes less; mean and standard deviation over seeds of the best
validation accuracy, where all have ``--score-trials`` trials. Below it, what Kilter compiled.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import kilter as kl
from measured import Spread
from searchers import PEERS, Task

SETS = ("digits", "breast_cancer")
NAMES = {
    "kilter": "Kilter, as it comes",
    "kilter_random": "Kilter, at random",
    "optuna": "Optuna's TPE, PyTorch",
    "sklearn": "scikit-learn, at random",
    "keras": "KerasTuner, at random",
}
OWN = ("kilter", "kilter_random")
# Most trials that a contestant is timed with.
TIMED = {"keras": 24}
Told = dict[str, Any]


class Contest:
    """Searches in processes of their own over sets in files; a search that was run is not run again."""

    def __init__(self, folder: Path, epochs: int, batch: int, backend: str):
        self.folder, self.epochs, self.batch, self.backend = folder, epochs, batch, backend
        self.run = cache(self._run)

    def store(self, name: str) -> None:
        """Write the split of a set, standardized by its training rows where features differ in scale."""
        data = getattr(kl.data, name)()
        x, held = data.train.x, data.validation.x
        if name != "digits":
            x, held = ((each - data.train.x.mean(0)) / data.train.x.std(0) for each in (x, held))
        classes = {"y": data.train.y.astype(np.int64), "y_held": data.validation.y.astype(np.int64)}
        np.savez(self._file(name), x=x, x_held=held, **classes)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _run(self, peer: str, name: str, trials: int, seed: int) -> Told:
        """What a contestant tells, with its ``seconds`` in all and those before its search began, ``setup``."""
        task = Task(str(self._file(name)), trials, self.epochs, self.batch, seed)
        with TemporaryDirectory() as cold:
            own = {"JAX_COMPILATION_CACHE_DIR": cold, "XDG_CACHE_HOME": cold, "KERAS_BACKEND": self.backend}
            command = [sys.executable, str(Path(__file__).with_name("searchers.py")), peer, json.dumps(asdict(task))]
            began, before = time.time(), processor_seconds()
            done = subprocess.run(
                command, env={**os.environ, **own, "PYTHONWARNINGS": "ignore"}, stdout=subprocess.PIPE, check=True
            )
            ended, after = time.time(), processor_seconds()
        told = json.loads(done.stdout.splitlines()[-1])
        return told | {
            "seconds": np.array([ended - began, after - before]),
            "setup": np.array([told["began"] - began, told["processor"]]),
        }

    def seconds(self, peer: str, name: str, trials: int, seed: int) -> np.ndarray:
        """Seconds of a whole search, from start to end and of processors; scaled after the setup where fewer are timed."""
        timed = min(trials, TIMED.get(peer, trials))
        told = self.run(peer, name, timed, seed)
        return told["setup"] + (told["seconds"] - told["setup"]) * trials / timed


def processor_seconds() -> float:
    """Of all processes that this one has waited for, and of those that these have waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def line(*cells: str) -> None:
    """A line of a markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def compare(
    contest: Contest, name: str, peers: Sequence[str], trials: int, scored: int, rounds: int, repeats: int
) -> list[str]:
    """Print the lines of one set; sentences on what Kilter compiled."""
    contest.store(name)
    times = [{peer: contest.seconds(peer, name, trials, seed) for peer in peers} for seed in range(rounds)]
    for peer in peers:
        ratios = np.array([each[peer] / each["kilter"] for each in times]).T
        timed = min(trials, TIMED.get(peer, trials))
        best = [contest.run(peer, name, scored, seed)["best"] for seed in range(repeats)]
        count = str(timed) if timed == trials else f"{timed}, scaled"
        line(
            name,
            NAMES[peer],
            count,
            *(str(Spread.of(each)) for each in ratios.tolist()),
            f"{np.mean(best):.4f} ± {np.std(best):.4f}",
        )
    return [compiled(peer, name, trials, contest.run(peer, name, trials, 0)) for peer in peers if peer in OWN]


def compiled(peer: str, name: str, trials: int, told: Told) -> str:
    """What a search of Kilter compiled."""
    seconds, compiling = told["seconds"][0], told["compiling"]
    return (
        f"{NAMES[peer]}, {name}: {seconds:.0f} s for {trials} trials of {told['structures']} structures; "
        f"{told['programs']} programs, large and small, compiled in {compiling:.0f} s ({compiling / seconds:.0%})"
    )


def installed(peers: Sequence[str], quick: bool) -> list[str]:
    """The contestants that can be run, Kilter's first, with a word about one that cannot."""
    out = {"kilter"}
    if quick:
        print("the quick form leaves out KerasTuner and Kilter at random")
        out |= {"keras", "kilter_random"}
    elif "keras" in peers and find_spec("keras_tuner") is None:
        print("KerasTuner is left out: pip install keras keras-tuner six")
        out |= {"keras"}
    return ["kilter", *(peer for peer in peers if peer not in out)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test: one small set, two trials each")
    parser.add_argument("--trials", type=int, default=256, help="that are timed")
    parser.add_argument("--rounds", type=int, default=3, help="of the timing")
    parser.add_argument("--score-trials", type=int, default=24, help="of the searches whose best scores are compared")
    parser.add_argument("--repeats", type=int, default=5, help="of these, each with its own seed")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS, help="besides Kilter as it comes")
    parser.add_argument("--keras-backend", default="jax", choices=("jax", "torch"), help="jax is the faster one here")
    given = parser.parse_args(arguments)
    peers = installed(given.peers, given.quick)
    sets, epochs = (SETS[1:], 2) if given.quick else (given.sets, given.epochs)
    counts = (2, 2, 1, 1) if given.quick else (given.trials, given.score_trials, given.rounds, given.repeats)
    with TemporaryDirectory() as folder:
        contest = Contest(Path(folder), epochs, given.batch, given.keras_backend)
        line("data", "search", "trials timed", f"seconds for {counts[0]}", "processor seconds", f"best of {counts[1]}")
        line(*["---"] * 6)
        notes = [note for name in sets for note in compare(contest, name, peers, *counts)]
    print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()
