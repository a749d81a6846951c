"""What our own forms of nine operations gain: forward and gradients inside a loop, against XLA's own, in turns.

Compiled as training compiles: by XLA's own options layer norms of our form take 1.6 times as long as plain ones.

python benchmarks/kernels.py             # the shapes of the benchmarks
python benchmarks/kernels.py --quick     # a smoke test
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter import nn
from kilter.core.compiling import TRAINING
from kilter.nn.convolve import convolve, grouped, plain, plain_transposed, transposed
from kilter.nn.depthwise import depthwise
from kilter.nn.layer_norms import standardized
from kilter.nn.norm import normalized
from kilter.nn.product import product
from kilter.nn.sweep import Sweep
from kilter.nn.totals import spread

Operation = Callable[..., jax.Array]
SAME = Sweep(padding=((1, 1), (1, 1)))


def reshaped_pool(x: jax.Array) -> jax.Array:
    """Windows of two by two as axes of their own, and the largest over them."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max((2, 4))


def plain_depthwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A depthwise convolution as XLA has it."""
    return plain(x, kernel, SAME, groups=x.shape[-1])


def shifted(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A depthwise convolution as a sum of shifted inputs."""
    return depthwise(x, kernel, SAME)


def plain_norm(x: jax.Array, gain: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Mean 0 and variance 1 over axes by plain sums, whose gradients JAX makes."""
    z = x - x.mean(axes, keepdims=True)
    return z * jax.lax.rsqrt(jnp.square(z).mean(axes, keepdims=True) + 1e-5) * gain


def batch_norm(x: jax.Array, gain: jax.Array) -> jax.Array:
    """Sums over positions in runs, and a stated derivative."""
    return normalized(x, gain, jnp.zeros_like(gain), 1e-5)[0]


def layer_norm(x: jax.Array, gain: jax.Array) -> jax.Array:
    """Sums over features in lanes, and a stated derivative."""
    return standardized(x, 1e-5, (-1,), True) * spread(gain, x.shape)


def embeddings(categories: int, rows: int) -> tuple[Operation, Operation]:
    """Rows of a table by their codes, and as a product with one-hot rows."""
    layer = nn.Embedding(categories, 1)
    codes = jnp.asarray(np.random.default_rng(0).integers(0, categories, rows), jnp.float32)
    hot = nn.OneHot(categories).apply((), (), codes)[0]
    return lambda table: layer.apply({"table": table}, (), codes)[0], lambda table: hot @ table


def looped(operation: Operation, updates: int) -> Callable[..., Any]:
    """Gradient steps on all arguments, in one loop compiled as training compiles it."""

    def step(arguments: Any, _: None) -> tuple[Any, None]:
        grads = jax.grad(lambda given: jnp.square(operation(*given)).mean())(arguments)
        return jax.tree.map(lambda a, g: a - 1e-3 * g, arguments, grads), None

    return jax.jit(lambda *arguments: jax.lax.scan(step, arguments, length=updates)[0], compiler_options=TRAINING)


def compare(name: str, ours: Operation, theirs: Operation, shapes: Sequence[tuple[int, ...]], updates: int) -> None:
    """Print the median time of an update of each, and their ratio."""
    rng = np.random.default_rng(0)
    arguments = [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]
    programs = [looped(operation, updates) for operation in (ours, theirs)]
    times: list[list[float]] = [[], []]
    for turn in range(8):
        for place, program in enumerate(programs):
            start = time.perf_counter()
            jax.block_until_ready(program(*arguments))
            if turn:  # the first turn compiles
                times[place].append((time.perf_counter() - start) / updates)
    own, plain_ = (1e6 * float(np.median(found)) for found in times)
    print(f"{name:44} {own:10.1f} us, XLA's own {plain_:10.1f} us, {plain_ / own:6.2f} times as long", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of every row")
    batch, updates = (4, 2) if parser.parse_args(arguments).quick else (128, 4)
    pool = nn.MaxPool(2)
    for rows, inputs, units in ((32, 64, 64), (32, 64, 10), (64, 128, 128)):
        name = f"product, {rows} rows, {inputs} to {units}"
        compare(name, product, jnp.dot, ((rows, inputs), (inputs, units)), 250 * updates)
    for shape in ((batch, 32, 32, 16), (batch, 28, 28, 32), (batch // 4, 14, 14, 256), (batch // 4, 64, 128)):
        theirs = partial(plain_norm, axes=tuple(range(len(shape) - 1)))
        compare(f"batch norm, {shape}", batch_norm, theirs, (shape, shape[-1:]), 5 * updates)
    for shape in ((batch, 64, 128), (batch // 4, 28, 256)):
        compare(f"layer norm, {shape}", layer_norm, partial(plain_norm, axes=(-1,)), (shape, shape[-1:]), 5 * updates)
    pooled = (batch, 28, 28, 32)
    compare(f"max pooling, {pooled}", lambda x: pool.apply((), (), x)[0], reshaped_pool, (pooled,), updates)
    small = (batch, 14, 14, 32), (3, 3, 32, 64)
    for shape, kernel, apart in (((batch, 28, 28, 1), (3, 3, 1, 32), 1), (*small, 1), (*small, 2)):
        sweep = Sweep((1, 1), ((apart, apart),) * 2, (apart, apart))
        ours, theirs = (lambda x, k, form=form, sweep=sweep: form(x, k, sweep) for form in (convolve, plain))
        name = f"convolution, {shape} to {kernel[-1]}" + (f", dilated by {apart}" if apart > 1 else "")
        compare(name, ours, theirs, (shape, kernel), updates)
    for groups, channels in ((2, 64), (8, 64), (32, 128)):
        shape, kernel = (batch // 4, 14, 14, channels), (3, 3, channels // groups, channels)
        frame = SAME, groups
        ours, theirs = (lambda x, k, form=form, frame=frame: form(x, k, *frame) for form in (grouped, plain))
        compare(f"convolution in {groups} groups, {shape}", ours, theirs, (shape, kernel), updates)
    for shape in ((batch, 14, 14, 64), (batch // 4, 28, 28, 32)):
        compare(f"depthwise convolution, {shape}", shifted, plain_depthwise, (shape, (3, 3, 1, shape[-1])), updates)
    for shape, kernel in (((batch // 2, 7, 7, 64), (4, 4, 64, 32)), ((batch // 2, 14, 14, 32), (4, 4, 32, 16))):
        frame = SAME._replace(stride=(2, 2)), (2 * shape[1], 2 * shape[2])
        ours, theirs = (
            lambda x, k, form=form, frame=frame: form(x, k, *frame) for form in (transposed, plain_transposed)
        )
        compare(f"transposed convolution, {shape} to {kernel[-1]}", ours, theirs, (shape, kernel), updates)
    for categories, size, rows in ((12, 8, 2 * batch), (256, 16, 2 * batch), (1000, 64, 25 * batch)):
        name = f"embedding, {rows} rows, {categories} to {size}"
        compare(f"{name} (one-hot)", *embeddings(categories, rows), ((categories, size),), 10 * updates)


if __name__ == "__main__":
    main()
