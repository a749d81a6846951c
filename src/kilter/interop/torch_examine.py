"""The examination of a PyTorch module: copied, seen through hooks, trained for a while, and translated where it can be."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from kilter.core.checks import check_seed
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.doctor.chart import Start
from kilter.interop import record, torch_losses, torch_optimizers
from kilter.interop.advice import Advised
from kilter.interop.judging import Judge, dataset
from kilter.interop.node import Node
from kilter.interop.subject import Subject, examined, without_logarithm
from kilter.interop.torch_hooks import observed, weights_of
from kilter.interop.torch_optimizers import Given
from kilter.interop.torch_rows import arrays, taken, undisturbed
from kilter.interop.torch_terms import TERMS
from kilter.interop.torch_trainee import TorchTrainee
from kilter.train.recipe import Recipe

# Rows that the untrained network is looked at on.
_ROWS = 256


@dataclass(frozen=True)
class _Admitted:
    """A module that was looked at: what it is, its rows, a copy to train."""

    subject: Subject
    data: Dataset | None
    start: Start
    trainee: TorchTrainee
    rows: int


def examine(
    module: torch.nn.Module,
    loss: Callable[..., Any],
    loader: Any,
    *,
    optimizer: Given,
    validation: Any,
    epochs: int | None,
    seed: int,
) -> Advised:
    """See `kilter.interop.torch.examine`."""
    began = time.perf_counter()
    with undisturbed(loader, validation), torch.enable_grad():
        torch.manual_seed(check_seed(seed))
        case = _admitted(module, loss, loader, optimizer, validation, epochs, seed)
        return examined(case.subject, case.data, case.start, case.trainee, case.rows, seed, TERMS, began)


def to_recipe(
    module: torch.nn.Module,
    loss: Callable[..., Any],
    loader: Any,
    *,
    optimizer: Given,
    validation: Any,
    epochs: int | None,
    seed: int,
) -> tuple[Recipe, Dataset]:
    """See `kilter.interop.torch.to_recipe`."""
    with undisturbed(loader, validation), torch.enable_grad():
        torch.manual_seed(check_seed(seed))
        case = _admitted(module, loss, loader, optimizer, validation, epochs, seed)
    if case.data is None:
        raise InputError("loader: targets must be one value or one row of numbers an example for there to be a recipe")
    return case.subject.recipe(case.subject.paced(case.rows)), case.data


def _admitted(
    module: torch.nn.Module,
    loss: Callable[..., Any],
    loader: Any,
    optimizer: Given,
    validation: Any,
    epochs: int | None,
    seed: int,
) -> _Admitted:
    if epochs is not None and (not isinstance(epochs, int) or epochs < 0):
        raise InputError(f"epochs must be a whole number, at least 0, or None, got {epochs!r}")
    known = torch_losses.known(loss)
    rows = taken(loader)
    held = None if validation is None else taken(validation, "validation")
    memo: dict[int, Any] = {}
    own = _copied(module, memo)
    device = next((each.device for each in own.parameters()), torch.device("cpu"))
    whole = {"train": (rows.x.to(device), rows.y.to(device))}
    chosen = torch_optimizers.bound(optimizer, own, module, memo)
    trainee = TorchTrainee(own, loss, chosen, whole, rows.batch_size)
    seen = _seen(trainee, known.mean)
    nodes, last, part = seen.nodes, seen.last, known.loss
    if known.logarithms:
        nodes, last, part = without_logarithm(nodes, last, part)
    title = type(module).__name__
    others = None if held is None else arrays(held.x, held.y, seen.layout)
    data, chosen_rows = dataset(*arrays(rows.x, rows.y, seen.layout), seen.outputs, part, others, seed, title)
    trainee.parts = {name: (rows.x[each].to(device), rows.y[each].to(device)) for name, each in chosen_rows.items()}
    if held is not None:
        trainee.parts["validation"] = held.x.to(device), held.y.to(device)
    setting = torch_optimizers.known(chosen)
    subject = Subject(
        nodes, seen.first, last, part, known.name, setting.optimizer, setting.name, setting.penalty, setting.decay,
        rows.batch_size, epochs, rows.shuffle, title,
    )  # fmt: skip
    chance = float("nan") if data is None else Judge(data, part).chance_loss
    start = record.start(nodes, subject.anatomy, seen.loss, chance, seen.weights)
    return _Admitted(subject, data, start, trainee, len(trainee.parts["train"][0]))


def _copied(module: torch.nn.Module, memo: dict[int, Any]) -> torch.nn.Module:
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:
        raise InputError(f"module: it cannot be copied, and nothing is done to the original: {error}") from error


@dataclass(frozen=True)
class _Seen:
    """One forward and backward pass.

    Attributes:
        nodes: what was met.
        first: number of the signal that went in.
        last: number of the signal that came out.
        layout: whether channels stand in front of positions in the inputs.
        outputs: of the module.
        loss: of the rows.
        weights: by name, with their gradients.
    """

    nodes: list[Node]
    first: int
    last: int
    layout: bool
    outputs: int
    loss: float
    weights: dict[str, record.Weight]


def _seen(trainee: TorchTrainee, mean: bool) -> _Seen:
    """Look at a copy in training mode; it is then as before."""
    x, y = (each[:_ROWS] for each in trainee.parts["train"])
    before = trainee.weights() if not _lazy(trainee.module) else None
    trainee.module.train()
    trainee.optimizer.zero_grad()
    with observed(trainee.module) as observer:
        outputs = trainee.forward(x)
        value = trainee.of(outputs, y)
        if value.requires_grad:
            value.backward()
    nodes = observer.nodes if mean else [_unscaled(node, len(x)) for node in observer.nodes]
    weights = weights_of(trainee.module, nodes)
    trainee.optimizer.zero_grad()
    if before is not None:
        trainee.restore(before)
    count = outputs.shape[1] if outputs.ndim > 1 else 1
    return _Seen(nodes, observer.first, observer.last, observer.layout, count, float(value.detach()), weights)


def _lazy(module: torch.nn.Module) -> bool:
    return any(isinstance(each, torch.nn.parameter.UninitializedParameter) for each in module.parameters())


def _unscaled(node: Node, rows: int) -> Node:
    """A node whose gradient is that of a sum already."""
    if node.signal is not None:
        node.signal = node.signal._replace(backward=node.signal.backward / rows)
    return node
