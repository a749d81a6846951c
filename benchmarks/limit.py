"""The machine's own best matrix product: NumPy's, PyTorch's or XLA's, whichever is fastest at a size."""

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

Size = tuple[int, int, int]
# Seconds for one size in one library.
_SECONDS = 0.04


def best_rate(sizes: Sequence[Size], *, few: bool = False) -> float:
    """Floating point operations a second of products of these sizes, each by the library that is fastest at it."""
    operations = sum(2.0 * rows * inner * columns for rows, inner, columns in sizes)
    return operations / sum(min(_shortest(run, few) for run in products(size)) for size in sizes)


@cache
def products(size: Size) -> tuple[Callable[[], Any], ...]:
    """The product of a size in each library."""
    import jax
    import torch

    rows, inner, columns = size
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((rows, inner), np.float32), rng.standard_normal((inner, columns), np.float32)
    out = np.empty((rows, columns), np.float32)
    ta, tb, tout = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(out)
    ja, jb = jax.device_put(a), jax.device_put(b)
    dot = jax.jit(lambda a, b: a @ b)
    return (
        lambda: np.matmul(a, b, out=out),
        lambda: torch.mm(ta, tb, out=tout),
        lambda: dot(ja, jb).block_until_ready(),
    )


def _shortest(run: Callable[[], Any], few: bool) -> float:
    """Shortest time of a call."""
    best, began = float("inf"), time.perf_counter()
    run()
    while True:
        start = time.perf_counter()
        run()
        end = time.perf_counter()
        best = min(best, end - start)
        if few or end - began > _SECONDS:
            return best
