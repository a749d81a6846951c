"""Recurrent layers at work: what variational dropout gains, three nets on MNIST-1D, and an LSTM's speed against PyTorch.

python benchmarks/sequences.py             # all three tables
python benchmarks/sequences.py --quick     # a smoke test of each
python benchmarks/sequences.py --only speed
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from mnist1d.data import get_dataset_args, make_dataset
from sklearn.datasets import load_digits

import kilter as kl
from kilter import losses, nn, optim
from sets import MNIST, mnist

# Nets on MNIST-1D with the learning rates and dropout rates to choose from, and how long they train.
RATES = {
    "MLP": ((3e-3, 0.3), (3e-3, 0.4), (1e-2, 0.3), (1e-2, 0.4)),
    "CNN": ((3e-3, 0.3), (1e-2, 0.3)),
    "GRU": ((1e-2, 0.0), (1e-2, 0.3)),
}
EPOCHS = {"MLP": 100, "CNN": 30, "GRU": 25}
# Greydanus and Kobak 2024, Scaling Down Deep Learning with MNIST-1D: accuracy on the test rows.
PUBLISHED = {"MLP": 0.68, "CNN": 0.94, "GRU": 0.91}


def recipe(net: nn.Layer, lr: Any, batch: int, epochs: int) -> kl.Recipe:
    """Adam on the cross-entropy."""
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(lr), batch_size=batch, epochs=epochs)


# Dropout.


def few_digits(rows: int) -> kl.data.Dataset:
    """Few digits to learn from, read row by row, and many to judge by: MNIST's, or where not at hand scikit-learn's."""
    if MNIST.exists():
        x, y = mnist(2000 + rows)
        x = x.reshape(-1, 28, 28)
    else:
        x, y = load_digits(return_X_y=True)
        x = x.reshape(-1, 8, 8).astype(np.float32) / 16
    return kl.data.from_arrays(x[:rows], y[:rows], validation=(x[rows:], y[rows:]))


def dropout(quick: bool) -> None:
    """Print losses and accuracies of an LSTM with and without dropout, after the last epoch."""
    data, epochs = few_digits(100 if quick else 500), 1 if quick else 60
    settings: dict[str, dict[str, Any]] = {
        "none": {},
        "inputs, fresh masks": {"dropout": 0.3},
        "variational": {"dropout": 0.3, "recurrent_dropout": 0.3, "variational": True},
    }
    print(f"LSTM 64 on {len(data.train)} digits read row by row, after {epochs} epochs; mean +- deviation of seeds")
    print(f"{'dropout':22}{'loss':>16}{'val loss':>16}{'best val loss':>16}{'val accuracy':>16}")
    for name, rates in list(settings.items())[-1 if quick else 0 :]:
        net = nn.Chain(nn.LSTM(64, **rates), nn.Dense(10))
        runs = kl.train_fleet([recipe(net, 3e-3, 50, epochs)], data, seeds=range(2 if quick else 5), progress=False)
        history = {key: np.stack([run.history[key] for run in runs]) for key in runs[0].history}
        last = [history[key][:, -1] for key in ("loss", "val_loss", "val_accuracy")]
        columns = [*last[:2], history["val_loss"].min(1), last[2]]
        print(f"{name:22}" + "".join(f"{c.mean():8.3f} +-{c.std(ddof=1):5.3f} " for c in columns), flush=True)


# MNIST-1D.


def mnist_1d() -> tuple[np.ndarray, ...]:
    """4000 sequences of 40 numbers and their digits, and 1000 to judge by, as the package makes them."""
    made = make_dataset(get_dataset_args())
    return tuple(made[name].astype(kind) for name, kind in zip(("x", "y", "x_test", "y_test"), "flfl", strict=True))


def net(name: str, rate: float) -> nn.Chain:
    """One of the three nets."""
    if name == "MLP":
        hidden = (nn.Dense(256), nn.ReLU(), nn.Dropout(rate))
        return nn.Chain(nn.Flatten(), *hidden, *hidden, nn.Dense(10))
    if name == "CNN":
        steps = ((5, 1), (3, 2), (3, 2), (3, 2))
        layers = [part for w, s in steps for part in (nn.Conv(32, w, stride=s), nn.BatchNorm(), nn.ReLU())]
        return nn.Chain(*layers, nn.Flatten(), nn.Dropout(rate), nn.Dense(10))
    return nn.Chain(nn.Bidirectional(nn.GRU(16, sequences=True)), nn.Flatten(), nn.Dropout(rate), nn.Dense(10))


def settled(name: str, lr: float, rate: float, epochs: int | None = None) -> kl.Recipe:
    """A recipe for MNIST-1D."""
    return recipe(net(name, rate), optim.Cosine(lr), 100, epochs or EPOCHS[name])


def accuracy(chosen: kl.Recipe, sequences: tuple[np.ndarray, ...], seed: int = 0) -> float:
    """Accuracy on the test rows after training on all others."""
    x, y, x_test, y_test = sequences
    data = kl.data.from_arrays(x[..., None], y, validation=0, test=(x_test[..., None], y_test))
    return kl.train(chosen, data, seed=seed, progress=False).metrics["test_accuracy"]


def choose(name: str, sequences: tuple[np.ndarray, ...], quick: bool) -> tuple[float, float]:
    """The learning rate and dropout rate that are best on the last 800 training rows; prints all."""
    x, y = sequences[0][..., None], sequences[1]
    data = kl.data.from_arrays(x[:3200], y[:3200], validation=(x[3200:], y[3200:]))
    recipes = [settled(name, lr, rate, 1 if quick else None) for lr, rate in RATES[name]]
    runs = kl.train_fleet(recipes, data, progress=False)
    found = {rates: float(run.history["val_accuracy"][-1]) for rates, run in zip(RATES[name], runs, strict=True)}
    for (lr, rate), reached in found.items():
        print(f"    {name} lr {lr:g}, dropout {rate:g}: validation accuracy {reached:.3f}", flush=True)
    return max(found, key=lambda rates: found[rates])


def scores(quick: bool) -> None:
    """Print each net's accuracy on the test rows, with rates chosen on validation rows."""
    sequences = mnist_1d()
    print("MNIST-1D, 4000 training rows and 1000 test rows")
    for name in ("GRU",) if quick else RATES:
        lr, rate = choose(name, sequences, quick)
        chosen = settled(name, lr, rate, 1 if quick else None)
        found = [accuracy(chosen, sequences, seed) for seed in range(1 if quick else 3)]
        print(f"{name}: test accuracy {' '.join(f'{a:.3f}' for a in found)}, published {PUBLISHED[name]}", flush=True)


# Speed.


def ours(shape: tuple[int, ...], units: int, updates: int, training: bool) -> Callable[[], Any]:
    """A compiled loop of gradient steps, or of forward passes."""
    layer = nn.LSTM(units)
    params, _ = layer.init(jax.random.key(0), shape[1:])
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)

    def objective(params: Any, x: Any) -> Any:
        return jnp.square(layer.apply(params, (), x)[0]).mean()

    def step(carry: Any, _: None) -> tuple[Any, Any]:
        params, x = carry
        if not training:
            return (params, x * (1.0 + 1e-9 * objective(params, x))), None
        return (jax.tree.map(lambda p, g: p - 1e-3 * g, params, jax.grad(objective)(params, x)), x), None

    loop = jax.jit(lambda carry: jax.lax.scan(step, carry, length=updates)[0])
    return lambda: jax.block_until_ready(loop((params, x)))


def theirs(shape: tuple[int, ...], units: int, updates: int, training: bool) -> Callable[[], Any]:
    """The same in PyTorch."""
    layer = torch.nn.LSTM(shape[-1], units, batch_first=True)
    optimizer = torch.optim.SGD(layer.parameters(), 1e-3)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))

    def run() -> None:
        for _ in range(updates):
            with torch.set_grad_enabled(training):
                loss = layer(x)[1][0].square().mean()
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return run


def speed(quick: bool) -> None:
    """Print times of an update and of a forward pass, in turns, and their ratios."""
    rounds, updates = (2, 2) if quick else (20, 10)
    for shape, units in (((64, 28, 28), 128), ((32, 40, 1), 32), ((128, 100, 64), 256))[: 1 if quick else 3]:
        for training in (True, False):
            programs = [make(shape, units, updates, training) for make in (ours, theirs)]
            times: list[list[float]] = [[], []]
            for turn in range(rounds + 1):
                for place, program in enumerate(programs):
                    start = time.perf_counter()
                    program()
                    if turn:  # the first turn compiles
                        times[place].append((time.perf_counter() - start) / updates * 1e3)
            ratios = np.array(times[1]) / np.array(times[0])
            what = "update" if training else "forward"
            own = f"LSTM {units} on {shape}, {what}: {np.median(times[0]):7.2f} ms"
            print(
                f"{own}, PyTorch takes {np.median(ratios):5.2f} times as long ({ratios.min():.2f} to {ratios.max():.2f})"
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of each table")
    parser.add_argument("--only", choices=("dropout", "scores", "speed"), help="one table alone")
    given = parser.parse_args(arguments)
    for table in (dropout, scores, speed):
        if given.only in (None, table.__name__):
            table(given.quick)


if __name__ == "__main__":
    main()
