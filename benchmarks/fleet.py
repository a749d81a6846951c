"""How fast are fleets? Networks trained a second, as ratios to the best that peers do, side by side in one run.

Every contestant trains the same networks (layers, batch size, epochs, Adam) on the same rows, one learning rate a network,
on all cores. Rounds alternate between the contestants and a ratio is taken within a round. Compiling is left out for all
of them: each trains once before the clock starts. Kilter's time is that of the whole call but for compiling: drawing
weights, training, and all metrics of every network.

Peers: scikit-learn and PyTorch in one process a core with one thread each, every network in turn; PyTorch's
`torch.func` with the models stacked (`vmap` of the gradient, Adam by hand, all threads); and a `vmap` over a scan of
Optax updates in plain JAX on one device, compiled whole. Where a peer needs long it trains fewer networks and its time
is scaled.

    python benchmarks/fleet.py             # all rows of the table
    python benchmarks/fleet.py --quick     # a smoke test
    python benchmarks/fleet.py --nets 20-32-32-2 --fleets 64 --rounds 3
"""

import argparse
import itertools
import multiprocessing
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from kilter.core.devices import usable_cores
from measured import Spread

# A peer that trains network after network gets at most so many; its time is scaled to the fleet's.
ENOUGH = 8
Trainer = Callable[[int], float]


@dataclass(frozen=True)
class Case:
    """A row of the table: sizes, batch, rows and epochs, and whether the net has batch norms and dropout."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    rows: int
    epochs: int
    dressed: bool = False

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of noise with classes that can be learned."""
        rng = np.random.default_rng(0)
        x = rng.normal(size=(self.rows, self.sizes[0])).astype(np.float32)
        return x, (x @ rng.normal(size=(self.sizes[0], self.sizes[-1]))).argmax(1)


def rates(count: int) -> np.ndarray:
    """A learning rate a network."""
    return np.geomspace(1e-4, 1e-2, count)


def kilter(case: Case, members: int) -> Trainer:
    """One fleet."""
    import kilter as kl
    from kilter import losses, nn, optim

    layers = []
    for units in case.sizes[1:-1]:
        layers += (
            [nn.Dense(units), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2)]
            if case.dressed
            else [nn.Dense(units), nn.ReLU()]
        )
    net = nn.Chain(*layers, nn.Dense(case.sizes[-1]))
    data = kl.data.from_arrays(*case.data(), validation=0)
    recipes = [
        kl.Recipe(
            net,
            losses.SoftmaxCrossEntropy(),
            optimizer=optim.Adam(float(lr)),
            batch_size=case.batch,
            epochs=case.epochs,
        )
        for lr in rates(members)
    ]

    def train(seed: int) -> float:
        start = time.perf_counter()
        runs = kl.train_fleet(recipes, data, seeds=[seed], progress=False)
        return time.perf_counter() - start - runs[0].seconds["compile"]

    return train


def in_processes(work: Callable[..., float], case: Case, members: int) -> Trainer:
    """A process a core, networks dealt out in turn; the slowest process counts."""
    cores = usable_cores()
    count = min(members, max(cores, ENOUGH))
    pool = ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn"))
    shares = [rates(count)[start::cores] for start in range(min(cores, count))]

    def train(seed: int) -> float:
        taken = [job.result() for job in [pool.submit(work, case, share, seed) for share in shares]]
        return max(taken) * members / count

    return train


def scikit_learn_share(case: Case, share: np.ndarray, seed: int) -> float:
    """MLPClassifier, network after network."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    x, y = case.data()
    settings = {"batch_size": case.batch, "max_iter": case.epochs, "alpha": 0.0, "tol": 0.0}
    start = time.perf_counter()
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        for lr in share:
            model = MLPClassifier(
                case.sizes[1:-1], learning_rate_init=lr, n_iter_no_change=case.epochs + 1, random_state=seed, **settings
            )
            model.fit(x, y)
    return time.perf_counter() - start


def torch_net(case: Case):
    """The network of a case in PyTorch."""
    from torch import nn

    layers = []
    for a, b in itertools.pairwise(case.sizes[:-1]):
        layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if case.dressed else []), nn.ReLU()]
        layers += [nn.Dropout(0.2)] if case.dressed else []
    return nn.Sequential(*layers, nn.Linear(*case.sizes[-2:]))


def pytorch_share(case: Case, share: np.ndarray, seed: int) -> float:
    """PyTorch eager as its users write it, network after network."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    x, y = map(torch.from_numpy, case.data())
    start = time.perf_counter()
    for lr in share:
        net = torch_net(case)
        optimizer, loss = torch.optim.Adam(net.parameters(), lr=float(lr)), torch.nn.CrossEntropyLoss()
        for _ in range(case.epochs):
            for rows in torch.randperm(len(x)).split(case.batch):
                optimizer.zero_grad()
                loss(net(x[rows]), y[rows]).backward()
                optimizer.step()
    return time.perf_counter() - start


def torch_func(case: Case, members: int) -> Trainer:
    """Stacked models: the gradient under `vmap`, and Adam on the stacked arrays."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    count = min(members, 64)
    x, y = map(torch.from_numpy, case.data())
    base = torch_net(case)
    lr = torch.from_numpy(rates(count)).float()

    def loss(params, rows, labels):
        return torch.nn.functional.cross_entropy(functional_call(base, params, rows), labels)

    gradients = vmap(grad(loss), in_dims=(0, None, None), randomness="different")

    def train(seed: int) -> float:
        torch.manual_seed(seed)
        start = time.perf_counter()
        params, _ = stack_module_state([torch_net(case) for _ in range(count)])
        params = {name: value.detach() for name, value in params.items()}
        first, second = ({name: torch.zeros_like(value) for name, value in params.items()} for _ in range(2))
        step = 0
        for _ in range(case.epochs):
            for rows in torch.randperm(len(x)).split(case.batch):
                step += 1
                for name, value in gradients(params, x[rows], y[rows]).items():
                    first[name].lerp_(value, 0.1)
                    second[name].mul_(0.999).addcmul_(value, value, value=0.001)
                    scale = (lr / (1 - 0.9**step)).view(-1, *(1,) * (value.ndim - 1))
                    params[name] -= scale * first[name] / ((second[name] / (1 - 0.999**step)).sqrt() + 1e-8)
        return (time.perf_counter() - start) * members / count

    return train


def plain_jax(case: Case, members: int) -> Trainer:
    """One program: `vmap` over a scan of Optax updates, shared permutations from the host, one device."""
    import jax
    import jax.numpy as jnp
    import optax

    x, y = (jax.device_put(array, jax.local_devices()[0]) for array in case.data())
    sizes, steps = case.sizes, case.rows // case.batch
    last = len(sizes) - 2

    def outputs(params, rows, key):
        for place, layer in enumerate(params):
            rows = rows @ layer["w"] + layer["b"]
            if place < last:
                if case.dressed:
                    rows = (rows - rows.mean(0)) * jax.lax.rsqrt(rows.var(0) + 1e-5) * layer["scale"] + layer["shift"]
                rows = jax.nn.relu(rows)
                if case.dressed:
                    kept = jax.random.bernoulli(jax.random.fold_in(key, place), 0.8, rows.shape)
                    rows = jnp.where(kept, rows / 0.8, 0.0)
        return rows

    def one(lr, key, orders):
        def layer(key, a, b):
            return {
                "w": jax.random.normal(key, (a, b)) * np.sqrt(2 / a),
                "b": jnp.zeros(b),
                "scale": jnp.ones(b),
                "shift": jnp.zeros(b),
            }

        params = [layer(jax.random.fold_in(key, place), *pair) for place, pair in enumerate(itertools.pairwise(sizes))]
        optimizer = optax.adam(lr)

        def update(carry, each):
            params, state = carry
            rows, number = each

            def loss(params):
                found = outputs(params, x[rows], jax.random.fold_in(key, number))
                return optax.softmax_cross_entropy_with_integer_labels(found, y[rows]).mean()

            changes, state = optimizer.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, changes), state), None

        return jax.lax.scan(update, (params, optimizer.init(params)), (orders, jnp.arange(len(orders))))[0][0]

    whole = jax.jit(jax.vmap(one, in_axes=(0, 0, None)))
    lr = rates(members).astype(np.float32)

    def train(seed: int) -> float:
        start = time.perf_counter()
        keys = jax.random.split(jax.random.key(seed), members)
        rng = np.random.default_rng(seed)
        orders = np.concatenate(
            [rng.permutation(case.rows)[: steps * case.batch].reshape(steps, case.batch) for _ in range(case.epochs)]
        )
        jax.block_until_ready(whole(lr, keys, orders))
        return time.perf_counter() - start

    return train


def contestants(case: Case, members: int) -> dict[str, Callable[[], Trainer]]:
    """Makers, Kilter's first; scikit-learn has no batch norm or dropout, `torch.func` no batch norm with averages."""
    found = {
        "Kilter": partial(kilter, case, members),
        "PyTorch": partial(in_processes, pytorch_share, case, members),
    }
    if not case.dressed:
        found["scikit-learn"] = partial(in_processes, scikit_learn_share, case, members)
        found["torch.func"] = partial(torch_func, case, members)
    return found | {"JAX vmap": partial(plain_jax, case, members)}


def measure(case: Case, members: int, rounds: int) -> None:
    """Print the rows of one case and fleet."""
    trainers = {name: make() for name, make in contestants(case, members).items()}
    for train in trainers.values():
        train(0)
    times: dict[str, list[float]] = {name: [] for name in trainers}
    for seed in range(rounds):
        for name, train in trainers.items():
            times[name].append(train(seed))
    own = times["Kilter"]
    each = 1e6 * np.median(own) / (members * case.epochs * -(-case.rows // case.batch))
    kind = "with batch norm and dropout" if case.dressed else "plain"
    print(f"{case.name}, {kind}, {members} networks: {members / np.median(own):.3g} a second, {each:.0f} us an update")
    for name in list(trainers)[1:]:
        print(
            f"    {name:14s} takes {Spread.of([a / b for a, b in zip(times[name], own, strict=True)])} times as long",
            flush=True,
        )


def cases(quick: bool) -> list[Case]:
    """The nets, plain and with batch norms and dropout."""
    shrink = 8 if quick else 1
    plain = [
        Case("20-32-32-2", (20, 32, 32, 2), 32, 1024 // shrink, 20 // shrink),
        Case("64-128-128-10", (64, 128, 128, 10), 64, 1024 // shrink, 10 // shrink),
        Case("784-256-10", (784, 256, 10), 128, 1024, 12 // shrink),
    ]
    dressed = partial(map, lambda case: Case(case.name, case.sizes, case.batch, case.rows, case.epochs, dressed=True))
    return plain[:1] + list(dressed(plain[:1])) if quick else plain + list(dressed(plain))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of the smallest net")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each row")
    parser.add_argument("--nets", nargs="*", help="names of nets to measure; left out, all")
    parser.add_argument("--fleets", nargs="*", type=int, default=[1, 8, 64, 512], help="sizes of fleets")
    options = parser.parse_args(arguments)
    for case in cases(options.quick):
        if options.nets is None or case.name in options.nets:
            for members in [4] if options.quick else options.fleets:
                measure(case, members, 1 if options.quick else options.rounds)


if __name__ == "__main__":
    main()
