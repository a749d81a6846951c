"""How do time and memory of fleets grow with their size, and with depth, width and number of structures of the nets?

Every point is measured in a process of its own, in which no program is kept from before. A fleet of one of the same
structure trains first, then the programs of the point are compiled; this is timed apart. Memory is how far the peak of the
resident set rises in the first training over what was resident before it; it stands beside what `kl.plan` promised. What a
point that needs a few MiB rises by is mostly a last small compile. Seconds are the median of the trainings after the first.

An exponent is the slope of the logarithm over that of the size, by least squares over the upper half of the points, where
constant costs have ceased to dominate, with its standard error. It needs Linux, where the peak can be reset.

    python benchmarks/growth.py                     # all tables, about ten minutes
    python benchmarks/growth.py --axes members      # one of them
    python benchmarks/growth.py --quick             # a smoke test
"""

import argparse
import gc
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.train.launch import fleets
from kilter.train.task import Task

MIB = 1 << 20
ROWS, INPUTS, EPOCHS, ROUNDS = 500, 20, 5, 3
# JAX would otherwise find programs on disk.
ANEW = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
ACTIVATIONS = (nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.SiLU())
Point = tuple[list[kl.Recipe], Sequence[int]]


@dataclass(frozen=True)
class Axis:
    """One table: what grows, in which steps, and the recipes and seeds of a point."""

    title: str
    sizes: tuple[int, ...]
    point: Callable[[int], Point]


def recipe(*layers: nn.Layer) -> kl.Recipe:
    """A classifier with these layers in front of its outputs."""
    net = nn.Chain(*layers, nn.Dense(2))
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(1e-3), batch_size=32, epochs=EPOCHS)


def plain(depth: int, width: int) -> kl.Recipe:
    """Hidden layers with ReLU."""
    return recipe(*(layer for _ in range(depth) for layer in (nn.Dense(width), nn.ReLU())))


def rates(size: int) -> Point:
    """A fleet of 20-32-32-2 that differs in the learning rate."""
    return [plain(2, 32).put("optimizer.lr", float(rate)) for rate in np.geomspace(1e-4, 1e-2, size)], (0,)


def molded(size: int) -> Point:
    """Nets of other widths and activations; 8 seeds each."""
    kinds = [(9 + place % 16, ACTIVATIONS[place // 16]) for place in range(size)]
    return [recipe(nn.Dense(width), kind, nn.Dense(width), kind) for width, kind in kinds], range(8)


def apart(size: int) -> Point:
    """Nets with layer norms of other widths, which no mold takes; 8 seeds each."""
    return [recipe(nn.Dense(9 + place), nn.LayerNorm(), nn.ReLU()) for place in range(size)], range(8)


AXES = {
    "members": Axis("networks 20-32-32-2 in a fleet", (1, 4, 16, 64, 256, 1024, 4096), rates),
    "depth": Axis(
        "hidden layers of 32, 64 networks", (1, 2, 4, 8, 16, 32), lambda size: ([plain(size, 32)], range(64))
    ),
    "width": Axis(
        "units of both hidden layers, 16 networks",
        (16, 32, 64, 128, 256, 512, 1024),
        lambda size: ([plain(2, size)], range(16)),
    ),
    "molded": Axis("structures that share a mold, 8 networks each", (1, 2, 4, 8, 16, 32, 64), molded),
    "apart": Axis("structures that share nothing, 8 networks each", (1, 2, 4, 8), apart),
}
QUICK = {"members": (4,)}


def measured(axis: str, size: int) -> dict[str, float]:
    """What a point takes, measured in this process."""
    recipes, seeds = AXES[axis].point(size)
    data = rows()
    plan = kl.plan(recipes, data, seeds=seeds)
    warm = kl.train_fleet(recipes[:1], data, seeds=seeds[:1], progress=False)
    before, began = resident(), time.perf_counter()
    compile_all(Task([(each, seed) for each in recipes for seed in seeds], data))
    # The program of a fleet of one is ready already.
    seconds = max(time.perf_counter() - began, warm[0].seconds["compile"])
    compiling, start = resident() - before, resident()
    kl.train_fleet(recipes, data, seeds=seeds, progress=False)
    risen = peak() - start
    times = [timed(lambda: kl.train_fleet(recipes, data, seeds=seeds, progress=False)) for _ in range(ROUNDS)]
    return {
        "train": statistics.median(times),
        "compile": seconds,
        "compiling": compiling / MIB,
        "risen": risen / MIB,
        "plan": plan.bytes / MIB,
        "programs": len(plan.groups),
    }


def rows() -> kl.data.Dataset:
    """Made rows, two classes."""
    x = np.random.default_rng(0).normal(size=(ROWS, INPUTS)).astype(np.float32)
    return kl.data.from_arrays(x, (x[:, 0] * x[:, 1] > 0).astype(int), seed=0)


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compile_all(task: Task) -> None:
    """Compile the programs of a task and train nothing."""
    for _ in fleets(task):
        pass


def resident() -> int:
    """Bytes of the resident set; what is garbage is collected, and the peak begins anew."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> int:
    """The largest resident set since then."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def apart_from_here(axis: str, size: int) -> dict[str, float]:
    """`measured` in a fresh process."""
    command = [sys.executable, __file__, "--point", axis, str(size)]
    done = subprocess.run(command, env=os.environ | ANEW, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def slope(sizes: Sequence[int], values: Sequence[float]) -> str:
    """Exponent over the upper half of the points, with its standard error where there are more than two."""
    count = -(-len(sizes) // 2)
    x, y = np.log(sizes[-count:]), np.log(np.maximum(values[-count:], 1e-9))
    if count < 2:
        return "-"
    x, y = x - x.mean(), y - y.mean()
    found = float(x @ y / (x @ x))
    if count < 3:
        return f"{found:.2f}"
    return f"{found:.2f} ± {math.sqrt(((y - found * x) ** 2).sum() / (count - 2) / (x @ x)):.2f}"


def table(name: str, sizes: Sequence[int]) -> None:
    """Measure an axis and print its table."""
    print(
        f"\n| {AXES[name].title} | programs | compile, s | compile, MiB | training, s | training, MiB | plan, MiB | ratio |"
    )
    print("|--:" * 8 + "|")
    found = []
    for size in sizes:
        one = apart_from_here(name, size)
        found.append(one)
        print(
            f"| {size} | {one['programs']} | {one['compile']:.3g} | {one['compiling']:.0f} "
            f"| {one['train']:.3g} | {one['risen']:.3g} | {one['plan']:.3g} | {one['risen'] / one['plan']:.2f} |",
            flush=True,
        )
    slopes = {key: slope(sizes, [one[key] for one in found]) for key in ("train", "compile", "risen", "plan")}
    print(f"| exponent | | {slopes['compile']} | | {slopes['train']} | {slopes['risen']} | {slopes['plan']} | |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of the smallest fleets")
    parser.add_argument("--axes", nargs="*", choices=AXES, default=list(AXES), help="what grows; left out, everything")
    parser.add_argument("--point", nargs=2, metavar=("AXIS", "SIZE"), help="measure one point in this process")
    options = parser.parse_args(arguments)
    if options.point:
        print(json.dumps(measured(options.point[0], int(options.point[1]))))
        return
    sizes = QUICK if options.quick else {name: AXES[name].sizes for name in options.axes}
    for name, each in sizes.items():
        table(name, each)


if __name__ == "__main__":
    main()
