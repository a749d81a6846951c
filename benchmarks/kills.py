"""Does a training that is killed end as if it had not been? Random kill -9, each followed by the same call again.

Each training leaves a checkpoint after every epoch, one on a stream also behind every window within it. It is begun in a
process of its own, killed after a random time or while a checkpoint is being written, begun again, and so on until it comes
to its end. Weights, state, history, metrics, outcome, vitals and the journal then are compared, bit for bit, with those of
the same call that nobody has killed.

    python benchmarks/kills.py             # 36 kills
    python benchmarks/kills.py --quick     # 2 kills
"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READY, OUTCOME = "ready", "outcome.json"
# Most seconds that a process may take.
_PATIENCE = 300.0


@dataclass
class Kills:
    """What was done to one training.

    Attributes:
        case: its name.
        kills: seconds after which its processes were killed, in order.
        writing: how many of these were while a checkpoint was being written.
        differing: names of what differs.
    """

    case: str
    kills: list[float] = field(default_factory=list)
    writing: int = 0
    differing: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether it ended as if nobody had killed it."""
        return not self.differing


def data() -> Any:
    """Three classes, by rules that a small net learns but for some noise."""
    import numpy as np

    import kilter as kl

    draw = np.random.default_rng(0)
    x = draw.normal(size=(240, 6)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] ** 2 + 0.3 * draw.normal(size=240) > 0.5).astype(int) + (x[:, 2] > 1)
    return kl.data.from_arrays(x, y, seed=0)


def recipe(epochs: int, **given: Any) -> Any:
    """Dropout, batch norm, rates that follow a plateau, early stopping: all that has a state."""
    import kilter as kl
    from kilter import losses, nn, optim

    net = nn.Chain(nn.Dense(24), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
    optimizer = optim.ReduceOnPlateau(optim.Adam(0.01), patience=2)
    own = {"optimizer": optimizer, "batch_size": 16, "stopping": kl.EarlyStopping(patience=epochs // 2)}
    return kl.Recipe(**{"net": net, "loss": losses.SoftmaxCrossEntropy(), "epochs": epochs} | own | given)


def alone(epochs: int, **kept: Any) -> list[Any]:
    """One network."""
    import kilter as kl

    return [kl.train(recipe(epochs), data(), seed=1, **kept)]


def watched(epochs: int, **kept: Any) -> list[Any]:
    """One network that is watched, and learns too fast: there are findings."""
    import kilter as kl
    from kilter import optim

    return [kl.train(recipe(epochs, optimizer=optim.SGD(3.0)), data(), watch=kl.Watch(every=1), **kept)]


def fleet(epochs: int, **kept: Any) -> list[Any]:
    """Two structures and three lengths with four seeds each, on bootstrap samples."""
    import kilter as kl
    from kilter import nn

    other = nn.Chain(nn.Dense(8), nn.LayerNorm(), nn.Tanh(), nn.Dense(3))
    recipes = [recipe(epochs), recipe(epochs // 2), recipe(epochs // 4), recipe(epochs, net=other)]
    return kl.train_fleet(recipes, data(), seeds=range(4), bootstrap=True, **kept)


def cast(epochs: int, **kept: Any) -> list[Any]:
    """Widths, activations and batch sizes that share a mold."""
    import kilter as kl
    from kilter import nn

    nets = [nn.Chain(nn.Dense(units), kind(), nn.Dense(3)) for units in (6, 16) for kind in (nn.ReLU, nn.Tanh)]
    recipes = [recipe(epochs, net=net, batch_size=size) for net, size in zip(nets, (16, 32, 16, 32), strict=True)]
    return kl.train_fleet(recipes, data(), seeds=range(3), **kept)


def streamed(epochs: int, **kept: Any) -> list[Any]:
    """One network on a stream that takes its time: ten windows an epoch, and behind each a checkpoint is due."""
    import numpy as np

    import kilter as kl

    draw = np.random.default_rng(0)
    x = draw.normal(size=(6000, 20)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] ** 2 + 0.3 * draw.normal(size=6000) > 0.5).astype(int) + (x[:, 2] > 1)

    def rows() -> Iterator[tuple[Any, Any]]:
        for chosen in np.array_split(np.arange(len(x)), 20):
            time.sleep(0.02)
            yield x[chosen], y[chosen]

    kept["every"] = 1e-6
    own = recipe(epochs, batch_size=64)
    return [kl.train(own, kl.data.stream(rows, memory="1MiB"), watch=kl.Watch(every=2), **kept)]


# Checkpoints that a training leaves an epoch, about, where it is not one.
_AN_EPOCH = {"streamed": 5}
CASES = {made.__name__: made for made in (alone, watched, fleet, cast, streamed)}


def train(case: str, epochs: int, folder: Path) -> None:
    """What a process does: train, and write what came out."""
    import kilter as kl
    from kilter.core import files

    warnings.simplefilter("ignore", kl.FindingWarning)
    print(READY, flush=True)
    runs = CASES[case](epochs, checkpoint=folder / "kept", every="1 epochs", log=folder / "own", progress=False)
    facts = {"runs": [_facts(run) for run in runs], "journal": journal(folder / "own.log.jsonl")}
    files.write(folder / OUTCOME, json.dumps(facts).encode())


def _facts(run: Any) -> dict[str, str]:
    """Hashes of all that a run holds, but for the seconds."""
    vitals = None if run.vitals is None else (run.vitals.epochs, run.vitals.vitals)
    facts = {name: getattr(run, name) for name in ("params", "state", "history", "metrics", "score", "epoch")}
    return {name: _hash(each) for name, each in (facts | {"vitals": vitals}).items()} | {"outcome": run.outcome.name}


def _hash(tree: Any) -> str:
    import numpy as np

    from kilter.core import trees

    digest = hashlib.sha256()
    for name, leaf in trees.named(tree).items():
        array = np.asarray(leaf)
        digest.update(f"{name}{array.dtype}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


# What a journal says of the process that wrote it.
_OWN = ("started", "pid", "born", "host", "where", "ended")


def journal(file: Path) -> list[Any]:
    """What a journal tells, but for times and processes; epochs one by one, however many a line has."""
    found: list[Any] = []
    for line in map(json.loads, file.read_text().splitlines()):
        if "lines" in line:
            columns = line["lines"]
            for epoch in range(max(map(len, columns["lr"]))):
                there = [place for place, own in enumerate(columns["lr"]) if epoch < len(own)]
                numbers = {name: [each[place][epoch] for place in there] for name, each in columns.items()}
                found.append([line["first"] + epoch, [line["members"][place] for place in there], numbers])
        else:
            found.append({name: each for name, each in line.items() if name not in _OWN})
    return [each for each in found if each]  # nothing is left of the line that says when it ended


def begun(case: str, epochs: int, folder: Path) -> subprocess.Popen[str]:
    """A process that has just begun the training."""
    folder.mkdir(exist_ok=True)
    call = [sys.executable, __file__, "--train", case, "--epochs", str(epochs), "--folder", str(folder)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline().strip() != READY:
        raise RuntimeError(f"the process did not begin: {process.wait()}")
    return process


def ended(process: subprocess.Popen[str], seconds: float = _PATIENCE) -> bool:
    """Whether a process ends within so many seconds, well."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    if process.returncode:
        raise RuntimeError(f"the training has failed with {process.returncode}")
    return True


def newest(folder: Path) -> int:
    """Number of the newest checkpoint; 0 where there is none."""
    numbers = [int(path.name) for path in (folder / "kept" / "checkpoints").glob("*") if path.name.isdigit()]
    return max(numbers, default=0)


def reaches(process: subprocess.Popen[str], folder: Path, number: int) -> bool:
    """Wait until there is a checkpoint of this number; whether there is one before the process ends."""
    while process.poll() is None:
        if newest(folder) >= number:
            return True
        time.sleep(0.005)
    return False


def is_writing(process: subprocess.Popen[str], folder: Path) -> bool:
    """Wait until a checkpoint is being written; whether one is before the process ends."""
    while process.poll() is None:
        if any((folder / "kept" / "checkpoints").glob("*.orbax-checkpoint-tmp*")):
            return True
        time.sleep(0.001)
    return False


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process as kill -9 does."""
    process.kill()
    process.communicate()


def killed(case: str, epochs: int, folder: Path, draw: random.Random, most: int) -> Kills:
    """Kill a training up to so many times, and let it come to its end.

    Each time it may get on by some checkpoints, up to half of what is left, and by some tenths of a second more; the first
    of these falls into loading and compiling.
    """
    told, whole = Kills(case), epochs * _AN_EPOCH.get(case, 1)
    while len(told.kills) < most:
        process, began, before = begun(case, epochs, folder), time.monotonic(), newest(folder)
        if reaches(process, folder, before + draw.randint(0, max(1, (whole - before) // 2))):
            time.sleep(draw.uniform(0, 0.3))
            writing = draw.random() < 0.5 and is_writing(process, folder)
            told.kills.append(time.monotonic() - began)
            told.writing += writing
        kill(process)
        if (folder / OUTCOME).exists():
            return told
    if not ended(begun(case, epochs, folder)):
        raise RuntimeError("the training does not end")
    return told


def compared(case: str, epochs: int, kills: int, seed: int, most: int = 6) -> list[Kills]:
    """Trainings of a case that are killed, until there were so many kills; each compared with the one that was not."""
    draw, done = random.Random(f"{case} {seed}"), list[Kills]()
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        if not ended(begun(case, epochs, whole)):
            raise RuntimeError("the training does not end")
        while (left := kills - sum(len(each.kills) for each in done)) > 0:
            folder = Path(place) / str(len(done))
            told = killed(case, epochs, folder, draw, min(left, most))
            told.differing = differing(outcome(whole), outcome(folder))
            done.append(told)
    return done


def outcome(folder: Path) -> dict[str, Any]:
    """What a training has left in its folder when it ended."""
    return json.loads((folder / OUTCOME).read_text())


def differing(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What differs, by the number of the run and the name."""
    names = [
        f"{index} {name}"
        for index, (own, other) in enumerate(zip(expected["runs"], found["runs"], strict=True))
        for name in own
        if own[name] != other[name]
    ]
    return names + ([] if expected["journal"] == found["journal"] else ["journal"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test with two kills")
    parser.add_argument("--kills", type=int, default=36, help="in all")
    parser.add_argument("--seed", type=int, default=0, help="of the times of the kills")
    parser.add_argument("--epochs", type=int, default=24, help="of the longest networks")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.train:
        train(options.train, options.epochs, options.folder)
        return
    cases = list(CASES)[:1] if options.quick else list(CASES)
    kills = 2 if options.quick else options.kills
    print(
        f"{'training':10s} {'kills':>6s} {'in a write':>11s}  after seconds                          ends as if not killed"
    )
    total = same = 0
    for place, case in enumerate(cases):
        share = kills * (place + 1) // len(cases) - kills * place // len(cases)
        for each in compared(case, options.epochs, share, options.seed):
            times = " ".join(f"{seconds:.1f}" for seconds in each.kills)
            verdict = "yes, bit for bit" if each.equal else f"NO: {', '.join(each.differing[:5])}"
            print(f"{case:10s} {len(each.kills):6d} {each.writing:11d}  {times:38s} {verdict}", flush=True)
            total, same = total + len(each.kills), same + each.equal * len(each.kills)
    print(f"{same} of {total} kills left no trace")


if __name__ == "__main__":
    main()
