"""Does a table larger than memory train as fast as one in memory, and how much memory does that take?

A table of 50 columns of random numbers is written as Parquet files. Three questions, each in fresh processes:

- All rows: a network 50-64-64-1, batches of 1024, trains on the stream. Memory is the peak of the resident set of the whole
  process, libraries and compiling included; the budget of the stream is 1 GiB.
- Speed: on half of the table the same network trains on the stream and in memory in turn, in one process. A ratio is of
  two trainings of one round, of rows a second; above 1 the stream is faster. "As it is kept" leaves decoding out: the same
  rows as a mapped array.
- Growth: the same training against the number of rows, with the exponent over the upper half of the points.

    python benchmarks/streaming.py                  # ten million rows, 2 GB of files; about ten minutes
    python benchmarks/streaming.py --rows 1000000   # fewer
    python benchmarks/streaming.py --quick          # a smoke test
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

import kilter as kl
from growth import slope
from kilter import losses, nn, optim
from kilter.train.rows import scalings
from measured import Spread

COLUMNS, BATCH, GROUP = 50, 1024, 1 << 16
ROUNDS, BESIDE = 5, 5_000_000


def write(folder: Path, rows: int) -> None:
    """A table: a file a million rows."""
    draw = np.random.default_rng(0)
    weights = draw.normal(size=COLUMNS).astype(np.float32) / 7
    for number, first in enumerate(range(0, rows, 1_000_000)):
        count, writer = min(1_000_000, rows - first), None
        for start in range(0, count, GROUP):
            x = draw.standard_normal((min(GROUP, count - start), COLUMNS), np.float32)
            y = np.tanh(x @ weights) + x[:, 0] * x[:, 1] / 4
            columns = {f"c{index:02d}": x[:, index] for index in range(COLUMNS)} | {"y": y}
            table = pa.table(columns)
            if writer is None:
                writer = parquet.ParquetWriter(
                    folder / f"part-{number:03d}.parquet", table.schema, use_dictionary=False
                )
            writer.write_table(table)
        if writer is not None:
            writer.close()


def recipe(epochs: int) -> kl.Recipe:
    """The network that is trained."""
    net = nn.Chain(nn.Dense(64), nn.ReLU(), nn.Dense(64), nn.ReLU(), nn.Dense(1))
    return kl.Recipe(
        net,
        losses.SquaredError(),
        optimizer=optim.Adam(1e-3),
        batch_size=BATCH,
        epochs=epochs,
        inputs=kl.data.Standardize(),
    )


class Clock:
    """Seconds, and seconds of cores, since it was made."""

    def __init__(self) -> None:
        self.wall, self.cores = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Both."""
        return time.perf_counter() - self.wall, time.process_time() - self.cores


def files(folder: Path, rows: int) -> list[Path]:
    """The first files, that hold so many rows."""
    return sorted(folder.glob("*.parquet"))[: -(-rows // 1_000_000)]


def alone(folder: Path, rows: int) -> dict[str, float]:
    """One epoch on the stream, in this process."""
    clock = Clock()
    stream = kl.data.stream(files(folder, rows), target="y", validation=min(0.1, 100_000 / rows))
    making, clock = clock.read(), Clock()
    scalings(recipe(1), stream)
    fitting, clock = clock.read(), Clock()
    run = kl.train(recipe(1), stream, progress=False)
    return {
        "rows": stream.rows,
        "making": making[0],
        "fitting": fitting[0],
        "train": run.seconds["train"],
        "cores": clock.read()[1],
        "score": run.score,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def beside(folder: Path, rows: int, rounds: int) -> list[dict[str, float]]:
    """Rows a second of the stream, in memory and of mapped arrays, in turn."""
    stream = kl.data.stream(files(folder, rows), target="y", validation=0.05)
    parts = list(stream.feed.parts())
    x, y = np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts])[:, 0]
    held = stream.validation.x, stream.validation.y[:, 0]
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    mapped = kl.data.stream((folder / "x.npy", folder / "y.npy"), validation=held)
    sources = {"stream": stream, "memory": kl.data.from_arrays(x, y, validation=held), "mapped": mapped}
    for data in sources.values():
        kl.train(recipe(1), data, progress=False)
    return [{name: speed(data) for name, data in sources.items()} for _ in range(rounds)]


def speed(data: Any) -> float:
    """Rows a second of two epochs; preprocessing is fitted before they begin."""
    run = kl.train(recipe(2), data, progress=False)
    return 2 * data.rows / run.seconds["train"]


def child(question: str, folder: Path, rows: int, rounds: int = 0) -> Any:
    """The answer of a fresh process."""
    command = [sys.executable, __file__, "--child", question, str(folder), str(rows), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of 20,000 rows")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the table")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of the comparison")
    parser.add_argument(
        "--child", nargs=4, metavar=("QUESTION", "FOLDER", "ROWS", "ROUNDS"), help="answer one question"
    )
    options = parser.parse_args(arguments)
    if options.child:
        question, folder, rows, rounds = options.child[0], Path(options.child[1]), *map(int, options.child[2:])
        print(json.dumps(alone(folder, rows) if question == "alone" else beside(folder, rows, rounds)))
        return
    rows, rounds = (20_000, 1) if options.quick else (options.rows, options.rounds)
    with tempfile.TemporaryDirectory(prefix="kilter-stream-") as name:
        folder = Path(name) / "table"
        folder.mkdir()
        write(folder, rows)
        largest = report_alone(folder, rows)
        report_beside(folder, min(rows, BESIDE), rounds, largest)
    report_growth([size for size in (1e3, 1e4, 1e5, 1e6) if size < rows], largest, options.quick)


def report_alone(folder: Path, rows: int) -> dict[str, float]:
    """Print what all rows take."""
    size = sum(path.stat().st_size for path in folder.glob("*.parquet")) / (1 << 30)
    found = child("alone", folder, rows)
    print("\n| rows | files, GiB | peak, MiB | making, s | preprocessing, s | an epoch, s | rows a second | R2 |")
    print("|--:" * 8 + "|")
    print(
        f"| {found['rows']:,} | {size:.2f} | {found['peak']:.0f} | {found['making']:.1f} | {found['fitting']:.1f} "
        f"| {found['train']:.1f} | {found['rows'] / found['train']:,.0f} | {found['score']:.3f} |",
        flush=True,
    )
    return found


def report_beside(folder: Path, rows: int, rounds: int, largest: dict[str, float]) -> None:
    """Print how the stream compares with memory."""
    found = child("beside", folder, rows, rounds)
    memory = statistics.median(each["memory"] for each in found)
    print(f"\n| {rows:,} rows | rows a second | to memory |")
    print("|:--|--:|--:|")
    for name, told in {"memory": "in memory", "stream": "stream of files", "mapped": "as it is kept"}.items():
        ratios = [each[name] / each["memory"] for each in found]
        print(f"| {told} | {statistics.median(each[name] for each in found):,.0f} | {Spread.of(ratios)} |")
    print(f"\nAll rows against {rows:,} in memory: {largest['rows'] / largest['train'] / memory:.2f}", flush=True)


def report_growth(sizes: Sequence[float], largest: dict[str, float], quick: bool) -> None:
    """Print time and memory against the number of rows."""
    found = []
    for size in map(int, sizes[-1:] if quick else sizes):
        with tempfile.TemporaryDirectory(prefix="kilter-stream-") as name:
            write(Path(name), size)
            found.append(child("alone", Path(name), size))
    found.append(largest)
    print("\n| rows | making, s | preprocessing, s | an epoch, s | cores, s | peak, MiB |")
    print("|--:" * 6 + "|")
    for one in found:
        print(
            f"| {one['rows']:,} | {one['making']:.2f} | {one['fitting']:.3f} | {one['train']:.3f} | {one['cores']:.2f} "
            f"| {one['peak']:.0f} |"
        )
    own = [one["rows"] for one in found]
    slopes = [slope(own, [one[key] for one in found]) for key in ("making", "fitting", "train", "cores", "peak")]
    print(f"| exponent | {' | '.join(slopes)} |")


if __name__ == "__main__":
    main()
