"""How fast is one network? Ratios of training time to scikit-learn and PyTorch, side by side in one process.

Every contestant trains the same network on the same rows for the same number of epochs. Rounds alternate between the
contestants, so that a machine that slows down slows all of them; a ratio is taken within a round. Compiling is timed apart.

    python benchmarks/one_network.py             # all rows of the table
    python benchmarks/one_network.py --quick     # a smoke test
"""

import argparse
import itertools
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import kilter as kl
from kilter import losses, nn, optim

MNIST = Path(__file__).parent.parent.parent / "shared" / "data" / "mnist10k.npz"
Trainer = Callable[[int], float]


@dataclass(frozen=True)
class Case:
    """One row of the table: data, hidden layers (empty: the convolutional net), batch size, epochs of one round."""

    name: str
    x: np.ndarray
    y: np.ndarray
    hidden: tuple[int, ...]
    batch: int
    epochs: int


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1437 digits of 64 pixels."""
    x, y = load_digits(return_X_y=True)
    return (x[:1437] / 16).astype(np.float32), y[:1437]


def mnist(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """MNIST digits, shuffled; noise of the same shape where the file is not at hand."""
    if not MNIST.exists():
        rng = np.random.default_rng(0)
        return rng.random((rows, 784), np.float32), rng.integers(0, 10, rows)
    with np.load(MNIST) as file:
        order = np.random.default_rng(0).permutation(len(file["y"]))[:rows]
        return file["x"][order].reshape(rows, 784).astype(np.float32) / 255, file["y"][order].astype(np.int64)


def kilter_net(case: Case) -> nn.Chain:
    """The network of a case in Kilter."""
    if case.hidden:
        layers = [layer for units in case.hidden for layer in (nn.Dense(units), nn.ReLU())]
        return nn.Chain(*layers, nn.Dense(10))
    return nn.Chain(
        nn.Conv(32, 3), nn.ReLU(), nn.MaxPool(2),
        nn.Conv(64, 3), nn.ReLU(), nn.MaxPool(2),
        nn.Flatten(), nn.Dense(128), nn.ReLU(), nn.Dense(10),
    )  # fmt: skip


def kilter(case: Case) -> tuple[Trainer, float]:
    """Trainer and seconds to compile."""
    x = case.x if case.hidden else case.x.reshape(-1, 28, 28, 1)
    data = kl.data.from_arrays(x, case.y, validation=0)
    recipe = kl.Recipe(
        kilter_net(case),
        losses.SoftmaxCrossEntropy(),
        optimizer=optim.Adam(1e-3),
        batch_size=case.batch,
        epochs=case.epochs,
    )
    compiling = kl.train(recipe, data, progress=False).seconds["compile"]
    return lambda seed: kl.train(recipe, data, seed=seed, progress=False).seconds["train"], compiling


def pytorch(case: Case) -> tuple[Trainer, float]:
    """PyTorch eager as its users write it: rows in memory, indexed by a permutation; channels last for images."""
    if case.hidden:
        x = torch.from_numpy(case.x)
    else:
        x = torch.from_numpy(case.x.reshape(-1, 1, 28, 28)).contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(case.y)

    def train(seed: int) -> float:
        torch.manual_seed(seed)
        net = torch_net(case)
        optimizer, loss = torch.optim.Adam(net.parameters()), torch.nn.CrossEntropyLoss()
        start = time.perf_counter()
        for _ in range(case.epochs):
            for rows in torch.randperm(len(x)).split(case.batch):
                optimizer.zero_grad()
                loss(net(x[rows]), y[rows]).backward()
                optimizer.step()
        return time.perf_counter() - start

    return train, 0.0


def torch_net(case: Case) -> torch.nn.Module:
    """The network of a case in PyTorch."""
    t = torch.nn
    if case.hidden:
        sizes = (case.x.shape[1], *case.hidden)
        layers = [layer for a, b in itertools.pairwise(sizes) for layer in (t.Linear(a, b), t.ReLU())]
        return t.Sequential(*layers, t.Linear(sizes[-1], 10))
    net = t.Sequential(
        t.Conv2d(1, 32, 3, padding=1), t.ReLU(), t.MaxPool2d(2),
        t.Conv2d(32, 64, 3, padding=1), t.ReLU(), t.MaxPool2d(2),
        t.Flatten(), t.Linear(3136, 128), t.ReLU(), t.Linear(128, 10),
    )  # fmt: skip
    return net.to(memory_format=torch.channels_last)


def scikit_learn(case: Case) -> tuple[Trainer, float]:
    """MLPClassifier with the same settings; the convolutional net it does not have."""

    def train(seed: int) -> float:
        settings = {"batch_size": case.batch, "max_iter": case.epochs, "alpha": 0.0, "tol": 0.0}
        model = MLPClassifier(case.hidden, n_iter_no_change=case.epochs + 1, random_state=seed, **settings)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(case.x, case.y)
        assert model.n_iter_ == case.epochs
        return time.perf_counter() - start

    return train, 0.0


def cases(quick: bool) -> list[Case]:
    """The rows of the table."""
    share = 0.05 if quick else 1.0
    rows = 256 if quick else 8000
    small = digits()
    return [
        Case("digits 64-64-10, batch 32", *small, (64,), 32, max(2, int(100 * share))),
        Case("digits 64-128-128-10, batch 64", *small, (128, 128), 64, max(2, int(30 * share))),
        Case("MNIST 784-512-512-10, batch 128", *mnist(rows), (512, 512), 128, max(1, int(4 * share))),
        Case("MNIST conv 32-64-128, batch 128", *mnist(rows // 2), (), 128, 1),
    ]


def spread(values: Sequence[float]) -> str:
    """Median with minimum and maximum."""
    return f"{np.median(values):6.2f} ({min(values):.2f} to {max(values):.2f})"


def measure(case: Case, rounds: int) -> None:
    """Print the rows of one case."""
    peers = {"PyTorch eager": pytorch} | ({"scikit-learn": scikit_learn} if case.hidden else {})
    own, compiling = kilter(case)
    trainers = {name: make(case)[0] for name, make in peers.items()}
    for train in trainers.values():
        train(0)
    times: dict[str, list[float]] = {name: [] for name in ("Kilter", *trainers)}
    for seed in range(rounds):
        for name, train in {"Kilter": own, **trainers}.items():
            times[name].append(train(seed))
    updates = case.epochs * -(-len(case.x) // case.batch)
    print(f"{case.name}: {1e6 * np.median(times['Kilter']) / updates:.0f} us an update, {compiling:.1f} s to compile")
    for name in trainers:
        ratios = [peer / ours for peer, ours in zip(times[name], times["Kilter"], strict=True)]
        print(f"    {name:14s} takes {spread(ratios)} times as long", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of every row")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each row")
    options = parser.parse_args(arguments)
    for case in cases(options.quick):
        measure(case, 1 if options.quick else options.rounds)


if __name__ == "__main__":
    main()
