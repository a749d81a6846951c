"""What does it bring to share the batches of a network between devices? Measured on this machine, beside the model.

Part one: one network on one device, whose products use all cores, and on all devices of this process, whole and with the
optimizer's state in shards; rounds alternate, ratios are taken within a round, and compiling is left out. Beside them what
the model says: the same work, the same cores, and in addition the messages (an all-reduce of the gradient, measured here)
and the update of all weights once more a device (measured here).

Part two, on paper: the share of N hosts' speed that is left where each has a batch of its own, from the speed of one host
(its best matrix product, measured here), the width of the network between them and its delay.

    python benchmarks/scaling.py             # both tables
    python benchmarks/scaling.py --quick     # a smoke test
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import kilter as kl
from kilter import losses, nn, optim
from kilter.core import trees

# Bytes a second and seconds a message between hosts: Ethernet of 25 Gbit/s, and an interconnect of 400 Gbit/s.
NETWORKS = {"25 Gbit/s, 50 us": (25e9 / 8, 50e-6), "400 Gbit/s, 5 us": (400e9 / 8, 5e-6)}
HOSTS = (2, 8, 64, 1000)


@dataclass(frozen=True)
class Case:
    """A network, the shape of its rows, and how many of them are a batch."""

    name: str
    net: nn.Chain
    shape: tuple[int, ...]
    batch: int
    updates: int

    def recipe(self) -> kl.Recipe:
        """One epoch with Adam."""
        return kl.Recipe(
            self.net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(1e-3), batch_size=self.batch, epochs=1
        )

    def data(self) -> kl.data.Dataset:
        """Noise."""
        rng = np.random.default_rng(0)
        rows = self.batch * self.updates
        return kl.data.from_arrays(
            rng.normal(size=(rows, *self.shape)).astype(np.float32), rng.integers(0, 10, rows), validation=0
        )


def mlp(width: int, depth: int) -> nn.Chain:
    """Dense layers of one width."""
    return nn.Chain(*(layer for _ in range(depth) for layer in (nn.Dense(width), nn.ReLU())), nn.Dense(10))


def cnn(*channels: int) -> nn.Chain:
    """Convolutions with batch norm, each pooled by two."""
    blocks = (layer for c in channels for layer in (nn.Conv(c, 3), nn.BatchNorm(), nn.ReLU(), nn.MaxPool(2)))
    return nn.Chain(*blocks, nn.Flatten(), nn.Dense(10))


CASES = (
    Case("784-1024x4-10, batch 128", mlp(1024, 4), (784,), 128, 12),
    Case("784-1024x4-10, batch 1024", mlp(1024, 4), (784,), 1024, 4),
    Case("CNN 28x28, 32 and 64 channels, batch 128", cnn(32, 64), (28, 28, 1), 128, 6),
)
QUICK = (
    Case("20-32-10, batch 32", mlp(32, 1), (20,), 32, 4),
    Case("CNN 8x8, 4 channels, batch 16", cnn(4), (8, 8, 1), 16, 3),
)


def seconds(function: Callable[[], object], rounds: int) -> float:
    """The least of so many."""
    found = []
    for _ in range(rounds + 1):  # the first one compiles
        began = time.perf_counter()
        jax.block_until_ready(function())
        found.append(time.perf_counter() - began)
    return min(found[1:])


def all_reduce(count: int, devices: int, rounds: int) -> float:
    """Seconds to sum so many numbers over the devices."""
    mesh = Mesh(np.array(jax.devices()[:devices]), ("batch",))
    held = jax.device_put(jnp.ones((devices, count)), NamedSharding(mesh, PartitionSpec("batch")))

    def summed(part: jax.Array) -> jax.Array:
        return jax.lax.psum(part, "batch")

    whole = jax.jit(jax.shard_map(summed, mesh=mesh, in_specs=PartitionSpec("batch"), out_specs=PartitionSpec()))
    return seconds(lambda: whole(held), rounds)


def adam(count: int, rounds: int) -> float:
    """Seconds of an update of so many weights on one device."""

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def update(p: jax.Array, m: jax.Array, v: jax.Array, g: jax.Array) -> tuple[jax.Array, ...]:
        m, v = m + 0.1 * (g - m), v + 0.001 * (g * g - v)
        return p - 1e-3 * m / (jnp.sqrt(v) + 1e-8), m, v

    state = tuple(jnp.ones(count) for _ in range(3))
    gradient = jnp.ones(count)

    def once() -> jax.Array:
        nonlocal state
        state = update(*state, gradient)
        return state[0]

    return seconds(once, rounds)


def product(size: int, rounds: int) -> float:
    """FLOP/s of a square matrix product on one device."""
    square = jnp.ones((size, size))
    times = jax.jit(jnp.dot)
    return 2 * size**3 / seconds(lambda: times(square, square), rounds)


def measured(cases: tuple[Case, ...], devices: int, rounds: int) -> None:
    """Print part one."""
    print(
        f"| network | parameters | 1 device, ms an update | {devices} devices: ratio, min to max | in shards | model |"
    )
    print("|:--|--:|--:|--:|--:|--:|")
    forms = ({"devices": 1}, {"devices": devices, "shard": False}, {"devices": devices, "shard": True})
    for case in cases:
        recipe, data = case.recipe(), case.data()
        runs = [kl.train(recipe, data, **form, progress=False) for form in forms]  # compiles
        count = trees.size(runs[0].params)
        turns = [
            [kl.train(recipe, data, **form, progress=False).seconds["train"] for form in forms] for _ in range(rounds)
        ]
        alone = statistics.median(turn[0] for turn in turns) / case.updates
        ratios = [sorted(turn[0] / turn[place] for turn in turns) for place in (1, 2)]
        told = [f"{statistics.median(each):.2f} ({each[0]:.2f} to {each[-1]:.2f})" for each in ratios]
        more = all_reduce(count, devices, rounds) + (devices - 1) / devices * adam(count, rounds)
        print(f"| {case.name} | {count:,} | {1e3 * alone:.1f} | {told[0]} | {told[1]} | {alone / (alone + more):.2f} |")


def on_paper(cases: tuple[Case, ...], speed: float) -> None:
    """Print part two: efficiency t / (t + messages), t the time of one host's batch at its best speed."""
    print(f"\nOne host at {speed / 1e9:.0f} GFLOP/s, a batch of its own on each:\n")
    print("| network | between hosts | message, MB | work, ms | " + " | ".join(f"{n} hosts" for n in HOSTS) + " |")
    print("|:--|:--|--:|--:|" + "--:|" * len(HOSTS))
    for case in cases:
        flops, count = case.batch * work(case), trees.size(kl.nn.layer.shapes(case.net, case.shape)[0])
        for name, (width, delay) in NETWORKS.items():
            shares = [efficiency(flops / speed, 4 * count, hosts, width, delay) for hosts in HOSTS]
            told = " | ".join(f"{share:.2f}" for share in shares)
            print(f"| {case.name} | {name} | {4e-6 * count:.1f} | {1e3 * flops / speed:.1f} | {told} |")


def work(case: Case) -> float:
    """Floating-point operations of a row, forward and backward: three products for each one forward."""
    total, shape = 0.0, case.shape
    for layer in case.net.layers:
        params, state = jax.eval_shape(partial(layer.init, shape=shape), jax.random.key(0))
        x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        shape = jax.eval_shape(lambda p, s, x, layer=layer: layer.apply(p, s, x)[0], params, state, x).shape[1:]
        kernels = [leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
        total += 3 * 2 * sum(kernels) * math.prod(shape[:-1])
    return total


def efficiency(computing: float, message: float, hosts: int, width: float, delay: float) -> float:
    """Share of the hosts' speed: a ring sends 2 (N - 1) / N of the message from each host, in 2 (N - 1) turns."""
    ring = 2 * (hosts - 1) / hosts * message / width + 2 * (hosts - 1) * delay
    tree = 2 * message / width + 2 * math.ceil(math.log2(hosts)) * delay
    return computing / (computing + min(ring, tree))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    cases, rounds = (QUICK, 2) if arguments.quick else (CASES, arguments.rounds)
    measured(cases, jax.device_count(), rounds)
    on_paper(cases, product(128 if arguments.quick else 2048, rounds))


if __name__ == "__main__":
    main()
