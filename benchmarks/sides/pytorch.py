"""PyTorch at its best: rows gathered once an epoch, Adam fused, images channels last, all cores; eager or compiled."""

import shutil
import time
from typing import Any

import torch

from contest import Side
from sides.job import BLOCK, RATE, Job

MODES = {"PyTorch compiled": "default", "PyTorch max-autotune": "max-autotune"}


def pytorch(job: Job, mode: str | None = None) -> Side:
    """Train with PyTorch; with a mode, loss and gradients of whole batches are compiled by TorchInductor."""
    torch.manual_seed(0)
    x, y = inputs(job), torch.from_numpy(job.y)
    net = job.torch()
    if x.ndim == 4:
        net = net.to(memory_format=torch.channels_last)
    drawn = {name: value.clone() for name, value in net.state_dict().items()}
    criterion = torch.nn.CrossEntropyLoss()

    def objective(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return criterion(net(x), y)

    if mode is not None:
        torch.compiler.reset()
    whole = objective if mode is None else torch.compile(objective, mode=mode, dynamic=False)

    def train(seed: int) -> float:
        torch.manual_seed(seed)
        start = time.perf_counter()
        net.load_state_dict(drawn)
        optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
        net.train()
        for _ in range(job.epochs):
            order = torch.randperm(len(x))
            for rows, labels in zip(x[order].split(job.batch), y[order].split(job.batch), strict=True):
                (whole if len(rows) == job.batch else objective)(rows, labels).backward()
                optimizer.step()
                optimizer.zero_grad()
        judged(net, x, y)
        return time.perf_counter() - start

    return train


def inputs(job: Job) -> torch.Tensor:
    """The rows; images with channels second, channels last in memory."""
    x = torch.from_numpy(job.x)
    return x.movedim(-1, 1) if x.ndim == 4 else x


def judged(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Loss and accuracy of all rows."""
    net.eval()
    block = BLOCK if x.ndim == 2 else 1024
    with torch.inference_mode():
        outputs = torch.cat([net(rows) for rows in x.split(block)])
        loss = torch.nn.functional.cross_entropy(outputs, y)
        return loss.item(), (outputs.argmax(1) == y).float().mean().item()


def compiles() -> bool:
    """Whether there is a compiler, which torch.compile needs."""
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))


def operations(job: Job) -> float:
    """Floating point operations of the products of all updates, and of judging all rows once, as PyTorch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    net, rows = job.torch(), inputs(job)[: job.batch]
    with FlopCounterMode(display=False) as updating:
        torch.nn.functional.cross_entropy(net(rows), torch.from_numpy(job.y[: job.batch])).backward()
    with FlopCounterMode(display=False) as judging, torch.no_grad():
        net(rows)
    return (updating.get_total_flops() * job.epochs + judging.get_total_flops()) / len(rows) * len(job.x)


def parameters(job: Job) -> int:
    """Number of PyTorch's parameters."""
    net: Any = job.torch()
    return sum(each.numel() for each in net.parameters())
