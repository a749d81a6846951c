"""What do checkpoints cost a training? Ratios of trainings that leave one every 5 seconds to those that leave none.

Side by side in one process: the two alternate, and a ratio is taken within a round, of the CPU seconds of the process (the
threads that write included) and of the seconds that pass. Where others use the machine, too, a training takes longer and
leaves more checkpoints; so the CPU seconds of one checkpoint are told besides, in shares of the 5 seconds.

    python benchmarks/checkpoints.py             # all rows of the table
    python benchmarks/checkpoints.py --quick     # a smoke test
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from measured import Spread

# Seconds between checkpoints.
EVERY = 5.0


def recipe(hidden: Sequence[int], epochs: int) -> kl.Recipe:
    """A net of dense layers, trained by Adam, whose two moments are kept, too."""
    layers = [part for units in hidden for part in (nn.Dense(units), nn.ReLU())]
    net = nn.Chain(*layers, nn.Dense(10))
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(1e-3), batch_size=128, epochs=epochs)


def rows(count: int, inputs: int) -> object:
    """Rows of noise in ten classes; how well they are learned does not matter."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(count, inputs)).astype(np.float32)
    return kl.data.from_arrays(x, np.arange(count) % 10, validation=0.1)


def seconds(recipes: Sequence[kl.Recipe], data: object, folder: Path | None, every: float) -> tuple[float, float, int]:
    """CPU seconds of a training, seconds that passed, and the checkpoints that it has left."""
    cpu, wall = time.process_time(), time.perf_counter()
    kl.train_fleet(recipes, data, checkpoint=folder, every=every, keep=10**6, progress=False)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    left = 0 if folder is None else sum(path.name.isdigit() for path in (folder / "checkpoints").iterdir())
    return *spent, left


def lasting(recipes: Sequence[kl.Recipe], data: object, wanted: float) -> list[kl.Recipe]:
    """The recipes with as many epochs as take about so many seconds."""
    epochs = recipes[0].epochs
    seconds(recipes, data, None, EVERY)  # compiles
    _, took, _ = seconds(recipes, data, None, EVERY)
    return [each.replace(epochs=max(1, int(epochs * wanted / took))) for each in recipes]


def measure(name: str, recipes: Sequence[kl.Recipe], data: object, rounds: int, wanted: float, every: float) -> None:
    """Print a row of the table."""
    recipes = lasting(recipes, data, wanted)
    cpu, wall, each = list[float](), list[float](), list[float]()
    left = 0
    seconds(recipes, data, None, every)  # compiles for so many epochs
    with tempfile.TemporaryDirectory() as place:
        seconds(recipes[:1], data, Path(place) / "first", every)  # imports what writes
        for number in range(rounds):
            plain = seconds(recipes, data, None, every)
            kept = seconds(recipes, data, Path(place) / str(number), every)
            cpu.append(kept[0] / plain[0])
            wall.append(kept[1] / plain[1])
            left = kept[2]
            each.append((kept[0] - plain[0]) / max(left, 1) / every)
    told = "  ".join(f"{Spread.of(ratios)!s:22s}" for ratios in (cpu, wall, each))
    print(f"{name:20s} {recipes[0].epochs:6d} {left:11d}  {told}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of every row")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each row")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each training, about")
    options = parser.parse_args(arguments)
    quick = options.quick
    rounds, wanted, every = (1, 0.2, 0.05) if quick else (options.rounds, options.seconds, EVERY)
    heads = "".join(f"  {head:22s}" for head in ("CPU seconds, ratio", "seconds, ratio", "a checkpoint, share"))
    print(f"{'':20s} {'epochs':>6s} {'checkpoints':>11s}{heads}")
    small, large = (500, 1000) if quick else (5000, 10000)
    measure("64-128-128-10", [recipe((128, 128), 2 if quick else 30)], rows(small, 64), rounds, wanted, every)
    measure("784-512-512-10", [recipe((512, 512), 1 if quick else 3)], rows(large, 784), rounds, wanted, every)
    fleet = [recipe((128, 128), 1 if quick else 10).put("optimizer.lr", rate) for rate in np.geomspace(1e-4, 1e-2, 16)]
    measure("16 of 64-128-128-10", fleet, rows(small, 64), rounds, wanted, every)


if __name__ == "__main__":
    main()
