"""How do time and memory grow: of one network with rows, depth, width and batch, of fleets with members and structures?

Every point is measured in a process of its own, in which no program is kept from before. A fleet of one of the same
structure trains first, then the programs of the point are compiled; this is timed apart. Memory is how far the peak of the
resident set rises in the first training over what was resident before it; it stands beside what `kl.plan` promised. What a
point that needs a few MiB rises by is mostly a last small compile. Seconds are the median of the trainings after the first.

An exponent is the slope of the logarithm over that of the size, by least squares over the upper half of the points, where
constant costs have ceased to dominate, with its standard error. Where the work does not grow as the size does, that of
training stands over the operations of the products, too. It needs Linux, where the peak can be reset.

    python benchmarks/growth.py                     # all tables, about twenty minutes
    python benchmarks/growth.py --axes members      # one of them
    python benchmarks/growth.py --write             # in place of those in docs/growth.md
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
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.train.launch import fleets
from kilter.train.task import Task

MIB = 1 << 20
PAGE = Path(__file__).parents[1] / "docs" / "growth.md"
# A fifth of the rows is held out.
ROWS, INPUTS, EPOCHS, ROUNDS = 500, 20, 5, 3
MANY = 20_480
# JAX would otherwise find programs on disk.
ANEW = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
ACTIVATIONS = (nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.SiLU())
Point = tuple[list[kl.Recipe], Sequence[int]]


@dataclass(frozen=True)
class Axis:
    """One table.

    Attributes:
        title: what grows.
        sizes: in which steps.
        point: the recipes and seeds of a size.
        rows: of a size, with those held out.
        updates: whether seconds are those of one update rather than of the whole call.
        work: operations of the products on one row, where they do not grow as the size does.
    """

    title: str
    sizes: tuple[int, ...]
    point: Callable[[int], Point]
    rows: Callable[[int], int] = lambda size: ROWS
    updates: bool = False
    work: Callable[[int], float] | None = None


def recipe(*layers: nn.Layer, batch: int = 32) -> kl.Recipe:
    """A classifier with these layers in front of its outputs."""
    net = nn.Chain(*layers, nn.Dense(2))
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(1e-3), batch_size=batch, epochs=EPOCHS)


def plain(depth: int, width: int, batch: int = 32) -> kl.Recipe:
    """Hidden layers with ReLU."""
    return recipe(*(layer for _ in range(depth) for layer in (nn.Dense(width), nn.ReLU())), batch=batch)


def one(depth: int, width: int, batch: int) -> Point:
    """One network."""
    return [plain(depth, width, batch)], (0,)


def products(depth: int, width: int) -> float:
    """Operations of the products that a row goes through, forward and back."""
    sizes = (INPUTS, *(width,) * depth, 2)
    return 6.0 * sum(a * b for a, b in pairwise(sizes)) - 2.0 * INPUTS * width


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
    "rows": Axis(
        "training rows, one network 20-32-32-2, batch 256",
        (800, 8_000, 80_000, 800_000),
        lambda size: one(2, 32, 256),
        rows=lambda size: size * 5 // 4,
    ),
    "layers": Axis("hidden layers of 64, one network", (1, 2, 4, 8, 16, 32, 64), lambda size: one(size, 64, 32)),
    "units": Axis(
        "units of both hidden layers, one network",
        (32, 64, 128, 256, 512, 1024, 2048),
        lambda size: one(2, size, 128),
        rows=lambda size: 5 * ROWS,
        work=lambda size: products(2, size),
    ),
    "batch": Axis(
        "rows a batch, one network 20-256-256-2; seconds are of an update",
        (16, 64, 256, 1024, 4096, 16384),
        lambda size: one(2, 256, size),
        rows=lambda size: MANY,
        updates=True,
    ),
    "members": Axis("networks 20-32-32-2 in a fleet", (1, 4, 16, 64, 256, 1024, 4096), rates),
    "depth": Axis(
        "hidden layers of 32, 64 networks", (1, 2, 4, 8, 16, 32), lambda size: ([plain(size, 32)], range(64))
    ),
    "width": Axis(
        "units of both hidden layers, 16 networks",
        (16, 32, 64, 128, 256, 512, 1024),
        lambda size: ([plain(2, size)], range(16)),
        work=lambda size: products(2, size),
    ),
    "molded": Axis("structures that share a mold, 8 networks each", (1, 2, 4, 8, 16, 32, 64), molded),
    "apart": Axis("structures that share nothing, 8 networks each", (1, 2, 4, 8), apart),
}
QUICK = {"rows": (800,), "members": (4,)}


def measured(axis: str, size: int) -> dict[str, float]:
    """What a point takes, measured in this process."""
    recipes, seeds = AXES[axis].point(size)
    data = rows(AXES[axis].rows(size))
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
    updates = EPOCHS * -(-len(data.train) // recipes[0].batch_size) if AXES[axis].updates else 1
    return {
        "train": statistics.median(times) / updates,
        "compile": seconds,
        "compiling": compiling / MIB,
        "risen": risen / MIB,
        "plan": plan.bytes / MIB,
        "programs": len(plan.groups),
    }


def rows(count: int) -> kl.data.Dataset:
    """Made rows, two classes."""
    x = np.random.default_rng(0).standard_normal((count, INPUTS), np.float32)
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


def slope(sizes: Sequence[float], values: Sequence[float]) -> str:
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


def table(name: str, sizes: Sequence[int]) -> list[str]:
    """Measure an axis; the lines of its table, which are printed as they come."""
    lines = [
        f"| {AXES[name].title} | programs | compile, s | compile, MiB | training, s | training, MiB | plan, MiB | ratio |",
        "|--:" * 8 + "|",
    ]
    print("", *lines, sep="\n", flush=True)
    found = []
    for size in sizes:
        point = apart_from_here(name, size)
        found.append(point)
        lines.append(
            f"| {size} | {point['programs']} | {point['compile']:.3g} | {point['compiling']:.0f} "
            f"| {point['train']:.3g} | {point['risen']:.3g} | {point['plan']:.3g} | {point['risen'] / point['plan']:.2f} |"
        )
        print(lines[-1], flush=True)
    slopes = {key: slope(sizes, [point[key] for point in found]) for key in ("train", "compile", "risen", "plan")}
    lines.append(f"| exponent | | {slopes['compile']} | | {slopes['train']} | {slopes['risen']} | {slopes['plan']} | |")
    if (work := AXES[name].work) is not None:
        over = slope([work(size) for size in sizes], [point["train"] for point in found])
        lines.append(f"| over operations | | | | {over} | | | |")
    print(*lines[2 + len(sizes) :], sep="\n", flush=True)
    return lines


def put(lines: Sequence[str], page: Path) -> None:
    """Put a table in the place of the one with the same first line."""
    before = page.read_text().splitlines()
    start = before.index(lines[0])
    end = next((place for place in range(start, len(before)) if not before[place].startswith("|")), len(before))
    page.write_text("\n".join([*before[:start], *lines, *before[end:]]) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of the smallest fleets")
    parser.add_argument("--axes", nargs="*", choices=AXES, default=list(AXES), help="what grows; left out, everything")
    parser.add_argument("--write", action="store_true", help="put the tables in the place of those in docs/growth.md")
    parser.add_argument("--point", nargs=2, metavar=("AXIS", "SIZE"), help="measure one point in this process")
    options = parser.parse_args(arguments)
    if options.point:
        print(json.dumps(measured(options.point[0], int(options.point[1]))))
        return
    sizes = QUICK if options.quick else {name: AXES[name].sizes for name in options.axes}
    for name, each in sizes.items():
        lines = table(name, each)
        if options.write and not options.quick:
            put(lines, PAGE)


if __name__ == "__main__":
    main()
