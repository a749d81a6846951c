"""What does watching a training cost? Ratios of watched to plain training, in Kilter and in PyTorch with hooks.

Three nets, side by side in one process: rounds alternate between the contestants, and a ratio is taken within a round.
Kilter is watched as by default, with a record after every epoch, and with the rules looking on, which say at once what goes
wrong (`kl.train(watch=)`). PyTorch's hooks compute the same statistics on the same number of rows, after every so many
epochs as Kilter's default does, and at every update on its batch, as hooks are mostly used. Compiling is timed apart.

    python benchmarks/vitals.py             # all rows of the table
    python benchmarks/vitals.py --quick     # a smoke test
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

import kilter as kl
from kilter import losses, optim
from measured import Spread
from rows import mlp, mnist_cnn
from sets import digits, mnist
from sides.job import Job
from sides.pytorch import inputs

Trainer = Callable[[int], float]
PLAIN, DEFAULT, EACH, TOLD = "plain", "default watch", "record an epoch", "default, and told"
STRIDE, UPDATE = "hooks, same stride", "hooks, every update"


def kilter(job: Job, watch: kl.Watch | None, *, doctor: bool = False) -> tuple[Trainer, kl.Run]:
    """Trainer and its first run; with ``doctor`` the rules look at the training on its way."""
    data = kl.data.from_arrays(job.x, job.y, validation=0)
    recipe = kl.Recipe(
        job.kilter(),
        losses.SoftmaxCrossEntropy(),
        optimizer=optim.Adam(1e-3),
        batch_size=job.batch,
        epochs=job.epochs,
    )

    def trained(seed: int) -> kl.Run:
        if doctor:
            return kl.train(recipe, data, seed=seed, watch=watch, progress=False)
        return kl.train_fleet([recipe], data, seeds=[seed], watch=watch, progress=False)[0]

    def train(seed: int) -> float:
        start = time.perf_counter()
        trained(seed)
        return time.perf_counter() - start

    return train, trained(0)


class Hooks:
    """Forward and backward hooks on all modules of a net that sum up what goes through, as `kl.vitals.Signal` does."""

    def __init__(self, net: torch.nn.Module) -> None:
        self.on, self.records = False, []
        for module in net:
            module.register_forward_hook(self._forward)
            module.register_full_backward_hook(self._backward)

    def _forward(self, module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], y: torch.Tensor) -> None:
        if self.on:
            with torch.no_grad():
                self.records.append(self._summary(module, y))

    def _backward(self, module: torch.nn.Module, _: object, gradient: tuple[torch.Tensor, ...]) -> None:
        if self.on:
            self.records.append((len(gradient[0]) * gradient[0].square().mean().sqrt()).item())

    def _summary(self, module: torch.nn.Module, y: torch.Tensor) -> list[float]:
        finite = torch.isfinite(y)
        units = y.movedim(1, -1).flatten(0, -2)
        dead = (units <= 0).all(0).float().mean() if isinstance(module, torch.nn.ReLU) else y.new_tensor(torch.nan)
        covariance = torch.cov(units[:: -(-len(units) // 256), :: -(-units.shape[1] // 256)].T)
        deviations = covariance.diagonal().sqrt() + 1e-12
        rows = torch.nn.functional.normalize(y.flatten(1))
        histogram = torch.histogram(y[finite].sign() * y[finite].abs().clamp(2**-14, 2**10).log2().add(15), 50)[0]
        told = [
            y.mean(), y.std(), y.square().mean().sqrt(), (y == 0).float().mean(), dead, torch.isnan(y).sum(),
            torch.isinf(y).sum(), covariance.trace() ** 2 / covariance.square().sum(),
            (covariance / deviations / deviations[:, None]).abs().mean(), rows.sum(0).square().sum(),
        ]  # fmt: skip
        return torch.stack([each.float() for each in told]).tolist() + histogram.tolist()


def pytorch(job: Job, stride: int | None) -> Trainer:
    """PyTorch eager; ``stride``: epochs between records on 256 rows, 0 for one at every update, None for none."""
    x, y, loss = inputs(job), torch.from_numpy(job.y), torch.nn.CrossEntropyLoss()

    def train(seed: int) -> float:
        torch.manual_seed(seed)
        net = job.torch()
        for module in net:
            module.inplace = False  # hooks cannot follow what is changed in place
        optimizer, hooks = torch.optim.Adam(net.parameters()), None if stride is None else Hooks(net)
        first = [weight.detach().clone() for weight in net.parameters()]
        start = time.perf_counter()

        def record(rows: torch.Tensor) -> None:
            hooks.on = True
            optimizer.zero_grad()
            loss(net(x[rows].requires_grad_()), y[rows]).backward()
            hooks.on = False
            weigh()

        def weigh() -> None:
            for begun, weight in zip(first, net.parameters(), strict=True):
                hooks.records += [weight.norm().item(), weight.grad.norm().item(), (weight - begun).norm().item()]

        for epoch in range(job.epochs):
            if stride and epoch % stride == 0:
                record(torch.arange(min(256, len(x))))
            for rows in torch.randperm(len(x)).split(job.batch):
                if stride == 0:
                    record(rows)
                else:
                    optimizer.zero_grad()
                    loss(net(x[rows]), y[rows]).backward()
                optimizer.step()
        if stride:
            record(torch.arange(min(256, len(x))))
        return time.perf_counter() - start

    return train


def jobs(quick: bool) -> dict[str, Job]:
    """The rows of the table."""
    rows = 512 if quick else 8000
    x, y = mnist(rows)
    images, labels = x[: rows // 2].reshape(-1, 28, 28, 1), y[: rows // 2]
    return {
        "digits 64-128-128-10, batch 64": dense(*digits(), (128, 128), 64, 2 if quick else 100),
        "MNIST 784-512-512-512-10, batch 128": dense(x, y, (512, 512, 512), 128, 2 if quick else 20),
        "MNIST conv 32-64-128, batch 128": Job(
            images, labels, 128, 1 if quick else 20, mnist_cnn.kilter_net, mnist_cnn.torch_net
        ),
    }


def dense(x: np.ndarray, y: np.ndarray, hidden: tuple[int, ...], batch: int, epochs: int) -> Job:
    """A multilayer perceptron."""
    case = mlp.Case((x.shape[1], *hidden, 10), len(x), batch, epochs)
    return Job(x, y, batch, epochs, partial(mlp.kilter_net, case), partial(mlp.torch_net, case))


def measure(name: str, job: Job, rounds: int) -> None:
    """Print the rows of one net."""
    watches = {PLAIN: None, DEFAULT: kl.Watch(), EACH: kl.Watch(every=1)}
    made = {name: kilter(job, watch) for name, watch in watches.items()}
    made[TOLD] = kilter(job, kl.Watch(), doctor=True)
    trace = made[DEFAULT][1].vitals
    assert trace is not None
    stride = int(trace.epochs[1])
    groups = {
        "Kilter": {name: trainer for name, (trainer, _) in made.items()},
        "PyTorch": {PLAIN: pytorch(job, None), STRIDE: pytorch(job, stride), UPDATE: pytorch(job, 0)},
    }
    compiling = made[DEFAULT][1].seconds["compile"] - made[PLAIN][1].seconds["compile"]
    print(f"{name}: {job.epochs} epochs, a record every {stride}; {compiling:.1f} s more to compile when watched")
    for library, trainers in groups.items():
        times: dict[str, list[float]] = {name: [] for name in trainers}
        for train in trainers.values():
            train(0)
        for seed in range(rounds):
            for name, train in trainers.items():
                times[name].append(train(seed))
        for name in list(trainers)[1:]:
            ratios = [watched / plain for watched, plain in zip(times[name], times[PLAIN], strict=True)]
            print(f"    {library:8s} {name:20s} {Spread.of(ratios)} times the plain training", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of every row")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each row")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", kl.FindingWarning)
    warnings.filterwarnings("ignore", "Full backward hook is firing")  # on the rows themselves, which is meant
    for name, job in jobs(options.quick).items():
        measure(name, job, 1 if options.quick else options.rounds)


if __name__ == "__main__":
    main()
