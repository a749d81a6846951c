"""What does a mold cost its members? Time of a fleet in molds of several kinds, as ratios to a program of its own.

Nets 64-w-w-w-10 on digits, batches of 32, Adam and dropout. Their mold is chosen as a search would choose it, from a
company that differs in one thing, or in all. Compiling is left out; rounds alternate and a ratio is taken within a round.

    python benchmarks/molds.py             # widths 128 and 256
    python benchmarks/molds.py --quick     # a smoke test
"""

import argparse
import time
from collections.abc import Sequence

import jax
import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.train.foresight import Company, Foresight
from kilter.train.interrupt import Interrupt
from kilter.train.launch import fleets
from kilter.train.task import Task

ACTIVATIONS = (nn.ReLU(), nn.Tanh(), nn.Sigmoid())
OPTIMIZERS = (optim.Adam(1e-3), optim.SGD(1e-2, momentum=0.9), optim.RMSProp(1e-3))


def recipe(width: int, depth: int = 3, activation: int = 0, optimizer: int = 0, epochs: int = 20) -> kl.Recipe:
    """A net with dropout behind each hidden layer."""
    block = [nn.Dense(width), ACTIVATIONS[activation], nn.Dropout(0.1)]
    net = nn.Chain(*depth * block, nn.Dense(10))
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=OPTIMIZERS[optimizer], batch_size=32, epochs=epochs)


def companies(width: int, epochs: int) -> dict[str, list[kl.Recipe]]:
    """What else a program holds, by what it differs in."""
    half = width // 2
    settings = {
        "a program of its own": [],
        "two widths": [(half,)],
        "two depths": [(width, 1)],
        "three activations": [(width, 3, 1), (width, 3, 2)],
        "three optimizers": [(width, 3, 0, 1), (width, 3, 0, 2)],
        "all of these": [(half, 1, 0, 1), (width, 3, 1, 2), (half, 2, 2, 0)],
    }
    own = recipe(width, epochs=epochs)
    return {name: [own, *(recipe(*each, epochs=epochs) for each in others)] for name, others in settings.items()}


def measure(width: int, members: int, epochs: int, rounds: int, names: Sequence[str] = ()) -> None:
    """Print the lines of one width; those named, or all."""
    data = kl.data.digits()
    pairs = [(recipe(width, epochs=epochs), seed) for seed in range(members)]
    tasks = {
        name: Task(pairs, data, foresight=Foresight.of(Company(company, 1.0), data))
        for name, company in companies(width, epochs).items()
        if name in names or not names
    }
    for task in tasks.values():
        seconds(task)
    times = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            times[name].append(seconds(task))
    own = np.array(next(iter(times.values())))
    updates = members * epochs * -(-len(data.train) // 32) / jax.local_device_count()
    for name, found in times.items():
        ratios = np.array(found) / own
        micro = 1e6 * np.median(found) / updates
        print(f"{width:4d} {name:22s} {micro:6.0f} us an update of a member on a device, ", end="")
        print(f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})", flush=True)


def seconds(task: Task) -> float:
    """Of training without compiling."""
    ((_, fleet),) = fleets(task)
    began = time.perf_counter()
    fleet.run(False, Interrupt())
    return time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    if parser.parse_args(arguments).quick:
        measure(8, members=2, epochs=1, rounds=1, names=("a program of its own", "all of these"))
        return
    for width, members in ((128, 16), (256, 8)):
        measure(width, members, epochs=20, rounds=5)


if __name__ == "__main__":
    main()
