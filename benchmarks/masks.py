"""What does a dropout mask cost? Prints the hash's time as a ratio to threefry's, inside one compiled program.

Run `python benchmarks/masks.py`, or with `--quick` for a smoke test. Each program draws a mask and applies it to a signal,
as a layer of 512 units does, in a scan of steps with a key each; the ratio is of medians of interleaved rounds, the net
ratio of what they take beyond the same program without a mask. The aim is at most 0.3 at 131,072 elements.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.nn import masks

RATE = 0.3
WIDTH = 512


def program(draw: Callable[[Any, Any, Any], Any], steps: int) -> Any:
    """A compiled scan of steps, each of which draws a mask and applies it."""

    def run(x: Any, rate: Any, key: Any) -> Any:
        def body(x: Any, step: Any) -> tuple[Any, None]:
            return jnp.where(draw(jax.random.fold_in(key, step), rate, x.shape), x, -x), None

        return jax.lax.scan(body, x, jnp.arange(steps))[0]

    return jax.jit(run)


DRAWS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "no mask": lambda key, rate, shape: jax.random.key_data(key)[0] > 7,
    "hash": masks.keep,
    "threefry": lambda key, rate, shape: jax.random.bernoulli(key, 1 - rate, shape),
}


def timings(size: int, steps: int, rounds: int) -> dict[str, Any]:
    """Microseconds a step, one number a round."""
    x, rate, key = jnp.ones((size // WIDTH, WIDTH)), jnp.float32(RATE), jax.random.key(0)
    programs = {name: program(draw, steps) for name, draw in DRAWS.items()}
    for run in programs.values():
        run(x, rate, key).block_until_ready()
    spent: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = time.perf_counter()
            run(x, rate, key).block_until_ready()
            spent[name].append((time.perf_counter() - start) / steps * 1e6)
    return {name: np.array(found) for name, found in spent.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few steps and rounds")
    given = parser.parse_args(argv)
    steps, rounds = (50, 5) if given.quick else (200, 15)
    print(f"{'elements':>9} {'none us':>9} {'hash us':>9} {'threefry us':>12} {'ratio':>7} {'net ratio':>10}")
    for size in (131_072,) if given.quick else (8_192, 131_072, 1_048_576):
        none, ours, theirs = (float(np.median(found)) for found in timings(size, steps, rounds).values())
        net = (ours - none) / (theirs - none)
        print(f"{size:9} {none:9.1f} {ours:9.1f} {theirs:12.1f} {ours / theirs:7.3f} {net:10.3f}", flush=True)


if __name__ == "__main__":
    main()
