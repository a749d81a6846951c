"""A copy of a PyTorch module that is trained on rows that are already there."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from kilter.core.errors import InputError
from kilter.interop.trial import Part

Array = np.ndarray[Any, Any]
Pair = tuple[torch.Tensor, torch.Tensor]


class TorchTrainee:
    """A module, its loss and its optimizer.

    Attributes:
        module: a copy that may be changed.
        loss: function of outputs and targets.
        optimizer: of the copy's parameters.
        parts: rows by name, on the device of the module.
        batch_size: rows of an update.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        loss: Callable[..., Any],
        optimizer: torch.optim.Optimizer,
        parts: dict[str, Pair],
        batch_size: int,
    ) -> None:
        self.module, self.optimizer, self.parts, self.batch_size = module, optimizer, parts, batch_size
        self._loss = loss

    def of(self, outputs: Any, y: torch.Tensor) -> torch.Tensor:
        """Loss of outputs, one number.

        Raises:
            InputError: the loss cannot be computed of them.
        """
        try:
            value = self._loss(outputs, y)
        except Exception as error:
            shapes = (
                f"outputs {tuple(outputs.shape)}, targets {tuple(y.shape)} of {y.dtype}"
                if isinstance(outputs, torch.Tensor)
                else "outputs"
            )
            raise InputError(f"loss: raised {type(error).__name__} on {shapes}: {error}") from error
        if not isinstance(value, torch.Tensor):
            raise InputError(f"loss: must give a tensor with one number, gave a {type(value).__name__}")
        return value.mean()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs of the module.

        Raises:
            InputError: it raises, or gives anything but a tensor.
        """
        try:
            outputs = self.module(x)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"module: raised {type(error).__name__} on inputs {tuple(x.shape)} of {x.dtype}: {error}"
            ) from error
        if not isinstance(outputs, torch.Tensor):
            raise InputError(f"module: must give one tensor of outputs, gave a {type(outputs).__name__}")
        return outputs

    def epoch(self, order: Array, changes: int) -> tuple[list[float], list[float]]:
        self.module.train()
        x, y = self.parts["train"]
        losses: list[float] = []
        moved: list[float] = []
        for chosen in torch.as_tensor(order.astype(np.int64)).split(self.batch_size):
            if len(chosen) == 1 < len(order):
                continue  # a batch norm cannot take the moments of one row
            before = self._flat() if len(moved) < changes else None
            losses.append(self._update(x[chosen], y[chosen]))
            if before is not None:
                moved.append(float((self._flat() - before).norm() / before.norm().clamp(min=1e-30)))
            if not np.isfinite(losses[-1]):
                break
        return losses, moved

    def _update(self, x: torch.Tensor, y: torch.Tensor) -> float:
        def closure() -> torch.Tensor:
            self.optimizer.zero_grad()
            loss = self.of(self.forward(x), y)
            if loss.requires_grad:
                loss.backward()
            return loss

        optimizer: Any = self.optimizer
        value = optimizer.step(closure)
        return float(value.detach())

    def _flat(self) -> torch.Tensor:
        each = [parameter.detach().flatten().float() for parameter in self.module.parameters()]
        return torch.cat(each) if each else torch.zeros(1)

    def outputs(self, part: Part) -> Array:
        found = [outputs.float().cpu().numpy() for outputs, _ in self._judged(part)]
        return np.concatenate(found)

    def loss(self, part: Part) -> float:
        total, count = 0.0, 0
        for outputs, y in self._judged(part):
            total, count = total + float(self.of(outputs, y).detach()) * len(y), count + len(y)
        return total / count

    def _judged(self, part: Part) -> Iterator[Pair]:
        self.module.eval()
        x, y = self.parts[part]
        size = max(self.batch_size, 256)
        with torch.no_grad():
            for rows, targets in zip(x.split(size), y.split(size), strict=True):
                yield self.forward(rows), targets

    def weights(self) -> Any:
        return copy.deepcopy(self.module.state_dict())

    def restore(self, weights: Any) -> None:
        self.module.load_state_dict(weights)
