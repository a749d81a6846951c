"""The benchmark page: measures its rows, each in a process of its own, and writes docs/benchmarks.md.

    python benchmarks/page.py                          # all rows, in about 40 minutes
    python benchmarks/page.py --rows cnn lstm          # those whose names begin so, and the page anew
    python benchmarks/page.py --resume                 # those that the present commit has not measured
    python benchmarks/page.py --rebuild                # the page alone
    python benchmarks/page.py --quick                  # a smoke test of every row, in this process

A row that fails or takes too long is a line with its error, and so is a peer. The rows that matter most come first.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")  # before anything imports Keras

import machine
import page_text
from contest import Row, hold
from measured import FOLDER, Measured
from rows import ALL

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
# What a row may take beyond its share of the time: imports, compiles, a last slow call.
GRACE, ENOUGH = 2.5, 60.0


def measure(row: Row, rounds: int, seconds: float) -> Measured:
    """A row, in a process of its own where no compiled program is kept from before."""
    with TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        own = {"JAX_ENABLE_COMPILATION_CACHE": "false", "TORCHINDUCTOR_CACHE_DIR": folder, "PYTHONWARNINGS": "ignore"}
        given = ["--one", row.name, "--to", str(told), "--rounds", str(rounds), "--seconds", str(seconds)]
        load = os.getloadavg()[0] / machine.cores()
        error = _run([sys.executable, __file__, *given], os.environ | own, GRACE * seconds + ENOUGH)
        record: dict[str, Any] = json.loads(told.read_text()) if told.exists() else {"updates": 1}
        if error:
            record["error"] = error
    return Measured(machine.described() | {"load": load} | record)


def keep(path: Path, record: dict[str, Any]) -> None:
    """Write what is known so far, whole or not at all."""
    half = path.with_suffix(".part")
    half.write_text(json.dumps(record))
    half.replace(path)


def _run(command: Sequence[str], environment: dict[str, str], seconds: float) -> str:
    """Run a process to its end, or for so long; what went wrong, if anything did."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        said = process.communicate(timeout=seconds)[1].strip().splitlines()
        return (said[-1][:200] if said else f"ended with {process.returncode}") if process.returncode else ""
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        return f"took more than {seconds:.0f} s"


def measure_all(rows: Sequence[Row], rounds: int, minutes: float) -> None:
    """Row after row, each with its share of what time is left; those for which none is left stay as they were."""
    end = time.monotonic() + 60 * minutes
    for place, row in enumerate(rows):
        left = end - time.monotonic()
        if left <= 0:
            print(f"out of time: {len(rows) - place} rows are left, which --resume measures")
            return
        seconds = max(5.0, left * row.weight / sum(each.weight for each in rows[place:]))
        found = measure(row, rounds, seconds)
        found.write(row.name)
        print("\n".join(page_text.summary(row.name, found)), flush=True)


def quick(rows: Sequence[Row]) -> int:
    """A smoke test of rows and page; how many contestants failed."""
    failed = 0
    with TemporaryDirectory() as name:
        for row in rows:
            found = Measured(machine.described() | hold(row, 1, 60.0, quick=True))
            found.write(row.name, Path(name))
            failed += len(found.errors)
        print(page_text.page(rows, Path(name)))
    return failed


def chosen(names: Sequence[str] | None, resume: bool) -> list[Row]:
    """Rows whose names begin so; with ``resume`` those that the present commit has not measured without an error."""
    exact = {row.name for row in ALL} & set(names or ())
    rows = [row for row in ALL if names is None or row.name in exact or row.name.startswith(tuple(set(names) - exact))]
    if not rows:
        sys.exit(
            f"no row's name begins with {' or '.join(names or ())}; there are {', '.join(row.name for row in ALL)}"
        )
    if not resume:
        return rows
    commit = machine.commit().removesuffix("-dirty")
    done = {row.name: Measured.read(row.name) for row in rows}

    def measured(record: Measured | None) -> bool:
        return record is not None and "error" not in record.record and record.record["commit"].startswith(commit)

    return [row for row in rows if not measured(done[row.name])]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of every row")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="rows whose names begin so; left out, all")
    parser.add_argument("--rounds", type=int, default=7, help="most rounds of a row")
    parser.add_argument("--minutes", type=float, default=40.0, help="that all rows together shall take at most")
    parser.add_argument("--resume", action="store_true", help="leave out rows that this commit has measured")
    parser.add_argument("--rebuild", action="store_true", help="measure nothing, write the page anew")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60.0, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        (row,) = (row for row in ALL if row.name == given.one)
        hold(row, given.rounds, given.seconds, keep=partial(keep, given.to))
        return
    rows = chosen(given.rows, given.resume)
    if given.quick:
        if failed := quick(rows):
            sys.exit(f"{failed} contestants failed")
        return
    if not given.rebuild:
        measure_all(rows, given.rounds, given.minutes)
    PAGE.write_text(page_text.page(ALL))
    print(f"{PAGE} is made of {len(list(FOLDER.glob('*.json')))} rows")


if __name__ == "__main__":
    main()
