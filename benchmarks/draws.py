"""What does a random draw cost with JAX's keys and with ours, whose bits are the same? Prints ratios of theirs to ours.

Run `python benchmarks/draws.py`, or with `--quick` for a smoke test. A row compiles and runs the same program with either
kind of key, in turns, each round for a size of its own, as programs are kept by size; nothing is read from disk.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax

from kilter.core.threefry import quick

Run = Callable[[Any, int], Any]


ROWS: dict[str, tuple[Run, Sequence[int]]] = {
    "fold_in": (lambda key, size: jax.random.key_data(jax.random.fold_in(key, size)), range(8)),
    "split": (lambda key, size: jax.random.key_data(jax.random.split(key, size)), range(8, 16)),
    "a million bits": (lambda key, size: jax.random.bits(key, (size,)), range(1_000_000, 1_000_008)),
    "a million normal numbers": (lambda key, size: jax.random.normal(key, (size,)), range(1_000_000, 1_000_008)),
}


def seconds(run: Run, key: Any, size: int) -> tuple[float, float]:
    """To compile it, and to run it: the best of five."""
    start = time.perf_counter()
    program = jax.jit(run, static_argnums=1).lower(key, size).compile()
    compiled = time.perf_counter() - start
    times = []
    for _ in range(5):
        start = time.perf_counter()
        jax.block_until_ready(program(key))
        times.append(time.perf_counter() - start)
    return compiled, min(times)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    rounds = 2 if parser.parse_args(argv).quick else 8
    jax.config.update("jax_enable_compilation_cache", False)
    theirs = jax.random.key(0)
    print(f"{'JAX over ours':26} {'compile':>8} {'run':>8}")
    for name, (run, sizes) in ROWS.items():
        found = []
        for size in list(sizes)[:rounds]:
            jax.clear_caches()
            ours = seconds(run, quick(theirs), size)
            found.append([their / our for their, our in zip(seconds(run, theirs, size), ours, strict=True)])
        compiled, ran = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name:26} {compiled:8.2f} {ran:8.2f}", flush=True)


if __name__ == "__main__":
    main()
